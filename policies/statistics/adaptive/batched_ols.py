"""Do two variants differ, when a bandit has chosen the weights of each batch from the batches before?

Batched OLS (Zhang, Janson & Murphy 2020, "Inference for batched bandits", NeurIPS). Within a batch weights
are constant, so each batch's standardised difference is normal whatever the policy did, also under a baseline
that drifts from batch to batch:

    Z_t = sqrt(n_a n_b / (n s2)) (mean_b - mean_a),    Z = sum Z_t / sqrt(T)
    estimate = sum w_t d_t / sum w_t,  w_t = sqrt(n_a n_b / (n s2)),  half-width z sqrt(T) / sum w_t

with s2 the pooled variance. The difference is to be constant over batches (the test needs it only under the
null). The sequential form looks after every batch: under the null sum Z_t is a Gaussian walk, which stays
below the asymptotic confidence sequence's boundary in the count of batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Final

from policies.statistics.always_valid.asymptotic import critical_value, p_value
from policies.statistics.arguments import positive, share
from policies.statistics.evidence import Moments
from policies.statistics.kernel import critical, two_sided
from policies.statistics.result import Estimate, NotEstimable

ASSUMPTIONS: Final = (
    "weights are constant within a batch and known before it",
    "batches have some 50 outcomes or more, with both variants present",
    "the difference is constant over batches (for the interval)",
)


def batched_ols(batches: Sequence[tuple[Moments, Moments]], alpha: float = 0.05) -> Estimate | NotEstimable:
    """The estimate of ``mean_b - mean_a`` over batches, for one look at the end.

    Args: (a, b) moments of one quantity in each batch, control first. A batch that lacks a variant (paused,
    not yet added), or whose numbers are not finite or do not vary, is left out and counted in ``left_out``.
    Returns ``NotEstimable`` when none is left; raises ValueError unless alpha is in (0, 1).

    >>> def arm(n, mean, variance): return Moments(n, (mean,), ((variance * (n - 1),),))
    >>> first = (arm(50, 0.40, 0.2424), arm(50, 0.52, 0.2547))
    >>> result = batched_ols([first, (arm(20, 0.45, 0.2605), arm(80, 0.55, 0.2506))])
    >>> round(result.estimate, 6), round(result.p_value, 6)
    (0.11115, 0.157404)
    """
    return _combined("batched OLS", batches, critical(alpha), two_sided, alpha)


def sequential_batched_ols(
    batches: Sequence[tuple[Moments, Moments]], alpha: float = 0.05, *, planned_batches: float
) -> Estimate | NotEstimable:
    """The same for a look after every batch: it holds at all looks together.

    ``planned_batches``, fixed before the start, is where the interval is to be tightest. Other arguments,
    results and errors as for ``batched_ols``.

    >>> def arm(n, mean, variance): return Moments(n, (mean,), ((variance * (n - 1),),))
    >>> batches = [(arm(50, 0.40, 0.2424), arm(50, 0.52, 0.2547))] * 9
    >>> result = sequential_batched_ols(batches, planned_batches=10)
    >>> round(result.estimate, 6), round(result.p_value, 6)
    (0.12, 0.009384)
    """
    share("alpha", alpha)
    positive("planned_batches", planned_batches)
    used = sum(_scored(pair) is not None for pair in batches)
    width = critical_value(max(used, 1), alpha, planned_batches)

    def judged(z: float) -> float:
        return p_value(z, max(used, 1), alpha, planned_batches)

    return _combined("sequential batched OLS", batches, width, judged, alpha)


@dataclass(frozen=True, slots=True)
class _Score:
    """One batch's standardised difference and its weight w_t = Z_t / d_t."""

    z: float
    weight: float
    difference: float


def _scored(pair: tuple[Moments, Moments]) -> _Score | None:
    a, b = pair
    n = a.count + b.count
    if a.count < 1 or b.count < 1 or n < 3:
        return None
    pooled = (a.comoments[0][0] + b.comoments[0][0]) / (n - 2)
    difference = a.gap(b)
    if not (pooled > 0.0 and isfinite(pooled) and isfinite(difference)):
        return None
    weight = sqrt(a.count * b.count / (n * pooled))
    return _Score(weight * difference, weight, difference)


def _combined(
    method: str,
    batches: Sequence[tuple[Moments, Moments]],
    width: float,
    judged: Callable[[float], float],
    alpha: float,
) -> Estimate | NotEstimable:
    scores = [score for score in map(_scored, batches) if score is not None]
    if not scores:
        return NotEstimable(method, "no batch in which both variants had outcomes that vary")
    total = sum(score.weight for score in scores)
    estimate = sum(score.weight * score.difference for score in scores) / total
    error = sqrt(len(scores)) / total
    z = sum(score.z for score in scores) / sqrt(len(scores))
    return Estimate(
        method=method,
        estimate=estimate,
        standard_error=error,
        low=estimate - width * error,
        high=estimate + width * error,
        level=1.0 - alpha,
        p_value=judged(z),
        assumptions=ASSUMPTIONS,
        details=(
            ("z", z),
            ("z_batch", tuple(score.z for score in scores)),
            ("batches", float(len(scores))),
            ("left_out", float(len(batches) - len(scores))),
        ),
    )


METHODS: Final[dict[str, Callable[..., object]]] = {
    "batched_ols": batched_ols,
    "sequential_batched_ols": sequential_batched_ols,
}
