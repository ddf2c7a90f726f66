"""Which weights follow from the evidence, and do they go into force now?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum
from typing import Any, Final

import numpy as np

from policies.bandit.bandit import Bandit
from policies.bandit.beliefs import Beliefs, beliefs, discounts
from policies.bandit.cells import Cells
from policies.bandit.guardrails import harmful, still_out, unjudged
from policies.bandit.inference import against_control, expected_regret, likelihood_ratio
from policies.bandit.memory import Memory, moved_share, shares
from policies.bandit.parameters import BanditParameters
from policies.plan import Plan
from policies.statistics.bayes.thompson import with_floor
from policies.statistics.observed import Observed, ObservedEpoch
from policies.statistics.result import NotEstimable

_AGE_PER_GAP: Final = 200.0
_GAPS_PER_HALF_LIFE: Final = 8.0
_EPOCHS_PER_HALF_LIFE: Final = 4.0
_PUNCTUAL: Final = 0.95  # of the gap: a planner's tick that comes a little early is not put off to the next
_CLOCK: Final = 1e-3


@dataclass(frozen=True, slots=True)
class _Target:
    """The shares to come, by variant, None where there is nothing to go by yet; and why, in words."""

    weights: Mapping[str, float] | None
    why: str
    winner: str | None = None


def next_plan(bandit: Bandit, observed: Observed, now: float, progress: Mapping[str, Any]) -> Plan:
    """The plan from ``now`` on; the weights in force where nothing is to be changed."""
    memory = _recalled(bandit, observed, progress, now)
    epochs = [each for each in observed.epochs if each.ended is None or each.ended > memory.began + _CLOCK]
    live = [name for name, weight in bandit.allocation.weights.items() if weight > 0]
    out = still_out(memory.out, harmful(epochs, bandit.allocation, bandit.guardrails, live), live)
    arms = [name for name in live if name not in out]

    name = bandit.metric.name
    cells = Cells.of(epochs, live, lambda variant: variant.metrics.get(name))
    staying = cells.of_arms([live.index(arm) for arm in arms])
    found = beliefs(staying, bandit.metric, bandit.parameters.baseline, _ages(bandit, epochs, now))
    target = _unwatched(bandit, epochs, arms) or _target(bandit, memory, arms, staying, found)

    memory = replace(memory, out=out, winner=target.winner)
    weights, kept = _weights_now(bandit, memory, target, epochs, now)
    if not kept:
        memory = replace(memory, moved=now, weights=weights)
    why = "; ".join(text for text in (target.why, *(f"{arm} is out" for arm in out), kept) if text)
    findings = {
        "metric": name,
        "baseline": bandit.parameters.baseline,
        "units": dict(zip(live, _sums(cells), strict=True)),
        "immature_share": _immature(epochs, live),
        "out": dict(out),
        "winner": target.winner,
        **_of_beliefs(found, arms, staying, bandit),
        "batched_ols": against_control(
            cells, live, bandit.allocation.control, bandit.metric.kind == "binary"
        ),
    }
    return Plan(
        bandit.allocation.salt,
        dict(memory.weights),
        draw=bandit.parameters.draw,
        why=why,
        findings=findings,
        progress=memory.progress(),
    )


def _recalled(bandit: Bandit, observed: Observed, progress: Mapping[str, Any], now: float) -> Memory:
    """What the last plan left; without it, as if the experiment had been a bandit from its first epoch on."""
    if progress:
        return Memory.read(progress, bandit.allocation.weights, now)
    last = observed.epochs[-1]
    weights = {name: last.weights.get(name, 0.0) for name in bandit.allocation.weights}
    usable = fsum(weights.values()) > 0
    return Memory(observed.epochs[0].started, last.started, weights if usable else bandit.allocation.weights)


def _ages(bandit: Bandit, epochs: Sequence[ObservedEpoch], now: float) -> Any:
    half_life = bandit.parameters.discount
    if half_life is None:
        return None
    ages = [0.0 if each.ended is None else max(now - each.ended, 0.0) for each in epochs]
    return discounts(ages, half_life.total_seconds())


def _unwatched(bandit: Bandit, epochs: Sequence[ObservedEpoch], arms: Sequence[str]) -> _Target | None:
    """Nothing to go by while a guardrail cannot judge yet: what moves before might never let it.

    However few ``min_units`` are: an arm with a good reward and many errors takes the traffic of the control
    that its errors would be compared with.
    """
    if len(arms) == 1:
        return None
    lacking = unjudged(epochs, bandit.allocation, bandit.guardrails, arms)
    if not lacking:
        return None
    waiting = ", ".join(
        f"{units:.0f} more of {arm} with {metric}" for arm, (units, metric) in lacking.items()
    )
    return _Target(None, f"waits until its guardrails can judge: {waiting}")


def _target(
    bandit: Bandit, memory: Memory, arms: Sequence[str], cells: Cells, found: Beliefs | NotEstimable
) -> _Target:
    if len(arms) == 1:
        return _Target(_named(bandit, arms, [1.0]), f"{arms[0]} is the only arm")
    missing = {
        arm: bandit.parameters.min_units - units
        for arm, units in zip(arms, _sums(cells), strict=True)
        if units < bandit.parameters.min_units
    }
    if missing:
        waiting = ", ".join(f"{number:.0f} more of {arm}" for arm, number in missing.items())
        return _Target(None, f"waits for units: {waiting}")
    if isinstance(found, NotEstimable):
        return _Target(None, f"waits: {found.reason}")
    winner = _winner(bandit, memory, arms, found)
    best = int(np.argmax(found.chances.best))
    why = f"{arms[best]} is the best with probability {found.chances.best[best]:.3g}"
    if winner is not None:
        why = f"{winner} is the best, with confidence {bandit.parameters.confidence:g}"
        if bandit.stop == "hold":
            return _Target(None, why, winner)
    committed = winner is not None and bandit.stop == "commit"
    chosen = [float(arm == winner) for arm in arms] if committed else bandit.shares(found)
    return _Target(_named(bandit, arms, with_floor(chosen, bandit.floor / len(arms))), why, winner)


def _winner(bandit: Bandit, memory: Memory, arms: Sequence[str], found: Beliefs) -> str | None:
    """The arm that is the best with the confidence asked for; in kinds that stop, the first one stays."""
    if bandit.stop is not None and memory.winner in arms:
        return memory.winner
    ratio = likelihood_ratio(found, bandit.parameters.confidence)
    if ratio is None:
        return None
    leader, statistic, threshold = ratio
    return arms[leader] if statistic > threshold else None


def _weights_now(
    bandit: Bandit, memory: Memory, target: _Target, epochs: Sequence[ObservedEpoch], now: float
) -> tuple[dict[str, float], str]:
    """The weights from ``now`` on, and why they are those in force, empty where they are not."""
    current = dict(memory.weights)
    if any(current.get(name, 0.0) > 0 for name in memory.out):
        # Harm waits for nothing.
        rest = {name: 0.0 if name in memory.out else weight for name, weight in current.items()}
        usable = fsum(rest.values()) > 0
        return dict(target.weights or (shares(rest) if usable else _evenly(bandit, memory.out))), ""
    if target.weights is None:
        return current, "weights stay"
    parameters = bandit.parameters
    gap = least_gap(parameters, now - memory.began)
    half_life = parameters.discount
    stale = half_life is not None and now - memory.moved >= half_life.total_seconds() / _EPOCHS_PER_HALF_LIFE
    if now - memory.moved < _PUNCTUAL * gap:
        return current, f"weights stay for {gap:.0f} s"
    change = moved_share(current, target.weights)
    if change > 0.0 and (stale or change >= parameters.step):
        return dict(target.weights), ""
    if stale:
        return _rescaled(current), ""
    return current, f"weights stay: a change of {change:.2g} is below the step"


def least_gap(parameters: BanditParameters, age: float) -> float:
    """The least time from one change of weights to the next, in seconds, for a bandit of this age (seconds).

    Where evidence is discounted it stops growing at a share of the half-life: evidence ages by epochs.

    >>> least_gap(BanditParameters(), 3600.0), least_gap(BanditParameters(), 86_400.0)
    (60.0, 432.0)
    """
    every = parameters.every.total_seconds()
    gap = max(every, age / _AGE_PER_GAP)
    if parameters.discount is None:
        return gap
    return min(gap, max(every, parameters.discount.total_seconds() / _GAPS_PER_HALF_LIFE))


def _rescaled(current: Mapping[str, float]) -> dict[str, float]:
    """The same shares at another scale, in percent or not: no unit moves, and a new epoch starts.

    Evidence ages by epochs, so that one in which nothing is to be changed must end, too.
    """
    scale = 1.0 if fsum(current.values()) > 1.5 else 100.0
    return {name: scale * share for name, share in shares(current).items()}


def _evenly(bandit: Bandit, out: Mapping[str, str]) -> dict[str, float]:
    weights = bandit.allocation.weights
    return shares({name: 0.0 if name in out else weight for name, weight in weights.items()})


def _named(bandit: Bandit, arms: Sequence[str], weights: Sequence[float]) -> dict[str, float]:
    """By variant, 0 for those that are paused or out."""
    some = dict(zip(arms, weights, strict=True))
    return {name: some.get(name, 0.0) for name in bandit.allocation.weights}


def _of_beliefs(
    found: Beliefs | NotEstimable, arms: Sequence[str], cells: Cells, bandit: Bandit
) -> dict[str, Any]:
    if isinstance(found, NotEstimable):
        return {"reason": found.reason}
    confidence = bandit.parameters.confidence
    ratio = likelihood_ratio(found, confidence)
    intervals = [list(pair) for pair in found.intervals(confidence)]
    return {
        "probability_best": dict(zip(arms, found.chances.best.tolist(), strict=True)),
        "means": dict(zip(arms, found.reported_means(), strict=True)),
        "intervals": dict(zip(arms, intervals, strict=True)),
        "effective_units": dict(zip(arms, found.effective.tolist(), strict=True)),
        "confidence": confidence,
        "likelihood_ratio": None if ratio is None else {"least": ratio[1], "needed": ratio[2]},
        "regret": expected_regret(found, cells.count.sum(axis=0)),
    }


def _sums(cells: Cells) -> list[float]:
    return [float(each) for each in cells.units.sum(axis=0)]


def _immature(epochs: Sequence[ObservedEpoch], live: Sequence[str]) -> float:
    """The share of the requests whose outcomes may still come."""
    seen = [epoch.variants[name] for epoch in epochs for name in live if name in epoch.variants]
    requests = fsum(each.requests for each in seen)
    return fsum(each.immature_requests for each in seen) / requests if requests else 0.0
