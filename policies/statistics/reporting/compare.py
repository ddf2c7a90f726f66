"""What intervals does a difference of two means have, at one look and at any number of them?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import inf, isfinite, log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from policies.statistics.always_valid import asymptotic
from policies.statistics.kernel import critical, normalised, oriented, studentised, two_sided
from policies.statistics.lift.fieller import fieller_set
from policies.statistics.means import Mean
from policies.statistics.planning.design import AlwaysValid
from policies.statistics.reporting.result import Interval, Lift
from policies.statistics.reporting.settings import AnalysisSettings

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """Variant ``b`` minus control ``a``, their covariance, and what the intervals need.

    ``n`` is the units of both behind the metric, ``df`` Welch's degrees of freedom. ``b.value - a.value`` is
    the difference; for a metric with a covariate, after adjustment.
    """

    a: Mean
    b: Mean
    covariance: float
    df: float
    n: float
    kept: NDArray[np.bool_]
    variance_reduction: float | None

    @property
    def value(self) -> float:
        """Variant minus control, in the metric's unit."""
        return self.b.value - self.a.value

    @property
    def variance(self) -> float:
        """Of the difference, clustered by unit over all epochs."""
        return self.a.variance + self.b.variance - 2.0 * self.covariance

    def fixed(self, alpha: float) -> Interval:
        """The interval for one look.

        Student's t with Welch's degrees of freedom. Raises ValueError unless alpha is in (0, 1). Source:
        Welch (1947).

        >>> a, b = Mean(1.0, 0.01, 99.0, 100), Mean(1.5, 0.01, 99.0, 100)
        >>> found = Difference(a, b, 0.0, 198.0, 200.0, np.array([True]), None)
        >>> interval = found.fixed(0.05)
        >>> round(interval.low, 6), round(interval.high, 6), round(interval.p_value, 6)
        (0.221115, 0.778885, 0.000507)
        """
        error = sqrt(self.variance)
        width = critical(alpha, self.df) * error
        p_value = two_sided(self.value / error, self.df)
        return Interval(self.value - width, self.value + width, 1.0 - alpha, p_value)

    def always_valid(self, settings: AnalysisSettings, alpha: float | None = None) -> Interval:
        """The interval for any number of looks, at another alpha if need be.

        The confidence sequence's quantile is taken over to Student's t with Welch's degrees of freedom, since
        the variance comes from as many clusters only. The mixture stays tuned for ``settings.alpha``
        whatever the level: its p-value does not depend on the level, and each interval leaves out zero
        exactly when that p-value is below its own alpha. Source: Waudby-Smith et al. (2024).

        >>> a, b = Mean(1.0, 0.01, 99.0, 100), Mean(1.5, 0.01, 99.0, 100)
        >>> found = Difference(a, b, 0.0, 198.0, 200.0, np.array([True]), None)
        >>> interval = found.always_valid(AnalysisSettings())
        >>> round(interval.low, 6), round(interval.high, 6), round(interval.p_value, 6)
        (-0.504303, 1.504303, 0.470269)
        """
        level = settings.alpha if alpha is None else alpha
        error = sqrt(self.variance)
        width = studentised(quantile(self.n, settings, level), self.df) * error
        z = normalised(self.value / error, self.df)
        p_value = asymptotic.p_value(z, self.n, settings.alpha, settings.n_star)
        return Interval(self.value - width, self.value + width, 1.0 - level, p_value)

    def bound(self, settings: AnalysisSettings, sign: int) -> float:
        """The one-sided always-valid lower bound of the difference with better upwards (a guardrail's).

        In the metric's unit. Source: Waudby-Smith et al. (2024).

        >>> a, b = Mean(1.0, 0.01, 99.0, 100), Mean(1.5, 0.01, 99.0, 100)
        >>> found = Difference(a, b, 0.0, 198.0, 200.0, np.array([True]), None)
        >>> round(found.bound(AnalysisSettings(), 1), 6), round(found.bound(AnalysisSettings(), -1), 6)
        (-0.489663, -1.489663)
        """
        if settings.alpha >= 0.5:
            return -inf  # a one-sided sequence at such a level bounds nothing
        one_sided = asymptotic.critical_value(self.n, settings.alpha, settings.n_star, sides=1)
        return oriented(sign, self.value) - studentised(one_sided, self.df) * sqrt(self.variance)

    def lift(self, settings: AnalysisSettings) -> Lift | None:
        """The always-valid relative difference; None when the control's mean is zero, or as good as that.

        A share. Source: Fieller (1954).

        >>> a, b = Mean(1.0, 0.01, 99.0, 100), Mean(1.5, 0.01, 99.0, 100)
        >>> found = Difference(a, b, 0.0, 198.0, 200.0, np.array([True]), None)
        >>> lift = found.lift(AnalysisSettings(n_star=200))
        >>> round(lift.low, 4), lift.estimate, round(lift.high, 4), lift.shape
        (0.0534, 0.5, 1.2599, 'bounded')
        """
        if self.a.value == 0.0 or not isfinite(self.value / self.a.value):
            return None
        q = studentised(quantile(self.n, settings, settings.alpha), self.df)
        found = fieller_set(self.a.value, self.b.value, self.a.variance, self.b.variance, self.covariance, q)
        bounds = (found.low, found.high) if found.shape == "bounded" else (-inf, inf)
        return Lift(self.value / abs(self.a.value), *bounds, found.shape)


