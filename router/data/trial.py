"""What does a request need to know of a running experiment?

Built from a state, and used again in the next snapshot where nothing that it was built from has changed: a
new plan of one experiment costs the others nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from policies.assignment import bucket_prefix
from policies.plan import Plan
from router.audience import Gate, forced_units, gate_of
from router.condition import Condition, compiled
from router.data.audience_rule import Rule
from router.data.context import Context, read_headers, reads_body
from router.data.decision_log import DecisionLog
from router.data.pool import Pool
from router.data.recorder import Recorder
from router.data.tallies import Accumulator, Tally
from router.data.unit import Extractor, capture, captures, extractor, needs_body
from router.data.wire import CAPTURE, REQUEST_KINDS
from router.settings import Experiment
from router.state import Epoch, State
from router.token import Signer


@dataclass(frozen=True, slots=True)
class Slot:
    """One variant of a running experiment: where its requests go, and how they are signed and recorded.

    ``fallback`` is the same variant, served by another backend: who signs and counts is the variant assigned.
    """

    variant: str
    pool: Pool
    signer: Signer
    accumulator: Accumulator
    forced: Tally
    headers: bytes
    log: DecisionLog | None = None
    fallback: Slot | None = None


@dataclass(frozen=True, slots=True)
class Audience:
    """Who takes part: ``forced`` are the units whose variant was written down."""

    gate: Gate
    rule: Rule | None
    forced: Mapping[bytes, str]

    @property
    def everybody(self) -> bool:
        """Whether there is nothing to ask."""
        return not self.gate.bounds and self.rule is None and not self.forced


@dataclass(frozen=True, slots=True)
class Trial:
    """A running experiment, as a request needs it.

    ``plain``: the unit alone decides. ``context`` does where a request's own features do.
    """

    name: str
    plan: Plan
    bucket_prefix: bytes
    slots: Mapping[str, Slot]
    unit_of: Extractor
    needs_body: bool
    cookie: Callable[[bytes], bytes] | None
    audience: Audience
    plain: bool = True
    context: Context | None = None


Trials = dict[tuple[str, str], Trial]
"""By experiment and route; the empty route is for those who ask without a request."""


def captured_headers(state: State, before: Mapping[bytes, int]) -> dict[bytes, int]:
    """The headers of which requests keep the value, each under its number; ``before``: where it had one."""
    wanted = dict(REQUEST_KINDS)
    for name, experiment in state.settings.experiments.items():
        captures(experiment.unit, wanted)
        if not state.assigns(name):
            continue
        condition = _condition(experiment)
        rule = state.epochs[name].rule
        headers = [] if condition is None else [each for each in condition.headers if each != "host"]
        for header in headers if rule is None else [*headers, *read_headers(rule)]:
            capture(header, wanted)
    read = [each for each, kind in wanted.items() if kind >= CAPTURE]
    numbers = {each: before[each] for each in read if each in before}
    following = max([CAPTURE - 1, *numbers.values()]) + 1
    for each in read:
        if each not in numbers:
            numbers[each] = following
            following += 1
    return numbers


class TrialBuilder:
    """Builds the trials of one state, or takes those that were built before."""

    def __init__(
        self,
        state: State,
        pools: Mapping[str, Pool],
        recorder: Recorder,
        kinds: Mapping[bytes, int],
        before: State | None,
        trials: Trials,
    ) -> None:
        """``trials`` are those of the state ``before``, built with the same numbers in ``kinds``."""
        self._state = state
        self._pools = pools
        self._recorder = recorder
        self._kinds = kinds
        self._before = before
        self._trials = trials
        # Compared as a whole at first: a new plan changes no setting.
        self._same_settings = before is not None and before.settings == state.settings
        self.built: Trials = {}

    def trial(self, name: str, route: str) -> Trial:
        """A running experiment on one of its routes."""
        found = self._trials.get((name, route))
        if found is None or not self._same(name, found):
            found = self._build(name, route)
        self.built[name, route] = found
        return found

    def _same(self, name: str, trial: Trial) -> bool:
        """Whether nothing has changed that a trial is built from."""
        before, state = self._before, self._state
        if before is None or before.epochs[name] != state.epochs[name] or before.key != state.key:
            return False
        if self._same_settings:
            return True
        old, new = before.settings, state.settings
        slots = [each for slot in trial.slots.values() for each in (slot, slot.fallback) if each is not None]
        return (
            old.experiments[name] == new.experiments[name]
            and old.limits.json_prefix == new.limits.json_prefix
            and trial.audience.gate == gate_of(new, name)
            and all(self._pools.get(slot.pool.name) is slot.pool for slot in slots)
        )

    def _build(self, name: str, route: str) -> Trial:
        experiment, epoch = self._state.settings.experiments[name], self._state.epochs[name]
        json_prefix = self._state.settings.limits.json_prefix
        plan = epoch.plan
        decisions = context = rule = None
        if plan.rule is not None:
            decisions = self._recorder.decision_log(name, plan.rule["keep"])
            context = Context(plan, self._kinds, json_prefix, decisions)
        condition = _condition(experiment)
        if condition is not None:
            rule = Rule(name, condition, self._kinds, json_prefix, self._recorder.meter.undecided)
        reason = plan.arms[0].decision.reason if rule is None else "targeting_match"
        cookie = experiment.cookie
        return Trial(
            name=name,
            plan=plan,
            bucket_prefix=bucket_prefix(epoch.salt),
            slots={variant: self._slot(name, route, variant, reason, decisions) for variant in epoch.weights},
            unit_of=extractor(experiment.unit, self._kinds, json_prefix),
            needs_body=needs_body(experiment.unit)
            or (plan.rule is not None and reads_body(plan.rule))
            or (rule is not None and rule.needs_body),
            cookie=None if cookie is None else _cookie_line(cookie.name, int(cookie.max_age), cookie.secure),
            audience=Audience(gate_of(self._state.settings, name), rule, forced_units(experiment)),
            plain=context is None and plan.draw == "unit",
            context=context,
        )

    def _slot(self, name: str, route: str, variant: str, reason: str, decisions: DecisionLog | None) -> Slot:
        experiment, epoch = self._state.settings.experiments[name], self._state.epochs[name]
        signer = Signer(self._state.key, name, epoch.number, variant)
        headers = f"x-turnout-variant: {variant}\r\n".encode() if experiment.expose_variant else b""

        def served_by(backend: str, fallback: Slot | None) -> Slot:
            return Slot(
                variant=variant,
                pool=self._pools[backend],
                signer=signer,
                accumulator=self._recorder.accumulator(name, epoch.number, variant, route, backend, reason),
                forced=self._recorder.tally(route, name, variant, backend, "forced"),
                headers=headers,
                log=decisions,
                fallback=fallback,
            )

        backend = _backend(experiment, epoch, variant)
        other = None if experiment.fallback is None else experiment.variants[experiment.fallback].backend
        return served_by(backend, None if other is None or other == backend else served_by(other, None))


def _backend(experiment: Experiment, epoch: Epoch, variant: str) -> str:
    """A copy is served by its original's backend."""
    return experiment.variants[epoch.copies.get(variant, variant)].backend


def _condition(experiment: Experiment) -> Condition | None:
    when = experiment.audience.when
    return None if when is None else compiled(when)


def _cookie_line(name: str, max_age: int, secure: bool) -> Callable[[bytes], bytes]:
    before = f"set-cookie: {name}=".encode()
    after = f"; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}\r\n".encode()
    return lambda unit: before + unit + after
