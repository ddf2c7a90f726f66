"""How does one experiment's policy make its next plan?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from math import inf
from typing import Any, TypeVar

from redis.asyncio import Redis

from policies.plan import Plan
from policies.policy import Policy
from policies.steering import SERVICE, Steered
from router.control.own_thread import in_own_thread
from router.control.plan_records import compute, record_of, seed_of
from router.errors import TurnoutError
from router.experiment_policy import check_plan, policy_of
from router.in_time import PLAN_SECONDS
from router.settings import Experiment
from router.state import Progress, State
from router.store.plans import PlanRecord

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Result:
    """What a policy planned, and the record of it, should it open an epoch."""

    plan: Plan
    record: PlanRecord


class Task:
    """A policy while this process leads; made anew when its experiment is another one.

    It is ``due`` at unix seconds; ``known`` is the progress in force that this process has seen or made.
    """

    def __init__(self, name: str, experiment: Experiment, policy: Policy, observer: Any) -> None:
        self.name = name
        self.experiment = experiment
        self.policy = policy
        self.due = -inf
        self.known: Progress | None = None
        self._observer = observer
        self._running: asyncio.Future[Any] | None = None
        # For a steered policy: by epoch and variant the requests that were counted, and when they last grew.
        self._arrived: dict[tuple[int, str], int] = {}
        self._last_request: dict[str, float] = {}

    @property
    def busy(self) -> bool:
        """Whether a plan that was waited for no more is still being made."""
        return self._running is not None

    async def plan(
        self, redis: Redis, slots: asyncio.Semaphore, state: State, now: float, answers: Mapping[str, bool]
    ) -> Result:
        """What the policy plans at ``now``, when a slot is free; raises whatever it or the store does."""
        epoch = state.epochs[self.name]
        notes = notes_of(state.progress.get(self.name))
        since = getattr(self.policy, "since", None)
        began = -inf if since is None else float(await self._in_time(slots, partial(since, notes)))
        observed = await self._observer.look(redis, now, began)
        if epoch.rule is not None:
            observed = await self._observer.with_decisions(redis, observed, epoch, now)

        seed = seed_of(self.name, epoch.number, now)
        given = self._given(notes, observed, now, answers)
        plan = await self._in_time(slots, partial(compute, self.policy, observed, now, seed, given))
        check_plan(self.name, plan, self.experiment)
        record = partial(
            record_of, self.name, self.experiment, epoch.number + 1, now, given, observed, seed, plan
        )
        return Result(plan, await asyncio.to_thread(record))

    async def _in_time(self, slots: asyncio.Semaphore, job: Callable[[], _T]) -> _T:
        async with slots:
            running = in_own_thread(job, f"plan {self.name}")
            self._running = running
            running.add_done_callback(self._done)
            try:
                return await asyncio.wait_for(asyncio.shield(running), PLAN_SECONDS)
            except TimeoutError:
                raise TurnoutError(f"the policy has been planning for {PLAN_SECONDS:g} s") from None

    def _done(self, running: asyncio.Future[Any]) -> None:
        self._running = None
        if not running.cancelled():
            running.exception()  # was given to whoever waited, if anybody still did

    def _given(
        self, notes: Mapping[str, Any], observed: Any, now: float, answers: Mapping[str, bool]
    ) -> dict[str, Any]:
        """The progress that the policy is given: its notes, and for a steered one what the service knows."""
        if not isinstance(self.policy, Steered):
            return dict(notes)
        for epoch in observed.epochs[-1:]:
            for variant, each in epoch.variants.items():
                if each.requests > self._arrived.get((epoch.number, variant), 0):
                    self._arrived[epoch.number, variant] = each.requests
                    self._last_request[variant] = now
        known = {"answers": dict(answers), "last_request": dict(self._last_request)}
        return {**notes, SERVICE: known}


async def make_task(name: str, experiment: Experiment) -> Task | None:
    """The task of an experiment; None where only an operator moves its weights.

    `router.problems.InvalidConfiguration` where its policy was installed, and is no longer.
    """
    policy = await in_own_thread(partial(policy_of, name, experiment), f"make {name}")
    if policy.interval is None:
        return None
    # Brings numpy and scipy, which takes a second of the loop's time anywhere but in a thread.
    observation = await asyncio.to_thread(import_module, "router.control.observation")
    return Task(name, experiment, policy, observation.Observer(name, experiment, policy))


def notes_of(progress: Progress | None) -> Mapping[str, Any]:
    """What a policy noted; nothing where it has not planned."""
    return {} if progress is None else progress.notes
