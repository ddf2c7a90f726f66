"""How often does each test call a difference, looking once, ten times, or two hundred times?

Two variants of a 10 % rate (the treatment's raised by ``lift``), 20,000 units each. What is counted are false
positives for ``lift`` 0, otherwise power.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from policies.statistics.always_valid.asymptotic import critical_value
from policies.statistics.always_valid.msprt import msprt
from policies.statistics.planned.group_sequential import group_sequential, pocock_constant
from policies.statistics.result import Estimate

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Peeking:
    """The share of runs in which each way of looking called a difference, and when the sequence stopped."""

    one_look: float
    peeked_10: float
    peeked_200: float
    asymptotic_5000: float
    asymptotic_20000: float
    one_sided_20000: float
    msprt: float
    obrien_fleming_10: float
    pocock_10: float
    mean_stop: float


def peeking(
    runs: int, seed: int, *, lift: float = 0.0, rate: float = 0.1, units: int = 20_000, looks: int = 200
) -> Peeking:
    """``runs`` experiments of ``units`` units a variant; alpha is 0.05 throughout."""
    rng = np.random.default_rng(seed)
    step = units // looks
    n = step * np.arange(1, looks + 1)
    control = rng.binomial(step, rate, (runs, looks)).cumsum(axis=1) / n
    treatment = rng.binomial(step, rate * (1.0 + lift), (runs, looks)).cumsum(axis=1) / n
    error = np.sqrt((control * (1.0 - control) + treatment * (1.0 - treatment)) / n)
    difference = treatment - control
    z = np.divide(difference, error, out=np.zeros_like(error), where=error > 0.0)
    end = float(-ndtri(0.025))
    tenth = np.arange(looks // 10 - 1, looks, looks // 10)

    def sequence(n_star: float, sides: int) -> Floats:
        return np.array([critical_value(2.0 * each, 0.05, n_star, sides) for each in n])

    narrow = np.abs(z) > sequence(20_000, 2)
    stop = np.where(narrow.any(axis=1), n[narrow.argmax(axis=1)], units)
    planned = np.array(list(group_sequential((n[tenth] / units).tolist()).z))
    return Peeking(
        one_look=float((np.abs(z[:, -1]) > end).mean()),
        peeked_10=_ever(np.abs(z[:, tenth]) > end),
        peeked_200=_ever(np.abs(z) > end),
        asymptotic_5000=_ever(np.abs(z) > sequence(5_000, 2)),
        asymptotic_20000=_ever(narrow),
        one_sided_20000=_ever(z > sequence(20_000, 1)),
        msprt=_ever(_msprt_calls(difference[: runs // 4], error[: runs // 4], tau=0.1 * rate)),
        obrien_fleming_10=_ever(np.abs(z[:, tenth]) > planned),
        pocock_10=_ever(np.abs(z[:, tenth]) > pocock_constant(10)),
        mean_stop=float(stop.mean()),
    )


def _ever(called: NDArray[np.bool_]) -> float:
    return float(called.any(axis=1).mean())


def _msprt_calls(difference: Floats, error: Floats, tau: float) -> NDArray[np.bool_]:
    def calls(each: float, spread: float) -> bool:
        found = msprt(each, spread, tau)
        return isinstance(found, Estimate) and found.p_value is not None and found.p_value <= 0.05

    pairs = zip(difference.ravel().tolist(), error.ravel().tolist(), strict=True)
    return np.array([calls(each, spread) for each, spread in pairs]).reshape(difference.shape)
