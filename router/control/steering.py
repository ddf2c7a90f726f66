"""How does an operator's word reach a policy: confirm, promote, abort?

The policy plans by it at once, without evidence, and what it plans is committed with the word; so it does not
wait for a leader, and does not need one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from redis.asyncio import Redis

from policies.plan import Plan
from policies.steering import Steered, Word
from router.control.changes import Author, commit, read_state
from router.control.edits import Conflict, experiment_of
from router.control.own_thread import in_own_thread
from router.control.plan_records import compute, record_of
from router.epochs import advance, standing
from router.experiment_policy import policy_of
from router.state import State
from router.store.plans import save_plan


async def tell(redis: Redis, name: str, word: Word, author: Author, clock: Callable[[], float]) -> State:
    """The state after a word; `Conflict` where the experiment's policy takes none, or not now."""
    while True:
        previous = await read_state(redis)
        now = clock()
        plan, given = await in_own_thread(partial(_planned, previous, name, word, now), f"tell {name}")
        others = {each: standing(previous, each) for each in previous.epochs if previous.assigns(each)}
        following = advance(previous, previous.settings, now, planned={**others, name: plan})
        if following is previous:
            return previous

        epoch = following.epochs[name]
        if epoch != previous.epochs[name]:
            experiment = previous.settings.experiments[name]
            record = record_of(name, experiment, epoch.number, now, given, None, None, plan)
            await save_plan(redis, record, epoch.started)
        if await commit(redis, previous, following, author, now):
            return following


def _planned(state: State, name: str, word: Word, now: float) -> tuple[Plan, Mapping[str, Any]]:
    """What the policy plans after the word, and the progress that it was given."""
    experiment = experiment_of(state, name)
    policy = policy_of(name, experiment)
    if not isinstance(policy, Steered):
        raise Conflict(
            f"experiment {name!r} has a policy of kind {policy.kind!r}, which takes no word from operators; "
            "allowed: a canary's"
        )
    progress = state.progress.get(name)
    if not state.assigns(name) or progress is None:
        raise Conflict(f"experiment {name!r} assigns nobody now; allowed: one that runs and is due")
    try:
        given = policy.told(word, progress.notes, now)
    except ValueError as error:
        raise Conflict(f"experiment {name!r}: {error}") from None
    return compute(policy, None, now, None, given), given