def quantile(n: float, settings: AnalysisSettings, alpha: float) -> float:
    """The always-valid critical value at n units and level alpha, tuned once for ``settings.alpha``.

    In standard errors. Source: Waudby-Smith et al. (2024).

    >>> round(quantile(10_000, AnalysisSettings(), 0.05), 6)
    3.035209
    """
    return asymptotic.critical_value(n, alpha, _tuning(settings.n_star, settings.alpha, alpha))


def widths(settings: AnalysisSettings, alpha: float) -> Callable[[float], float]:
    """``quantile(n, settings, alpha)`` over the root of n > 0, for many n: what intervals shrink by.

    In standard errors of one unit. Source: Waudby-Smith et al. (2024).

    >>> round(widths(AnalysisSettings(), 0.05)(10_000) * 100.0, 6)
    3.035209
    """
    square = asymptotic.rho(settings.alpha, settings.n_star) ** 2
    constant = -2.0 * log(alpha)

    def width(n: float) -> float:
        x = n * square
        return sqrt((x + 1.0) / x * (log(x + 1.0) + constant) / n)

    return width


def quantiles(n: Floats, df: Floats, settings: AnalysisSettings) -> Floats:
    """``studentised(quantile(n, settings, settings.alpha), df)`` for many n > 0 and df at once.

    Infinite where the tail is below 1e-100, which Student's inverse does not reach with few degrees of
    freedom: so few units say nothing of their own.

    >>> quantiles(np.array([100.0, 1e4]), np.array([50.0, 1e9]), AnalysisSettings()).round(4).tolist()
    [14.6369, 3.0352]
    """
    x = n * asymptotic.rho(settings.alpha, settings.n_star) ** 2
    normal = np.sqrt((x + 1.0) / x * (np.log(x + 1.0) - 2.0 * log(settings.alpha)))
    tail = ndtr(-normal)
    student: Floats = np.where(tail < 1e-100, inf, -stdtrit(df, tail))
    return student


def design(settings: AnalysisSettings, alpha: float) -> AlwaysValid:
    """The design whose critical value is ``quantile``'s.

    >>> plan = design(AnalysisSettings(), 0.01)
    >>> round(plan.critical(10_000), 6) == round(quantile(10_000, AnalysisSettings(), 0.01), 6)
    True
    """
    return AlwaysValid(alpha, _tuning(settings.n_star, settings.alpha, alpha))


@cache
def _tuning(n_star: float, tuned: float, alpha: float) -> float:
    """The n_star that gives the mixture at level alpha the rho it has at level ``tuned``."""
    return n_star * asymptotic.optimum(alpha) / asymptotic.optimum(tuned)
