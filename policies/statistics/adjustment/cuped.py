"""How much of the difference's noise was there before assignment, and can be taken out?

CUPED subtracts ``theta (x - mean x)`` from every outcome, with x known before assignment and one theta for
all variants, so that the expected difference is unchanged and its variance falls by the squared correlation.
A covariate that the treatment can influence biases the result: nothing in the data shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from policies.statistics.difference.means import difference
from policies.statistics.evidence import ROUNDING, Moments
from policies.statistics.means import Mean, incomparable
from policies.statistics.result import Estimate, NotEstimable

ASSUMPTIONS: Final = ("the covariate was measured before assignment", "units are independent")


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Control ``a`` and treatment ``b`` after adjustment, and the theta (y's unit per x's) that was used."""

    a: Mean
    b: Mean
    theta: float


def cuped(a: Moments, b: Moments, alpha: float = 0.05) -> Estimate | NotEstimable:
    """The difference of means adjusted by one covariate, theta pooled over both variants.

    ``theta = C_xy / C_xx`` of the concatenated sample, adjusted mean ``y - theta (x - pooled x)``, variance
    ``s2_y + theta**2 s2_x - 2 theta s_xy``, then Welch. Args: moments of the pair (y outcome, x covariate),
    one row a unit, of control and treatment in the same epoch; alpha. Returns the adjusted b - a in y's unit;
    details ``theta``, ``control`` and ``treatment`` (adjusted means), ``unadjusted_p``,
    ``variance_reduction`` (share). ``NotEstimable`` for an empty variant, n = 1, a covariate that does not
    vary within the variants, or zero variance. Raises ValueError unless alpha is in (0, 1).
    Source: Deng, Xu, Kohavi & Walker (2013).

    >>> a = Moments.from_values([[1.0, 1.1], [2.0, 2.0], [3.0, 2.8], [5.0, 5.2]])
    >>> b = Moments.from_values([[2.0, 1.0], [3.0, 2.1], [4.0, 3.1], [5.0, 3.9]])
    >>> round(cuped(a, b).estimate, 4), round(cuped(a, b).detail("unadjusted_p"), 4)
    (0.9878, 0.5116)
    """
    found = adjusted_means(a, b)
    if isinstance(found, NotEstimable):
        return found
    return _compared("CUPED", (Mean.of(a), Mean.of(b)), found, alpha)


def adjusted_means(a: Moments, b: Moments) -> Adjusted | NotEstimable:
    """Both variants' means adjusted by one covariate, for whatever is made of two means: a lift, a margin.

    Arguments and errors as for ``cuped``. Source: Deng, Xu, Kohavi & Walker (2013).

    >>> a = Moments.from_values([[1.0, 1.1], [2.0, 2.0], [3.0, 2.8], [5.0, 5.2]])
    >>> b = Moments.from_values([[2.0, 1.0], [3.0, 2.1], [4.0, 3.1], [5.0, 3.9]])
    >>> round(adjusted_means(a, b).b.value - adjusted_means(a, b).a.value, 4)
    0.9878
    """
    pooled = a.merge(b)
    # Between the variants alone it would take the effect itself for noise.
    if pooled.count > 0 and a.comoments[1][1] + b.comoments[1][1] <= 0.0:
        return NotEstimable("CUPED", "the covariate does not vary within the variants")
    problem = incomparable("CUPED", Mean.of(a), Mean.of(b))
    if problem is not None:
        return problem
    theta = pooled.comoments[0][1] / pooled.comoments[1][1]

    def adjusted(sample: Moments) -> Mean:
        spread = sample.covariance(0, 0) + theta**2 * sample.covariance(1, 1)
        spread = max(spread - 2.0 * theta * sample.covariance(0, 1), 0.0)
        value = sample.mean[0] - theta * (sample.mean[1] - pooled.mean[1])
        return Mean(value, spread / sample.count, sample.count - 1.0, sample.count)

    return Adjusted(adjusted(a), adjusted(b), theta)


