"""Who lets the policies plan, and brings what they planned into force?

One of the control processes, the one that leads. At each tick it asks the policies that are due, each with
what has been seen of its experiment, and commits what has changed as one version. A plan that moves no weight
and remembers nothing new makes no version: what it says is kept beside the state, for whoever looks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from time import monotonic
from typing import Any, Final

from redis.asyncio import Redis

from policies.plan import Plan
from policies.policy import NOT_BEFORE
from policies.steering import Steered
from router.cancelling import end_all
from router.control.changes import Author, Edit, commit, follow
from router.control.leadership import Leadership
from router.control.own_thread import in_own_thread
from router.control.planning_book import PlanningBook, Said
from router.control.planning_task import Result, Task, make_task, notes_of
from router.control.webhooks import Hooks
from router.epochs import next_due, overdue
from router.errors import StoreUnavailable, TurnoutError
from router.events import event
from router.experiment_policy import first_plan
from router.in_time import PLAN_SECONDS
from router.problems import InvalidConfiguration
from router.state import State
from router.store import states
from router.store.lease import LeaseLost
from router.store.plans import PolicyStatus, save_plan, save_status

TICK_SECONDS: Final = 0.5
_AT_A_TIME: Final = 4

log = logging.getLogger("turnout.control")


class Planner:
    """Plans while ``leadership`` lasts; ``clock`` gives unix seconds."""

    def __init__(
        self,
        redis: Redis,
        leadership: Leadership,
        book: PlanningBook,
        hooks: Hooks,
        clock: Callable[[], float],
    ) -> None:
        self._redis = redis
        self._leadership = leadership
        self._book = book
        self._hooks = hooks
        self._clock = clock
        self._tasks: dict[str, Task] = {}
        self._state: State | None = None
        self._taken: State | None = None
        self._schedule_due = -inf
        self._ticked = -inf
        self._failing: dict[str, str] = {}
        # A policy that is waited for no more has left its slot: one that never returns holds nobody up.
        self._slots = asyncio.Semaphore(_AT_A_TIME)

    async def keep(self) -> None:
        """Tick again and again, until cancelled; say each change for the better or worse once."""
        try:
            while True:
                began = monotonic()
                try:
                    await self.tick()
                except StoreUnavailable:
                    self._state = None  # the watch says that it is away
                except LeaseLost:
                    self._leadership.lost()
                    self._forget()
                except Exception as error:
                    self._fail("", repr(error))
                else:
                    self._recover("")
                await asyncio.sleep(max(0.05, TICK_SECONDS - (monotonic() - began)))
        finally:
            await self._hooks.close()

    async def tick(self) -> None:
        """Plan what is due, and commit what has changed. `LeaseLost` where another process leads by now."""
        fence = self._leadership.fence
        self._book.leading = fence is not None
        if fence is None:
            self._forget()
            return
        state = await self._read()
        if state is None:
            return
        now = self._clock()
        await self._take_up(state)
        if now < self._ticked:  # the clock was set back, and harm is not to wait until it is where it was
            for task in self._tasks.values():
                task.due = -inf
        self._ticked = now
        due = [task for task in self._tasks.values() if task.due <= now and not task.busy]

        planning = [asyncio.ensure_future(self._plan(task, state, now)) for task in due]
        try:
            found = await asyncio.gather(*planning)
        finally:
            # The first that is cancelled ends the gathering, and the others would go on without it.
            await end_all(planning)
        results = {task.name: each for task, each in zip(due, found, strict=True) if each is not None}

        committed = await self._bring_into_force(state, results, now, fence)
        if committed is not None:
            await self._tell(state, committed, results, now)

    # -- what there is to plan ------------------------------------------------------------------------------

    async def _read(self) -> State | None:
        """The state in force, read again only when its version is another one."""
        if self._state is None or await states.version(self._redis) != self._state.version:
            self._state = await states.read(self._redis)
            self._schedule_due = -inf
        return self._state

    async def _take_up(self, state: State) -> None:
        """One task for each assigning experiment whose policy plans by itself."""
        if state is self._taken:
            return
        wanted = {name: each for name, each in state.settings.experiments.items() if state.assigns(name)}
        tasks = {}
        for name, experiment in wanted.items():
            task = self._tasks.get(name)
            if task is not None and task.experiment == experiment:
                tasks[name] = task
                if task.known != state.progress.get(name):
                    task.due = -inf  # an operator said something, which is not to wait
                    task.known = state.progress.get(name)
                continue
            try:
                made = await make_task(name, experiment)
            except (TurnoutError, ValueError) as error:  # a policy that was installed, and is no longer
                self._fail(name, str(error))
                continue
            if made is not None:
                made.known = state.progress.get(name)
                made.due = notes_of(made.known).get(NOT_BEFORE, -inf)
                tasks[name] = made
        for name in self._tasks.keys() - tasks.keys():
            self._hooks.forget(name)
        self._tasks, self._taken = tasks, state
        self._book.keep(tasks.keys())

    def _forget(self) -> None:
        """Another process leads: whatever is remembered here is old when this one leads again."""
        for name in self._tasks:
            self._hooks.forget(name)
        self._tasks, self._taken, self._state = {}, None, None
        self._book.leading = False
        self._book.keep(())

    async def _plan(self, task: Task, state: State, now: float) -> Result | None:
        """What a policy plans; None, and an event, where it cannot."""
        assert task.policy.interval is not None
        # Half a tick early is nearer to being in time than half a tick late.
        task.due = now + task.policy.interval - TICK_SECONDS / 2
        try:
            answers = self._hooks.answers(task.name)
            result = await task.plan(self._redis, self._slots, state, now, answers)
        except StoreUnavailable:  # no fault of the policy's: the watch says it, and it is asked again at once
            task.due = now
            return None
        except Exception as error:  # whatever a policy does, the others go on
            self._fail(task.name, str(error) if isinstance(error, TurnoutError) else repr(error))
            return None
        self._recover(task.name)
        task.due = max(task.due, result.plan.progress.get(NOT_BEFORE, -inf))
        return result

    # -- into force -----------------------------------------------------------------------------------------

    async def _bring_into_force(
        self, state: State, results: Mapping[str, Result], now: float, fence: int
    ) -> State | None:
        """The state that follows, committed where it differs; None where another change came first."""
        plans = {name: each.plan for name, each in results.items() if _moves(state, name, each.plan)}
        following = await self._following(state, plans, now)
        if following is state:
            return state
        for name in plans:
            if following.epochs[name] != state.epochs[name]:
                await save_plan(self._redis, results[name].record, following.epochs[name].started)
        why = "; ".join(f"{name}: {plan.why}" for name, plan in plans.items()) or "a schedule"
        author = Author(
            who="planner",
            role="",
            peer="",
            action="plan",
            target=", ".join(plans) or "schedule",
            why=why[:500],
            automatic=True,
        )
        self._state = None
        if not await commit(self._redis, state, following, author, now, fence=fence):
            for name in plans:
                self._tasks[name].due = now
            return None
        self._state = following
        for name, plan in plans.items():
            self._tasks[name].known = following.progress.get(name)
            if following.epochs[name] != state.epochs[name]:
                self._book.opened(name)
            event(log, "planned", experiment=name, epoch=following.epochs[name].number, why=plan.why)
        return following

    async def _following(self, state: State, plans: Mapping[str, Plan], now: float) -> State:
        scheduled = now >= self._schedule_due
        self._schedule_due = next_due(state, now)
        if not plans and not scheduled:
            return state
        edit = Edit(state.settings, state.endings)
        following = await in_own_thread(partial(follow, state, edit, now, plans=plans), "follow")
        for name in overdue(following, now):
            self._schedule_due = min(self._schedule_due, now + PLAN_SECONDS)
            experiment = following.settings.experiments[name]
            try:
                await in_own_thread(partial(first_plan, name, experiment, now), f"begin {name}")
            except InvalidConfiguration as error:
                self._fail(name, str(error))
        return following

    async def _tell(self, before: State, after: State, results: Mapping[str, Result], now: float) -> None:
        """What the policies said, to whoever looks and to the webhooks."""
        for name, result in results.items():
            if not after.assigns(name):
                continue
            task, plan = self._tasks[name], result.plan
            said = Said(task.policy.kind, now, task.due, plan)
            turned = self._book.say(name, said, before.progress.get(name))
            if isinstance(task.policy, Steered):
                self._hooks.follow(name, task.policy.webhooks, plan)
                if turned:
                    self._hooks.announce(name, task.policy.webhooks, plan, now)
            status = PolicyStatus(
                epoch=after.epochs[name].number,
                at=now,
                due=task.due,
                why=plan.why,
                findings=dict(plan.findings),
            )
            await save_status(self._redis, name, status)

    # -- what goes wrong ------------------------------------------------------------------------------------

    def _fail(self, name: str, text: str) -> None:
        """Say it once, until it is another fault or well again."""
        self._book.failed(name)
        if self._failing.get(name) != text:
            self._failing[name] = text
            about = {"experiment": name} if name else {}
            event(log, "plan_failed" if name else "planner_failed", logging.ERROR, **about, detail=text)

    def _recover(self, name: str) -> None:
        if self._failing.pop(name, None) is not None and name:
            event(log, "plan_well", experiment=name)


def _moves(state: State, name: str, plan: Plan) -> bool:
    """Whether a plan is another one than that in force, or remembers something else."""
    said = notes_of(state.progress.get(name))
    return plan != _said_by(state, name, plan) or _lasting(said) != _lasting(plan.progress)


def _lasting(notes: Mapping[str, Any]) -> dict[str, Any]:
    """Without when to ask again: this process remembers it, and one that follows may well ask sooner."""
    return {name: each for name, each in notes.items() if name != NOT_BEFORE}


def _said_by(state: State, name: str, plan: Plan) -> Plan:
    """The plan in force, saying what this one says."""
    now = state.epochs[name].plan
    return Plan(now.salt, now.weights, now.copies, now.draw, now.rule, plan.why, plan.findings, plan.progress)


async def keep_planning(
    redis: Redis, leadership: Leadership, book: PlanningBook, clock: Callable[[], float]
) -> None:
    """Plan while this process leads, until cancelled."""
    hooks = Hooks()
    await Planner(redis, leadership, book, hooks, clock).keep()
