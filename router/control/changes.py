"""How does a change of the state come into force: validate, advance, commit, give notice?"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis

from policies.plan import Plan
from router.control.difference import difference, document
from router.control.own_thread import in_own_thread
from router.epochs import advance, standing
from router.errors import ConfigurationError, TurnoutError
from router.events import event
from router.experiment_policy import first_plan, policy_of
from router.settings import Experiment, Settings
from router.state import Ending, State, encode_state
from router.store import states
from router.store.audit import Entry
from router.store.versions import Record

CONFIG_FILE = "config file"
# Names beyond these are forgotten, the first applied first.
_KEPT_FILES = 32

log = logging.getLogger("turnout.control")


class StateLost(TurnoutError):
    """Redis answers, and has no state, though there was one; ``sure`` where that is known, and not likely."""

    status = 503

    def __init__(self, *, sure: bool = False) -> None:
        lost = "Redis came back empty: it has no state, and the evidence it held is gone."
        perhaps = "Redis has no state. Where there never was one, turnout apply makes the first. Else "
        super().__init__(
            f"{lost if sure else perhaps + lost} The workers go on with their last snapshot. POST "
            "/api/v1/restore makes it the state again; to start anew instead, stop the service and remove "
            "state.json from its data directory"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who makes a change, by which call and from where, and why; ``status`` is answered when it is made."""

    who: str
    role: str
    peer: str
    action: str
    target: str
    why: str = ""
    automatic: bool = False
    status: int = 200


@dataclass(frozen=True, slots=True)
class AppliedFile:
    """A configuration file's base name and its settings' digest; ``whole`` where nothing else was left."""

    name: str
    digest: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """What an operator's change decides; the rest of the state follows from it.

    ``file`` is the configuration file that says so, if one does; ``created`` whether there is a thing of a
    name that there was none of.
    """

    settings: Settings
    endings: Mapping[str, Ending]
    file: AppliedFile | None = None
    created: bool = False


Editor = Callable[[State], Edit]
"""Makes an edit of the state in force; raises, and changes nothing, where it cannot."""


async def read_state(redis: Redis) -> State:
    """The state in force; `StateLost` where Redis has none."""
    state = await states.read(redis)
    if state is None:
        raise StateLost
    return state


async def change(
    redis: Redis,
    editor: Editor,
    author: Author,
    clock: Callable[[], float],
    read: Callable[[Redis], Awaitable[State]] = read_state,
) -> State:
    """The state in force after an edit, which is tried again when another one comes first.

    ``read`` gives the state to edit.
    """
    while True:
        previous = await read(redis)
        now = clock()
        edit, following = await in_own_thread(partial(_edited, previous, editor, now), "change")
        if following is previous:
            return previous

        made_by = dataclasses.replace(author, status=201) if edit.created else author
        if await commit(redis, previous, following, made_by, now):
            return following


def _edited(previous: State, editor: Editor, now: float) -> tuple[Edit, State]:
    """The edit and the state after it; it runs policies' own code, for which no other caller waits."""
    edit = editor(previous)
    return edit, follow(previous, edit, now)


