"""Who won, by how much and at what cost, when the weights have followed the evidence?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite, sqrt
from typing import Any, Final

import numpy as np

from policies.bandit.beliefs import Beliefs
from policies.bandit.cells import Cells, Floats, binary_spread
from policies.statistics.adaptive.best_arm import best_arm_stopping
from policies.statistics.always_valid.asymptotic import critical_value, p_value
from policies.statistics.kernel import critical, two_sided
from policies.statistics.result import NotEstimable

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

    At one look over all epochs, and in ``sequential`` for a look after every closed epoch, as
    ``batched_ols`` and ``sequential_batched_ols`` do it, but with a variance for each arm (theirs is one for
    both) and between units: requests of one need not be independent. Source: Zhang, Janson & Murphy (2020).
    """
    if control not in arms:
        return {}
    squares = _squares(cells, binary)
    reference = arms.index(control)
    found: dict[str, Any] = {}
    for k, arm in enumerate(arms):
        if k == reference:
            continue
        two = [reference, k]
        count = cells.count[:, two]
        variance = _variances(count, squares[:, two])
        weight, difference = _scores(count, cells.mean[:, two], variance)
        closed = weight * cells.closed
        epochs = max(int(np.count_nonzero(closed)), 1)
        found[arm] = {
            **_combined(weight, difference, critical(ALPHA), two_sided),
            "sequential": _combined(
                closed,
                difference,
                critical_value(epochs, ALPHA, PLANNED_EPOCHS),
                partial(p_value, n=epochs, alpha=ALPHA, n_star=PLANNED_EPOCHS),
            ),
        }
    return found


def _squares(cells: Cells, binary: bool) -> Floats:
    """Each cell's sum of squares about its mean (E, K), scaled to what the units' clusters show."""
    if binary:
        rate = np.clip(cells.mean, 0.0, 1.0)
        return np.asarray(cells.count * rate * (1.0 - rate) * binary_spread(cells, (0.5, 0.5))[1])
    return np.asarray(np.nan_to_num(cells.spread) * np.maximum(cells.count - 1.0, 0.0))


def _variances(count: Floats, squares: Floats) -> Floats:
    """Each arm's variance (2,), within epochs, over all of them, from the squares about the epochs' means.

    An arm's own, because the arm that varies more is often the one with less traffic, and one variance for
    both would make the intervals too narrow then; over all epochs, because one epoch's few outcomes of an
    arm may well be all alike.
    """
    return np.asarray(squares.sum(axis=0) / np.maximum(np.maximum(count - 1.0, 0.0).sum(axis=0), 1.0))


def _scores(count: Floats, mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """By epoch (E,): w_t = 1 / sqrt(s2_a / n_a + s2_b / n_b), 0 for one that says nothing, and d_t."""
    square = (variance / np.maximum(count, 1.0)).sum(axis=1)
    usable = (count > 0.0).all(axis=1) & (count.sum(axis=1) >= 3.0) & (square > 0.0)
    return np.where(usable, 1.0 / np.sqrt(np.where(usable, square, 1.0)), 0.0), mean[:, 1] - mean[:, 0]


def _combined(
    weight: Floats, difference: Floats, width: float, judged: Callable[[float], float]
) -> dict[str, Any]:
    """The estimate over the epochs that say something, as JSON."""
    used = int(np.count_nonzero(weight))
    if used == 0:
        reason = "no epoch in which both variants had outcomes that vary"
        return {"estimate": None, "low": None, "high": None, "p_value": None, "epochs": 0, "reason": reason}
    total, scored = float(weight.sum()), float(weight @ difference)
    estimate, error = scored / total, sqrt(used) / total
    return {
        "estimate": estimate,
        "low": estimate - width * error,
        "high": estimate + width * error,
        "p_value": judged(scored / sqrt(used)),
        "level": 1.0 - ALPHA,
        "epochs": used,
    }
