"""Which mean is the best, how surely, and what would a wrong choice cost? (Normal posteriors)

Each variant's mean has the posterior of a normal likelihood with the given standard error and a N(mu0, t0**2)
prior: precision-weighted, N((m/s**2 + mu0/t0**2) v, v) with v = 1 / (1/s**2 + 1/t0**2) (Gelman et al. 2013,
"Bayesian Data Analysis", 2.5). The chance to be best and the expected loss are had by quadrature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from policies.statistics.arguments import finite, nonnegative, one_of, share
from policies.statistics.bayes.posterior import Posterior
from policies.statistics.bayes.quadrature import expected_loss, panels, probability_best
from policies.statistics.result import NotEstimable

Floats = NDArray[np.float64]


def normal_posterior(
    means: Sequence[float],
    standard_errors: Sequence[float],
    prior: tuple[float, float] = (0.0, inf),
    level: float = 0.95,
    *,
    sign: int = 1,
) -> Posterior | NotEstimable:
    """Posteriors of K means with the chance to be best and the expected loss.

    Args: means and their standard_errors by variant, in the metric's unit (an infinite standard error: no
    data yet, which needs a proper prior); prior (mean, standard deviation), infinite for a flat one; sign -1
    where less is better. Returns ``NotEstimable`` for fewer than two variants, a zero standard error, or no
    data under a flat prior; raises ValueError for arguments out of their range.

    >>> result = normal_posterior([0.100, 0.120, 0.125], [0.0094916, 0.0102813, 0.0104635])
    >>> [round(p, 3) for p in result.probability_best]
    [0.012, 0.361, 0.627]
    """
    method = "Normal posterior"
    share("level", level)
    one_of("sign", sign, (1, -1))
    if len(means) != len(standard_errors):
        raise ValueError(
            f"means and standard_errors must be as many, got {len(means)}, {len(standard_errors)}"
        )
    for mean, error in zip(means, standard_errors, strict=True):
        finite("means", mean)
        nonnegative("standard_errors", 0.0 if error == inf else error)
    if len(means) < 2:
        return NotEstimable(method, "fewer than two variants")
    if min(standard_errors) == 0.0:
        return NotEstimable(method, "a standard error is zero: no variation was seen")
    if max(standard_errors) == inf and prior[1] == inf:
        return NotEstimable(method, "a variant has no data and the prior is flat")
    centres, spreads = shrunk(np.asarray(means, float), np.asarray(standard_errors, float), prior)
    # From the best on: nodes beside a mean of 1e12 would have no digits left to differ by.
    places = sign * centres - (sign * centres).max()
    x, weights = panels(places, spreads)
    z = (x - places[:, None]) / spreads[:, None]
    below = ndtr(z)
    density = np.exp(-0.5 * z * z) / (np.sqrt(2.0 * np.pi) * spreads[:, None])
    width = -ndtri((1.0 - level) / 2.0) * spreads
    return Posterior(
        method=method,
        mean=tuple(centres.tolist()),
        deviation=tuple(spreads.tolist()),
        low=tuple((centres - width).tolist()),
        high=tuple((centres + width).tolist()),
        level=level,
        probability_best=tuple(probability_best(density, below, weights).tolist()),
        expected_loss=tuple(expected_loss(below, weights).tolist()),
        assumptions=("the means are nearly normal and independent", "the prior was stated before the data"),
    )


def shrunk(means: Floats, standard_errors: Floats, prior: tuple[float, float]) -> tuple[Floats, Floats]:
    """Posterior means and standard deviations, (K,) each, under the prior (mean, standard deviation).

    Raises ValueError unless the prior's standard deviation is above 0 (infinite for a flat prior).

    >>> [a.tolist() for a in shrunk(np.array([1.0]), np.array([1.0]), (0.0, 1.0))]
    [[0.5], [0.7071067811865476]]
    """
    centre, spread = finite("prior mean", prior[0]), prior[1]
    if not spread > 0.0:
        raise ValueError(f"prior standard deviation must be > 0, got {spread!r}")
    precision = standard_errors**-2.0
    total = precision + spread**-2.0
    return (precision * means + spread**-2.0 * centre) / total, np.asarray(total**-0.5)


METHODS: Final[dict[str, Callable[..., object]]] = {"normal_posterior": normal_posterior}