def cuped_ratio(a: Moments, b: Moments, alpha: float = 0.05) -> Estimate | NotEstimable:
    """CUPED for ratio metrics: outcome and covariate are both ratios of sums per unit, each linearised.

    With m/d the outcome and u/v the covariate, theta is the covariance of the linearised values over the
    covariate's variance, taken at the pooled ratios; each variant's variance at its own. Args: moments of
    (m, d, u, v), one row a unit, of control and treatment in the same epoch; alpha. Returns and errors as for
    ``cuped``, and ``NotEstimable`` when a denominator is zero throughout.
    Source: Deng, Xu, Kohavi & Walker (2013), appendix B; Deng, Knoblich & Lu (2018).

    >>> a = Moments.from_values([[1.0, 2.0, 1.0, 2.0], [2.0, 2.0, 2.0, 3.0], [0.0, 1.0, 0.0, 1.0]])
    >>> b = Moments.from_values([[2.0, 2.0, 1.0, 2.0], [2.0, 3.0, 1.0, 3.0], [1.0, 1.0, 0.0, 1.0]])
    >>> round(cuped_ratio(a, b).estimate, 4)
    0.3499
    """
    found = adjusted_ratios(a, b)
    if isinstance(found, NotEstimable):
        return found
    return _compared("CUPED of ratios", (Mean.of_ratio(a), Mean.of_ratio(b)), found, alpha)


def adjusted_ratios(a: Moments, b: Moments) -> Adjusted | NotEstimable:
    """Both variants' ratios adjusted by one ratio. Arguments and errors as for ``cuped_ratio``.

    Source: Deng, Xu, Kohavi & Walker (2013), appendix B.

    >>> rows = Moments.from_values([[1.0, 2.0, 1.0, 2.0], [2.0, 2.0, 2.0, 3.0], [0.0, 1.0, 0.0, 1.0]])
    >>> adjusted_ratios(rows, rows).a.value
    0.6
    """
    pooled = a.merge(b)
    for sample in (pooled, a, b):
        if sample.count > 0 and (sample.mean[1] == 0.0 or sample.mean[3] == 0.0):
            return NotEstimable("CUPED of ratios", "a denominator is zero throughout")
    problem = incomparable("CUPED of ratios", Mean.of_ratio(a), Mean.of_ratio(b))
    if problem is not None:
        return problem
    _, covariance, spread_x = _linearised(pooled)
    if max(_linearised(each)[2] for each in (a, b)) <= ROUNDING**2 * (pooled.mean[2] / pooled.mean[3]) ** 2:
        return NotEstimable("CUPED of ratios", "the covariate does not vary within the variants")
    theta = covariance / spread_x
    centre = pooled.mean[2] / pooled.mean[3]

    def adjusted(sample: Moments) -> Mean:
        yy, xy, xx = _linearised(sample)
        value = sample.mean[0] / sample.mean[1] - theta * (sample.mean[2] / sample.mean[3] - centre)
        spread = max(yy + theta**2 * xx - 2.0 * theta * xy, 0.0)
        return Mean(value, spread / sample.count, sample.count - 1.0, sample.count)

    return Adjusted(adjusted(a), adjusted(b), theta)


def _linearised(sample: Moments) -> tuple[float, float, float]:
    """Variance of m/d, covariance with u/v, variance of u/v, each per unit, by gradients (1/d, -r/d)."""
    gradient = []
    for m, d in ((0, 1), (2, 3)):
        gradient.append({m: 1.0 / sample.mean[d], d: -sample.mean[m] / sample.mean[d] ** 2})

    def form(p: dict[int, float], q: dict[int, float]) -> float:
        return sum(p[i] * q[j] * sample.covariance(i, j) for i in p for j in q)

    y, x = gradient
    return form(y, y), form(y, x), form(x, x)


def _compared(method: str, raw: tuple[Mean, Mean], found: Adjusted, alpha: float) -> Estimate | NotEstimable:
    result = difference(found.a, found.b, alpha, method=method)
    unadjusted = difference(*raw, alpha)
    if isinstance(result, NotEstimable) or isinstance(unadjusted, NotEstimable):
        return result
    assert result.standard_error is not None
    assert unadjusted.standard_error is not None
    assert unadjusted.p_value is not None
    return Estimate(
        method=method,
        estimate=result.estimate,
        standard_error=result.standard_error,
        low=result.low,
        high=result.high,
        level=result.level,
        p_value=result.p_value,
        assumptions=ASSUMPTIONS,
        details=(
            *result.details,
            ("theta", found.theta),
            ("unadjusted_p", unadjusted.p_value),
            ("variance_reduction", 1.0 - (result.standard_error / unadjusted.standard_error) ** 2),
        ),
    )


METHODS: Final[dict[str, Callable[..., object]]] = {"cuped": cuped, "cuped_ratio": cuped_ratio}
