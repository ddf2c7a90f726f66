"""What is believed of a mean when the variance is unknown too? (Normal-inverse-gamma posterior)

Conjugate for normal data of unknown mean and variance (Murphy 2007, "Conjugate Bayesian analysis of the
Gaussian distribution"): prior mean | variance ~ N(m0, variance / kappa0), variance ~ inverse gamma(a0, b0),

    kappa = kappa0 + n,   m = (kappa0 m0 + n mean) / kappa,   a = a0 + n/2
    b = b0 + (n-1) s**2 / 2 + kappa0 n (mean - m0)**2 / (2 kappa)

The marginal of the mean is Student t on 2a degrees of freedom, centre m, scale sqrt(b / (a kappa)).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt
from typing import Final

from scipy.special import stdtr, stdtrit

from policies.statistics.arguments import finite, nonnegative, positive, share


@dataclass(frozen=True, slots=True)
class NormalInverseGamma:
    """The four parameters: ``m`` in the metric's unit, ``b`` in its square, ``kappa`` in observations."""

    m: float
    kappa: float
    a: float
    b: float

    def __post_init__(self) -> None:
        finite("m", self.m)
        for name in ("kappa", "a", "b"):
            positive(name, getattr(self, name))

    def updated(self, n: float, mean: float, variance: float) -> NormalInverseGamma:
        """The posterior after n more observations: their mean and sample variance (unused for n < 2).

        Raises ValueError for a negative count or variance, or a mean that is not finite.

        >>> NormalInverseGamma(0.0, 1.0, 1.0, 1.0).updated(20, 1.7, 0.9).kappa
        21.0
        """
        if nonnegative("n", n) == 0.0:
            return self
        kappa = self.kappa + n
        spread = (n - 1.0) * nonnegative("variance", variance) if n > 1.0 else 0.0
        shift = self.kappa * n * (finite("mean", mean) - self.m) ** 2 / kappa
        centre = (self.kappa * self.m + n * mean) / kappa
        return NormalInverseGamma(centre, kappa, self.a + n / 2.0, self.b + (spread + shift) / 2.0)

    @property
    def scale(self) -> float:
        """The scale of the mean's marginal Student t, in the metric's unit.

        >>> NormalInverseGamma(0.0, 4.0, 1.0, 1.0).scale
        0.5
        """
        return sqrt(self.b / (self.a * self.kappa))

    @property
    def deviation(self) -> float:
        """The standard deviation of the mean; infinite for 2a <= 2 degrees of freedom.

        >>> NormalInverseGamma(0.0, 4.0, 2.0, 2.0).deviation
        0.7071067811865476
        """
        return self.scale * sqrt(self.a / (self.a - 1.0)) if self.a > 1.0 else inf

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The equal-tailed credible interval of the mean. Raises ValueError unless level is in (0, 1).

        >>> posterior = NormalInverseGamma(0.0, 1.0, 1.0, 1.0).updated(20, 1.7, 0.9)
        >>> [round(end, 6) for end in posterior.interval()]
        [1.168012, 2.070083]
        """
        width = -float(stdtrit(2.0 * self.a, (1.0 - share("level", level)) / 2.0)) * self.scale
        return self.m - width, self.m + width

    def probability_above(self, value: float) -> float:
        """The posterior probability that the mean exceeds ``value``, exact far into the tail.

        Raises ValueError for a value that is not finite.

        >>> NormalInverseGamma(0.0, 4.0, 1.0, 1.0).probability_above(0.0)
        0.5
        """
        return float(stdtr(2.0 * self.a, (self.m - finite("value", value)) / self.scale))


def normal_inverse_gamma(
    n: float, mean: float, variance: float, prior: tuple[float, float, float, float]
) -> NormalInverseGamma:
    """The posterior from count, mean and sample variance (ddof 1) under the prior (m, kappa, a, b).

    Raises ValueError for a negative count or variance, and for a prior whose kappa, a or b is not above 0.

    >>> normal_inverse_gamma(20, 1.7, 0.9, (0.0, 1.0, 1.0, 1.0)).a
    11.0
    """
    return NormalInverseGamma(*prior).updated(n, mean, variance)


METHODS: Final[dict[str, Callable[..., object]]] = {"normal_inverse_gamma": normal_inverse_gamma}
