"""How soon is a failing candidate rolled back, and how often a healthy one, if it is looked at every second?

The real policy, on synthetic users: each has a place in the split, asks as often as its activity says, and
some fail whatever answers them. Beside it a canary of the usual kind: it fails when the candidate's share of
errors in the last interval is above a threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.canary.parameters import CanaryParameters, Step
from policies.kinds.canary import Canary
from policies.policy import Allocation
from policies.statistics.evidence import BucketSums
from policies.statistics.means import Mean
from policies.statistics.observed import Observed, ObservedEpoch, ObservedMetric, ObservedVariant

BUCKETS = 1024


@dataclass(frozen=True, slots=True)
class World:
    """``rate`` requests a second by so many users; shares of errors; and users of whom all requests fail.

    ``drift`` multiplies both shares of errors by 1 to 1 + drift, there and back every two minutes. So many
    ``heavy_users`` make half of the requests; ``failing_heavy_users`` are some of them, and always fail.
    """

    rate: float = 200.0
    users: int = 5000
    control_errors: float = 0.001
    candidate_errors: float = 0.001
    failing_users: int = 0
    drift: float = 0.0
    heavy_users: int = 0
    failing_heavy_users: int = 0


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a rollout went: its last phase, after how many seconds of the candidate's traffic that was, and the
    requests that the candidate had until then.
    """

    phase: str
    seconds: float
    candidate_requests: int


@dataclass(slots=True)
class _Slice:
    """What one variant has had in one epoch."""

    requests: NDArray[np.int64]
    errors: NDArray[np.int64]
    seen: NDArray[np.bool_]

    @classmethod
    def empty(cls, users: int) -> _Slice:
        return cls(np.zeros(BUCKETS, np.int64), np.zeros(BUCKETS, np.int64), np.zeros(users, bool))

    def add(self, users: NDArray[np.int64], failed: NDArray[np.bool_]) -> None:
        buckets = users % BUCKETS
        self.requests += np.bincount(buckets, minlength=BUCKETS)
        if failed.any():
            self.errors += np.bincount(buckets[failed], minlength=BUCKETS)
        self.seen[users] = True

    def observed(self) -> ObservedVariant:
        sums = BucketSums(self.requests, self.errors)
        total = int(self.requests.sum())
        errors = ObservedMetric(Mean.of_buckets(sums), float(total), float(self.errors.sum()))
        return ObservedVariant(float(np.count_nonzero(self.seen)), total, 0, errors, {}, {})


def traffic(world: World, seconds: int, rng: np.random.Generator) -> Iterator[Any]:
    """Each second's users, their places in the split, and the draws that decide who fails."""
    activity = rng.gamma(0.5, 1.0, world.users)
    place = rng.random(world.users)
    failing = np.zeros(world.users, bool)
    failing[rng.choice(world.users, world.failing_users, replace=False)] = True
    if world.heavy_users:
        heavy = np.arange(world.users) < world.heavy_users
        activity[heavy] *= activity[~heavy].sum() / activity[heavy].sum()
        failing[: world.failing_heavy_users] = True
    edges = np.cumsum(activity / activity.sum())
    for second in range(seconds):
        users = np.searchsorted(edges, rng.random(rng.poisson(world.rate))).clip(max=world.users - 1)
        scale = 1.0 + world.drift * abs((second / 60.0) % 2.0 - 1.0)
        yield users, place[users], np.where(failing[users], 0.0, rng.random(len(users)) / scale)


def rollout(world: World, parameters: CanaryParameters, seconds: int, seed: int) -> Rollout:
    """One canary, planned at its interval of whole seconds, until it fails or succeeds, or for so long."""
    policy = Canary(Allocation("s", {"champion": 50.0, "candidate": 50.0}, "champion"), parameters)
    control = parameters.baseline or "champion"
    plan = policy.plan(None, 0.0, None, {})
    weights: Mapping[str, float] = plan.weights
    slices: dict[str, _Slice] = {}
    over: list[ObservedEpoch] = []
    since = 0.0
    had = 0
    rng = np.random.default_rng(seed)
    now = began = 0.0
    interval = parameters.interval.total_seconds()
    for users, place, draw in traffic(world, seconds, rng):
        now += 1.0
        low, high = weights["candidate"] / 100, 1.0 - weights[control] / 100
        of_slice = (place >= high) & (place >= low)
        for name, chosen, share in (
            ("candidate", place < low, world.candidate_errors),
            ("champion", (place >= low) & ~of_slice, world.control_errors),
            (control, of_slice, world.control_errors),
        ):
            if chosen.any():
                if name not in slices:
                    slices[name] = _Slice.empty(world.users)
                slices[name].add(users[chosen], draw[chosen] < share)
        had += int((place < low).sum())
        if now % interval:
            continue
        observed = {name: each.observed() for name, each in slices.items()}
        epoch = ObservedEpoch(len(over) + 1, since, None, weights, observed)
        plan = policy.plan(Observed("e", "champion", (*over, epoch)), now, None, plan.progress)
        if plan.weights != weights:
            over.append(epoch)
            began = began or now
            weights, slices, since = plan.weights, {}, now
        if plan.findings["phase"] in ("Failed", "Promoting"):
            break
    return Rollout(str(plan.findings["phase"]), now - began, had)


def rollouts(runs: int, world: World, parameters: CanaryParameters, seconds: int) -> list[Rollout]:
    """So many canaries, each with a seed of its own."""
    return [rollout(world, parameters, seconds, seed) for seed in range(runs)]


def threshold_failures(
    runs: int, world: World, *, seconds: int, threshold: float = 0.01, interval: int = 5, tolerated: int = 5
) -> float:
    """The share of canaries that fail because the candidate's share of errors was above a threshold.

    In ``tolerated`` intervals, as Flagger counts them: over the whole analysis. At 5 % of the traffic.
    """
    failed = 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        checks = requests = errors = 0
        for second, (_, place, draw) in enumerate(traffic(world, seconds, rng), 1):
            chosen = place < 0.05
            requests += int(chosen.sum())
            errors += int((draw[chosen] < world.candidate_errors).sum())
            if second % interval == 0:
                checks += requests > 0 and errors / requests > threshold
                requests = errors = 0
        failed += checks >= tolerated
    return failed / runs


def steps_of(*weights: float, seconds: float = 60, units: int = 100) -> tuple[Step, ...]:
    """Steps of one length."""
    return tuple(Step(weight, timedelta(seconds=seconds), units) for weight in weights)
