"""Which rate is the best, how surely, and what would a wrong choice cost? (Beta-Binomial posteriors)

Conjugate Beta(a + successes, b + failures) for each variant, independent. For two variants with whole numbers
P(B > A) has a closed form (Cook 2005, "Exact calculation of beta inequalities"); here any number of variants
is compared by one quadrature, which agrees with it to 1e-12.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincc, betainccinv, betaincinv, digamma, polygamma

from policies.statistics.arguments import nonnegative, one_of, positive, share
from policies.statistics.bayes.posterior import Posterior
from policies.statistics.bayes.quadrature import expected_loss, panels, probability_best
from policies.statistics.logarithms import beyond_stirling
from policies.statistics.result import NotEstimable

Floats = NDArray[np.float64]


def beta_posterior(
    successes: Sequence[float],
    trials: Sequence[float],
    priors: Sequence[tuple[float, float]] | tuple[float, float] = (1.0, 1.0),
    level: float = 0.95,
    *,
    sign: int = 1,
) -> Posterior | NotEstimable:
    """Posteriors of K rates with the chance to be best and the expected loss.

    Args: successes and trials by variant; priors (a, b), one for all or one each (Beta(1, 1) is strongly
    wrong for rates of 0.1 %: state what is known); sign -1 where a lower rate is better. A variant without
    trials keeps its prior. Returns ``NotEstimable`` for fewer than two variants; raises ValueError for
    arguments out of their range.

    >>> result = beta_posterior([120, 150], [1000, 1000])
    >>> [round(p, 6) for p in result.probability_best], [round(loss, 8) for loss in result.expected_loss]
    ([0.024932, 0.975068], [0.0300843, 0.00014418])
    """
    method = "Beta-Binomial posterior"
    share("level", level)
    one_of("sign", sign, (1, -1))
    if len(trials) != len(successes):
        raise ValueError(
            f"trials must have as many variants as successes, got {len(trials)}, {len(successes)}"
        )
    each = _each(priors, len(successes))
    for count, n in zip(successes, trials, strict=True):
        if nonnegative("successes", count) > nonnegative("trials", n):
            raise ValueError(f"successes must be at most trials ({n!r}), got {count!r}")
    if len(successes) < 2:
        return NotEstimable(method, "fewer than two variants")
    wins = np.array([prior[0] + count for prior, count in zip(each, successes, strict=True)])
    losses = np.array([prior[1] + n - count for prior, count, n in zip(each, successes, trials, strict=True)])
    mean = wins / (wins + losses)
    deviation = np.sqrt(mean * (1.0 - mean) / (wins + losses + 1.0))

    # Of 1 - rate where less is better: the same question of Beta(b, a), so there is one code path.
    a, b = (wins, losses) if sign == 1 else (losses, wins)
    density, below, weights, slope = _on_log_odds(a, b)
    tail = (1.0 - level) / 2.0
    return Posterior(
        method=method,
        mean=tuple(mean.tolist()),
        deviation=tuple(deviation.tolist()),
        low=tuple(betaincinv(wins, losses, tail).tolist()),
        high=tuple(betainccinv(wins, losses, tail).tolist()),
        level=level,
        probability_best=tuple(probability_best(density, below, weights).tolist()),
        expected_loss=tuple(expected_loss(below, weights * slope).tolist()),
        assumptions=("independent trials of one constant rate", "the priors were stated before the data"),
    )


def probability_above(
    successes: float, trials: float, rate: float, prior: tuple[float, float] = (1.0, 1.0)
) -> float:
    """The posterior probability that one rate exceeds ``rate`` (0..1), exact far into the tail.

    Raises ValueError for more successes than trials, or a rate or prior out of range.

    >>> f"{probability_above(10, 10_000, 0.01):.2e}"
    '7.49e-31'
    """
    if nonnegative("successes", successes) > nonnegative("trials", trials):
        raise ValueError(f"successes must be at most trials ({trials!r}), got {successes!r}")
    (a, b) = _each(prior, 1)[0]
    return float(betaincc(a + successes, b + trials - successes, share("rate", rate)))


def _on_log_odds(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Density and distribution function (K, N), weights (N,), slope d rate / d log-odds (N,) at the nodes.

    On the log-odds scale no density is infinite, whatever the prior, and neither end of 0..1 is rounded.
    """
    spread = np.sqrt(polygamma(1, a) + polygamma(1, b))
    t, weights = panels(digamma(a) - digamma(b), spread)
    log_x, log_y = -np.logaddexp(0.0, -t), -np.logaddexp(0.0, t)
    density = np.exp(_log_density(a[:, None], b[:, None], t))
    x, y = np.exp(log_x), np.exp(log_y)
    below = np.where(x < 0.5, betainc(a[:, None], b[:, None], x), betaincc(b[:, None], a[:, None], y))
    return density, below, weights, x * y


def _log_density(a: Floats, b: Floats, t: Floats) -> Floats:
    """ln of x**a (1 - x)**b / B(a, b) at log-odds t, from its value at the mean: nothing large cancels."""
    mean, away = a / (a + b), t - np.log(a / b)
    near = np.clip(away, -1.0, 1.0)
    up = np.where(
        np.abs(away) < 1.0,
        np.log1p((1.0 - mean) * np.expm1(-near)),
        np.logaddexp(np.log(mean), np.log1p(-mean) - away),
    )
    down = np.where(
        np.abs(away) < 1.0,
        np.log1p(mean * np.expm1(near)),
        np.logaddexp(np.log1p(-mean), np.log(mean) + away),
    )
    beyond = np.vectorize(beyond_stirling, otypes=[np.float64])
    top = 0.5 * np.log(a / (2.0 * np.pi) * (b / (a + b))) + beyond(a + b) - beyond(a) - beyond(b)
    log_density: Floats = top - a * up - b * down
    return log_density


def _each(
    priors: Sequence[tuple[float, float]] | tuple[float, float], count: int
) -> list[tuple[float, float]]:
    """One prior for each variant, both of its numbers above 0."""
    pairs = np.asarray(priors, dtype=float)
    if pairs.shape not in ((2,), (count, 2)):
        raise ValueError(f"priors must be one (a, b) or {count} of them, got the shape {pairs.shape}")
    pairs = np.broadcast_to(pairs, (count, 2))
    return [(positive("prior a", float(a)), positive("prior b", float(b))) for a, b in pairs]


METHODS: Final[dict[str, Callable[..., object]]] = {
    "beta_posterior": beta_posterior,
    "beta_probability_above": probability_above,
}