def follow(
    previous: State,
    edit: Edit,
    now: float,
    *,
    key: bytes | None = None,
    plans: Mapping[str, Plan] | None = None,
) -> State:
    """The state after an edit at ``now``, with the version after; ``previous`` itself where nothing changed.

    What a policy planned for an experiment stays until it plans again, unless the edit changes what it plans
    by: then it starts anew. So it does after a pause, unless the policy ``resumes``. ``plans`` are what
    policies planned now. `ConfigurationError` where the state cannot be written.
    """
    before = previous.settings.experiments
    alike = {
        name: experiment
        for name, experiment in edit.settings.experiments.items()
        if name in before and _plans_alike(name, before[name], experiment)
    }
    planned = {
        name: standing(previous, name)
        for name, experiment in alike.items()
        if experiment.running and (previous.assigns(name) or _resumes(previous, name, experiment))
    }
    following = advance(previous, edit.settings, now, key=key, planned={**planned, **(plans or {})})
    if stale := [name for name in following.progress if name not in alike and not following.assigns(name)]:
        kept = {name: each for name, each in following.progress.items() if name not in stale}
        following = replace(following, progress=kept)
    endings = {name: ending for name, ending in edit.endings.items() if name in edit.settings.experiments}
    files = files_after(previous.files, edit.file)
    if (endings, files) != (following.endings, following.files):
        following = replace(following, version=previous.version + 1, endings=endings, files=files)
    try:
        encode_state(following)
    except (OverflowError, TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise ConfigurationError(
            f"a value cannot be kept: {error}; allowed: whole numbers below 2^63"
        ) from None
    return following


def files_after(files: Mapping[str, str], applied: AppliedFile | None) -> dict[str, str]:
    """The digests by name after a file was applied: one that replaced everything leaves no other's."""
    if applied is None:
        return dict(files)
    others = {} if applied.whole else {name: each for name, each in files.items() if name != applied.name}
    kept = list(others.items())[1 - _KEPT_FILES :]
    return {**dict(kept), applied.name: applied.digest}


def _plans_alike(name: str, before: Experiment, after: Experiment) -> bool:
    """Whether the policy plans by the same, so that it may go on from where it is."""
    if _planned_by(before) != _planned_by(after):
        return False
    # A canary does not read the weights: others must not take the traffic from one that has succeeded.
    return before.variants == after.variants or first_plan(name, before, 0.0) == first_plan(name, after, 0.0)


def _planned_by(experiment: Experiment) -> tuple[object, ...]:
    """What of an experiment its policy plans by, beside the weights."""
    # With the backends: what was found of the model behind a name says nothing of another one.
    variants = {name: variant.backend for name, variant in experiment.variants.items()}
    return experiment.policy, variants, experiment.control, experiment.salt, experiment.metrics


def _resumes(state: State, name: str, experiment: Experiment) -> bool:
    """Whether a policy goes on after a pause: a bandit must not give a harmful arm its traffic back."""
    policy = policy_of(name, experiment) if name in state.progress and name in state.epochs else None
    return bool(getattr(policy, "resumes", False))


async def commit(
    redis: Redis,
    previous: State | None,
    following: State,
    author: Author,
    now: float,
    *,
    fence: int | None = None,
) -> bool:
    """Commit a state over the previous one with its record and its line in the audit log, and log it.

    `router.store.lease.LeaseLost` where the lease is not held under ``fence``, if one is given.
    """
    entry = entry_of(author, now, status=author.status, version=following.version)
    expected = 0 if previous is None else previous.version
    record = record_of(previous, following, author, now)
    committed = await states.commit(redis, following, expected, record, entry, fence=fence)
    if committed:
        event(
            log, "committed", version=following.version, who=author.who, action=author.action, why=author.why
        )
    return committed


def record_of(previous: State | None, following: State, author: Author, now: float) -> Record:
    """The record of the version that follows: by whom, why, what is different, and the epochs it opens."""
    before = {} if previous is None else document(previous.settings, previous.endings)
    opened = {
        name: epoch
        for name, epoch in following.epochs.items()
        if previous is None or previous.epochs.get(name) != epoch
    }
    return Record(
        version=following.version,
        at=now,
        who=author.who,
        why=author.why,
        difference=difference(before, document(following.settings, following.endings)),
        epochs=opened,
        settings=following.settings,
        endings=following.endings,
        automatic=author.automatic,
    )


def entry_of(
    author: Author, now: float, *, status: int, version: int | None = None, detail: str = ""
) -> Entry:
    """An author's line in the audit log."""
    return Entry(
        at=now,
        who=author.who,
        role=author.role,
        peer=author.peer,
        action=author.action,
        target=author.target,
        why=author.why,
        status=status,
        version=version,
        detail=detail,
    )
