"""How often are a wrong split, and a canary that fails more, found; and how often is a sound one blamed?

Streams of counts looked at again and again. For two variants each test alarms beyond a count that depends on
the total only; that count is found once per look with the product's own function, then all streams are judged
at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.statistics.always_valid.sequential_multinomial import sequential_multinomial
from policies.statistics.health.sequential_srm import sequential_srm
from policies.statistics.health.srm import srm
from policies.statistics.result import NotEstimable, Test

Counts = NDArray[np.int64]

# The product's default, and others that were considered for it.
CONCENTRATIONS: Final = (10_000.0, 1000.0, 6000.0, 50_000.0)


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """The share of streams that alarm at p < 0.001: the chi-square once and at every look, the sequence.

    ``sequential`` is by the concentration of its prior. ``known`` is the likelihood ratio test that is told
    how far off the split is, only not to which side: more than any test can find that is not told.
    """

    chi_square_once: float
    chi_square_every_look: float
    sequential: dict[float, float]
    known: float


def sample_ratio(
    runs: int, seed: int, *, treatment: float = 0.5, units: int = 100_000, looks: int = 200
) -> SampleRatio:
    """``runs`` streams of ``units`` units meant for 50/50, of which ``treatment`` go to the treatment."""
    rng = np.random.default_rng(seed)
    step = units // looks
    totals = step * np.arange(1, looks + 1)
    seen = rng.binomial(step, treatment, (runs, looks)).cumsum(axis=1)

    def once(treated: int, total: int) -> bool:
        return _alarms(srm([total - treated, treated], [0.5, 0.5]), 0.001)

    def sequence(concentration: float) -> Callable[[int, int], bool]:
        def alarms(treated: int, total: int) -> bool:
            found = sequential_srm([total - treated, treated], [0.5, 0.5], concentration=concentration)
            return _alarms(found, 0.001)

        return alarms

    def ratio(share: float) -> NDArray[np.float64]:
        return np.asarray(seen * log(2.0 * share) + (totals - seen) * log(2.0 - 2.0 * share))

    fixed = _outside(seen, totals, once)
    return SampleRatio(
        chi_square_once=float(fixed[:, -1].mean()),
        chi_square_every_look=float(fixed.any(axis=1).mean()),
        sequential={k: float(_outside(seen, totals, sequence(k)).any(axis=1).mean()) for k in CONCENTRATIONS},
        known=float((np.logaddexp(ratio(0.493), ratio(0.507)) > log(2000.0)).any(axis=1).mean()),
    )


@dataclass(frozen=True, slots=True)
class Canary:
    """The share of canaries rolled back at p < 0.05, and the median number of requests until then."""

    rolled_back: float
    two_sided: float
    median_requests: float


def canary(
    runs: int, seed: int, *, ratio: float = 1.0, weight: float = 0.1, requests: int = 50_000, looks: int = 200
) -> Canary:
    """Canaries of ``weight`` of the traffic whose error rate is ``ratio`` times the others'.

    The others' error rate swings between 0.5 and 4 % during the run, which no test of rates over time allows.
    """
    rng = np.random.default_rng(seed)
    step = requests // looks
    rate = 0.0225 + 0.0175 * np.sin(np.linspace(0.0, 12.0, looks))
    sent = rng.binomial(step, weight, (runs, looks))
    bad_canary = rng.binomial(sent, np.minimum(1.0, rate * ratio)).cumsum(axis=1)
    bad_control = rng.binomial(step - sent, rate).cumsum(axis=1)
    shares = [[1.0 - weight, weight]]
    calls = np.zeros((2, runs, looks), dtype=bool)
    verdicts: dict[tuple[int, int, int], bool] = {}
    for i, sides in enumerate((1, 2)):
        for run in range(runs):
            for look in range(looks):
                key = (sides, int(bad_control[run, look]), int(bad_canary[run, look]))
                if key not in verdicts:
                    found = sequential_multinomial([key[1:]], shares, sides=sides)
                    verdicts[key] = _alarms(found, 0.05)
                if verdicts[key]:
                    calls[i, run, look] = True
                    break
    back = calls[0].any(axis=1)
    when = calls[0].argmax(axis=1)[back]
    median = float(np.median(step * (when + 1))) if back.any() else float("nan")
    return Canary(float(back.mean()), float(calls[1].any(axis=1).mean()), median)


def _alarms(found: Test | NotEstimable, alpha: float) -> bool:
    return isinstance(found, Test) and found.p_value is not None and found.p_value < alpha


def _outside(seen: Counts, totals: Counts, alarms: Callable[[int, int], bool]) -> NDArray[np.bool_]:
    """Where each stream (runs, looks) is beyond the first count that alarms; symmetric about the half."""
    apart = np.array([_first(int(total), alarms) for total in totals])
    return np.asarray(np.abs(seen - totals / 2.0) >= apart)


def _first(total: int, alarms: Callable[[int, int], bool]) -> float:
    """The least excess over half of ``total`` that alarms, by bisection; infinite for none."""
    half = total // 2
    if not alarms(total, total):
        return float("inf")
    low, high = half, total
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if alarms(middle, total) else (middle, high)
    return high - total / 2.0
