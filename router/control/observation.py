"""What does a policy see of its experiment now, without reading again what cannot have changed?

The epoch in force is read at each look. One that has ended still gets its last requests for some seconds, and
outcomes until its attribution window has passed: it is read again from time to time, less often the older it
is, and after that never.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from math import inf
from typing import Final

from redis.asyncio import Redis

from policies.policy import Policy
from policies.statistics.observed import Observed, ObservedEpoch, observe
from router.control.decisions import read_decisions
from router.control.evidence import read_evidence
from router.experiment_policy import metrics_of
from router.settings import Experiment
from router.state import Epoch

# After its end an epoch is still read at each look for so long. Then it waits for so long, or this part of
# its age, until it is final: a bandit's many epochs cost little more to look at than its last few.
SETTLING_SECONDS: Final = 15.0
AGAIN_SECONDS: Final = 30.0
_AGAIN_PART: Final = 0.1


class Observer:
    """Looks at one experiment for one policy; a changed configuration takes another observer."""

    def __init__(self, name: str, experiment: Experiment, policy: Policy) -> None:
        self._name = name
        self._experiment = experiment
        self._policy = policy
        self._ended: dict[int, tuple[float, ObservedEpoch]] = {}

    async def look(self, redis: Redis, now: float, since: float = -inf) -> Observed:
        """The epochs that began at ``since`` (unix seconds) or later; `StoreUnavailable`."""
        kept = {
            number: epoch
            for number, (read, epoch) in self._ended.items()
            if epoch.started >= since and not self._stale(epoch, read, now)
        }
        limits = self._policy.latency_limits
        evidence = await read_evidence(
            redis,
            self._name,
            self._experiment,
            now,
            only=lambda epoch, ended: epoch.started >= since and epoch.number not in kept,
            latencies=bool(limits),
        )
        seen = await asyncio.to_thread(observe, evidence, metrics_of(self._experiment), limits)

        self._remember(seen.epochs, kept.keys(), now)
        whole = {epoch.number: epoch for epoch in (*kept.values(), *seen.epochs)}
        return replace(seen, epochs=tuple(whole[number] for number in sorted(whole)))

    async def with_decisions(self, redis: Redis, observed: Observed, epoch: Epoch, now: float) -> Observed:
        """With the rewards by features of an ``epoch`` whose rule decides by them; `StoreUnavailable`."""
        assert epoch.rule is not None
        variants = [name for name, weight in epoch.weights.items() if weight > 0]
        reward = next(each for each in self._experiment.metrics if each.name == epoch.rule["metric"])
        decisions = await read_decisions(redis, self._name, epoch.rule, variants, reward.per, now)
        return replace(observed, linear=await asyncio.to_thread(decisions.sums))

    def _remember(self, seen: tuple[ObservedEpoch, ...], kept: Collection[int], now: float) -> None:
        self._ended = {number: each for number, each in self._ended.items() if number in kept}
        for epoch in seen:
            if epoch.ended is not None:
                self._ended[epoch.number] = (now, epoch)

    def _stale(self, epoch: ObservedEpoch, read: float, now: float) -> bool:
        assert epoch.ended is not None
        if read >= epoch.ended + self._experiment.attribution + SETTLING_SECONDS:
            return False
        if read < epoch.ended + SETTLING_SECONDS:
            return True
        return now - read >= max(AGAIN_SECONDS, _AGAIN_PART * (read - epoch.ended))
