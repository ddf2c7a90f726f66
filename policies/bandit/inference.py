"""Who won, by how much and at what cost, when the weights have followed the evidence?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, sqrt
from typing import Any, Final

import numpy as np

from policies.bandit.beliefs import Beliefs
from policies.bandit.cells import Cells, Floats, binary_spread
from policies.statistics.adaptive.batched_ols import batched_ols, sequential_batched_ols
from policies.statistics.adaptive.best_arm import best_arm_stopping
from policies.statistics.evidence import Moments
from policies.statistics.result import Estimate, NotEstimable

PLANNED_EPOCHS: Final = 100.0
ALPHA: Final = 0.05


def likelihood_ratio(found: Beliefs, confidence: float) -> tuple[int, float, float] | None:
    """The leading arm, the least generalised likelihood ratio against a rival, and what it has to exceed.

    None where an arm was not tried yet. Counts are the effective ones, so that neither drift nor correlated
    requests make a winner. Source: Garivier & Kaufmann (2016).
    """
    counts, means = found.effective, found.estimate
    if found.family == "gaussian":
        scale = found.common_deviation
        means, counts = means / scale, scale**2 / found.variance
    else:
        means = np.clip(means, 0.0, 1.0)
    if len(counts) < 2 or not (counts > 0.0).all():
        return None
    test = best_arm_stopping(means.tolist(), counts.tolist(), 1.0 - confidence, found.family)
    if isinstance(test, NotEstimable) or not isfinite(test.statistic):
        return None
    leader, threshold = test.detail("leader"), test.detail("threshold")
    assert isinstance(leader, float)
    assert isinstance(threshold, float)
    return int(leader), test.statistic, threshold


def expected_regret(found: Beliefs, counted: Floats) -> dict[str, float]:
    """What was lost so far against the arm that looks best now, in the metric's unit, with a standard error.

    ``counted`` (K,) are the outcomes of each arm. sum_k n_k (m_best - m_k) with the posteriors' means and
    variances; as the best is chosen by the same evidence it is a little too large while arms are close.
    """
    best = int(np.argmax(found.mean))
    others = np.delete(counted, best)
    square = (others**2 * np.delete(found.deviation, best) ** 2).sum()
    square += (others.sum() * found.deviation[best]) ** 2
    return {
        "estimate": float((counted * (found.mean[best] - found.mean)).sum()),
        "standard_error": sqrt(float(square)),
    }


def against_control(cells: Cells, arms: Sequence[str], control: str, binary: bool) -> dict[str, Any]:
    """Each arm's difference to the control, in the metric's own unit, by batched OLS over the epochs.

    At one look over all epochs, and in ``sequential`` for a look after every closed epoch. Source: Zhang,
    Janson & Murphy (2020).
    """
    if control not in arms:
        return {}
    batches = _moments(cells, binary)
    reference = batches[arms.index(control)]
    found: dict[str, Any] = {}
    for arm, own in zip(arms, batches, strict=True):
        if arm == control:
            continue
        pairs = list(zip(reference, own, strict=True))
        closed = [pair for pair, done in zip(pairs, cells.closed.tolist(), strict=True) if done]
        watched = sequential_batched_ols(closed, ALPHA, planned_batches=PLANNED_EPOCHS)
        found[arm] = {**_plain(batched_ols(pairs, ALPHA)), "sequential": _plain(watched)}
    return found


def _moments(cells: Cells, binary: bool) -> list[list[Moments]]:
    """By arm and epoch; the variance is that between units, whose requests need not be independent."""
    single = cells.mean * (1.0 - cells.mean) if binary else np.nan_to_num(cells.spread)
    if binary:
        single = single * binary_spread(cells, (0.5, 0.5))[1]
        rows = single * cells.count
    else:
        rows = single * np.maximum(cells.count - 1.0, 0.0)
    return [
        [
            Moments(round(count), (mean,), ((max(square, 0.0),),))
            for count, mean, square in zip(
                cells.count[:, k].tolist(), cells.mean[:, k].tolist(), rows[:, k].tolist(), strict=True
            )
        ]
        for k in range(cells.count.shape[1])
    ]


def _plain(found: Estimate | NotEstimable) -> Mapping[str, Any]:
    if isinstance(found, NotEstimable):
        return {"estimate": None, "low": None, "high": None, "p_value": None, "reason": found.reason}
    return {
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "p_value": found.p_value,
        "level": found.level,
        "epochs": found.detail("batches"),
    }
