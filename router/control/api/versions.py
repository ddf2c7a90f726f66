"""What may be asked about versions, and how is one brought back?"""

from __future__ import annotations

from msgspec import Struct

from router.control import edits
from router.control.api.endpoint import Answer, Call, Endpoint
from router.control.api.queries import Against, Page, Why
from router.control.changes import Edit, read_state
from router.control.difference import difference, document
from router.control.preconditions import check_match, entity_tag
from router.state import State
from router.store.versions import Change, Made, Record, list_versions, read_version

_PATH = "/api/v1/versions/{number:int}"


class VersionLine(Struct, frozen=True, kw_only=True):
    """A version in the history."""

    version: int
    at: float
    who: str
    why: str
    automatic: bool
    difference: tuple[Change, ...]
    opened: tuple[str, ...]


class VersionList(Struct, frozen=True, kw_only=True):
    """The newest first; ``current`` is the one in force."""

    current: int
    versions: tuple[VersionLine, ...]


class Difference(Struct, frozen=True, kw_only=True):
    """What is different in ``version`` as compared with ``against``."""

    version: int
    against: int
    difference: tuple[Change, ...]


class RolledBack(Struct, frozen=True, kw_only=True):
    """The version in force, which has the settings ``of`` another one."""

    version: int
    of: int
    changed: bool


async def list_all(call: Call) -> Answer:
    """The history."""
    state = await read_state(call.desk.redis)
    records = await list_versions(call.desk.redis, before=call.query.before, limit=call.query.limit)
    listed = VersionList(current=state.version, versions=tuple(_line(record) for record in records))
    return Answer(listed, etag=entity_tag(state, (state.settings, state.endings)))


async def read_one(call: Call) -> Answer:
    """A version as it was."""
    return Answer(await _record(call, int(call.path["number"])))


async def compare(call: Call) -> Answer:
    """What is different between two."""
    record = await _record(call, int(call.path["number"]))
    against = record.version - 1 if call.query.against is None else call.query.against
    if call.query.against is None:
        return Answer(Difference(version=record.version, against=against, difference=record.difference))
    other = await _record(call, against)
    changes = difference(document(other.settings, other.endings), document(record.settings, record.endings))
    return Answer(Difference(version=record.version, against=against, difference=changes))


async def roll_back(call: Call) -> Answer:
    """Make the settings of a version those in force, as a new version."""
    record = await _record(call, int(call.path["number"]))
    before: State | None = None

    def edit(state: State) -> Edit:
        nonlocal before
        before = state
        check_match(call.if_match, state, (state.settings, state.endings), ("",))
        return Edit(record.settings, record.endings)

    state = await call.change(edit)
    done = RolledBack(version=state.version, of=record.version, changed=state is not before)
    return Answer(done, etag=entity_tag(state, (state.settings, state.endings)))


async def _record(call: Call, number: int) -> Record:
    record = await read_version(call.desk.redis, number)
    if record is None:
        raise edits.NotFound(f"there is no version {number}, or it is no longer kept")
    return record


def _line(record: Made) -> VersionLine:
    return VersionLine(
        version=record.version,
        at=record.at,
        who=record.who,
        why=record.why,
        automatic=record.automatic,
        difference=record.difference,
        opened=tuple(record.epochs),
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/versions",
        name="list_versions",
        summary="The history, the newest first, with the configuration's ETag",
        handler=list_all,
        answers={200: VersionList},
        query=Page,
        tagged=True,
    ),
    Endpoint(
        method="GET",
        path=_PATH,
        name="read_version",
        summary="One version: who, when, why, the difference, and the whole configuration",
        handler=read_one,
        answers={200: Record},
    ),
    Endpoint(
        method="GET",
        path=f"{_PATH}/difference",
        name="compare_versions",
        summary="The difference to the version before, or to another one",
        handler=compare,
        answers={200: Difference},
        query=Against,
    ),
    Endpoint(
        method="POST",
        path=f"{_PATH}/rollback",
        name="roll_back",
        summary="Bring a version's configuration back, as a new version",
        handler=roll_back,
        answers={200: RolledBack},
        role="operator",
        query=Why,
        guarded=True,
        tagged=True,
    ),
)
