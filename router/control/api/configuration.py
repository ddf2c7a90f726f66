"""What may be asked and changed about the configuration as a whole?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from msgspec import Struct

from router.config_file import read_settings
from router.control import edits
from router.control.api.endpoint import Answer, Call, Endpoint
from router.control.api.experiment_view import status_of
from router.control.api.queries import Apply, Wanted
from router.control.beginning import state_or_nothing
from router.control.changes import AppliedFile, Edit, change, follow, read_state, record_of
from router.control.file_digest import digest_of
from router.control.movement import Move, moves
from router.control.own_thread import in_own_thread
from router.control.preconditions import check_match, entity_tag
from router.description import describe
from router.settings import Settings
from router.state import Epoch, State
from router.store.versions import Change


class Preview(Struct, frozen=True, kw_only=True):
    """What would happen: nothing where ``changes`` is false. ``version`` is the one it was computed from, 0
    where there is none yet.

    ``recorded`` says that it is known to be what the file of that name said last; applying it makes a version
    where it is not, even one that changes nothing else. ``warnings`` are about what is allowed, and perhaps
    not meant.
    """

    version: int
    changes: bool
    recorded: bool
    difference: tuple[Change, ...]
    epochs: dict[str, Epoch]
    moves: tuple[Move, ...]
    warnings: tuple[str, ...]


class Applied(Struct, frozen=True, kw_only=True):
    """What happened: the version in force, the difference that it made, and the epochs that it opened.

    ``changed`` is false where nothing was different, also where a file's name was put on record.
    """

    version: int
    changed: bool
    difference: tuple[Change, ...]
    epochs: dict[str, Epoch]


async def read_configuration(call: Call) -> Answer:
    """Everything."""
    state = await read_state(call.desk.redis)
    return Answer(state.settings, etag=_whole_tag(state))


async def put_configuration(call: Call) -> Answer:
    """Apply a whole configuration."""
    before: State | None = None

    def edit(state: State) -> Edit:
        nonlocal before
        before = state
        check_match(call.if_match, state, (state.settings, state.endings), ("",))
        made = edits.set_configuration(state, call.data, prune=call.query.prune)
        return replace(made, file=_file_of(call))

    author = call.author
    if not author.why and call.query.source:
        author = replace(author, why=f"{call.query.source} was applied")
    state = await change(
        call.desk.redis, edit, author, call.desk.clock, partial(state_or_nothing, data_dir=call.desk.data_dir)
    )
    record = record_of(before, state, call.author, call.desk.clock())
    applied = Applied(
        version=state.version,
        changed=bool(record.difference or record.epochs),
        difference=record.difference,
        epochs=record.epochs,
    )
    return Answer(applied, etag=_whole_tag(state))


async def validate(call: Call) -> Answer:
    """Say what a configuration would do; nothing is changed."""
    state = await state_or_nothing(call.desk.redis, call.desk.data_dir, key=bytes(32))
    now = call.desk.clock()
    edit = partial(edits.set_configuration, state, call.data, prune=call.query.prune)
    following = await in_own_thread(lambda: follow(state, edit(), now), "validate")
    record = record_of(state, following, call.author, now)
    file = await in_own_thread(partial(_file_of, call), "validate")
    preview = Preview(
        version=state.version,
        changes=following is not state,
        recorded=file is None or state.files.get(file.name) == file.digest,
        difference=record.difference,
        epochs=record.epochs,
        moves=moves(state, following),
        warnings=(*_resting(state, call.data), *describe(following.settings).warnings),
    )
    return Answer(preview, etag=_whole_tag(state))


def _file_of(call: Call) -> AppliedFile | None:
    """The file that the body is, if it is one; `InvalidConfiguration` where it does not stand by itself."""
    name, prune = call.query.source, call.query.prune
    return AppliedFile(name, digest_of(read_settings(call.data)), whole=prune) if name else None


def _resting(state: State, data: object) -> tuple[str, ...]:
    """What a reader of the configuration might take for running."""
    found = {name: status_of(state, name) for name in edits.unspoken(state, data)}
    return tuple(
        f"experiment {name} is {status} and stays so: the configuration does not say whether it is running"
        for name, status in found.items()
    )


def _whole_tag(state: State) -> str:
    return entity_tag(state, (state.settings, state.endings))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/configuration",
        name="read_configuration",
        summary="The whole configuration, as a file would hold it, with its ETag",
        handler=read_configuration,
        answers={200: Settings},
        tagged=True,
    ),
    Endpoint(
        method="PUT",
        path="/api/v1/configuration",
        name="put_configuration",
        summary="Apply a whole configuration, also the first; what is not named stays, unless prune is true",
        handler=put_configuration,
        answers={200: Applied},
        role="operator",
        body=Settings,
        query=Apply,
        guarded=True,
        tagged=True,
        checked=False,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/validate",
        name="validate",
        summary="What would this configuration change, and what share of units would move?",
        handler=validate,
        answers={200: Preview},
        body=Settings,
        checked=False,
        query=Wanted,
        tagged=True,
    ),
)
