"""What is believed of an effect after the data, and what does each choice risk? (Normal prior on a lift)

The posterior of one effect (a difference or a relative lift) with a standard error and a N(mu0, t0**2) prior.
With posterior N(m, s**2), choosing the treatment risks E[max(-effect, 0)] = s phi(m/s) - m Phi(-m/s), and
staying with the control E[max(effect, 0)] = s phi(m/s) + m Phi(m/s). A winner stopped early overstates its
effect; the posterior mean is the shrunk one to quote (Gelman et al. 2013, "Bayesian Data Analysis", 2.5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, pi, sqrt
from typing import Final

import numpy as np
from scipy.special import erfcx, ndtr, ndtri

from policies.statistics.arguments import finite, nonnegative, share
from policies.statistics.bayes.normal import shrunk
from policies.statistics.result import NotEstimable


@dataclass(frozen=True, slots=True)
class EffectPosterior:
    """Posterior of one effect: all but the probability in the effect's own unit."""

    method: str
    mean: float
    deviation: float
    low: float
    high: float
    level: float
    probability_positive: float
    risk_control: float
    risk_treatment: float
    assumptions: tuple[str, ...] = ()


def effect_posterior(
    estimate: float, standard_error: float, prior: tuple[float, float] = (0.0, inf), level: float = 0.95
) -> EffectPosterior | NotEstimable:
    """The posterior of an effect under a prior (mean, standard deviation; infinite for a flat one).

    Returns ``NotEstimable`` for a zero standard error; raises ValueError for arguments out of range. Where
    less is better, negate the estimate.

    >>> result = effect_posterior(0.1, 0.045263715286845675, (0.0, 0.05))
    >>> round(result.mean, 6), round(result.probability_positive, 6), round(result.risk_treatment, 6)
    (0.05496, 0.949272, 0.000713)
    """
    method = "Normal posterior of an effect"
    share("level", level)
    finite("estimate", estimate)
    if nonnegative("standard_error", standard_error) == 0.0:
        return NotEstimable(method, "the standard error is zero: no variation was seen")
    means, deviations = shrunk(np.array([estimate]), np.array([standard_error]), prior)
    mean, deviation = float(means[0]), float(deviations[0])
    width = -float(ndtri((1.0 - level) / 2.0)) * deviation
    return EffectPosterior(
        method=method,
        mean=mean,
        deviation=deviation,
        low=mean - width,
        high=mean + width,
        level=level,
        probability_positive=float(ndtr(mean / deviation)),
        risk_control=expected_excess(mean, deviation),
        risk_treatment=expected_excess(-mean, deviation),
        assumptions=("the estimate is nearly normal", "the prior was stated before the data"),
    )


def expected_excess(mean: float, deviation: float) -> float:
    """E[max(X, 0)] of a normal X, without cancellation however far it lies below 0.

    Args: mean and standard deviation (> 0). Raises ZeroDivisionError for a deviation of 0.

    >>> round(expected_excess(0.0, 1.0), 6), f"{expected_excess(-20.0, 1.0):.3e}"
    (0.398942, '1.370e-90')
    """
    z = mean / deviation
    if z > -1.0:
        return deviation * (exp(-0.5 * z * z) / sqrt(2.0 * pi) + z * float(ndtr(z)))
    # Phi(z) = phi(z) M(-z) with Mills' ratio M, taken scaled: phi(z) (1 + z M(-z)).
    mills = sqrt(pi / 2.0) * float(erfcx(-z / sqrt(2.0)))
    return deviation * exp(-0.5 * z * z) / sqrt(2.0 * pi) * (1.0 + z * mills)


METHODS: Final[dict[str, Callable[..., object]]] = {"effect_posterior": effect_posterior}
