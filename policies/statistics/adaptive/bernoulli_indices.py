"""How good might a variant still be, given how often it was tried? (indices for rewards in 0..1)

A policy that always takes the largest index explores by optimism: UCB1 (Auer, Cesa-Bianchi & Fischer 2002),
KL-UCB (Garivier & Cappe 2011), Bayes-UCB (Kaufmann, Cappe & Garivier 2012). Being deterministic, it sends a
whole batch to one variant when outcomes come late; weights from Thompson sampling do not.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log, sqrt
from typing import Final

from scipy.optimize import brentq
from scipy.special import betainccinv

from policies.statistics.arguments import finite, nonnegative, positive, share
from policies.statistics.logarithms import entropy_excess


def bernoulli_divergence(p: float, q: float) -> float:
    """Kullback-Leibler divergence kl(p, q) of Bernoulli distributions, in nats; infinite off the support.

    ``q f(p/q - 1) + (1 - q) f((1-p)/(1-q) - 1)`` with f of ``entropy_excess``: exact for rates of 1e-9, and
    for such as differ by 1e-9. Args: probabilities in 0..1; raises nothing. Source: Kullback & Leibler 1951.

    >>> round(bernoulli_divergence(0.5, 0.4), 6), bernoulli_divergence(0.5, 0.0)
    (0.020411, inf)
    """
    if q in (0.0, 1.0):
        return 0.0 if p == q else inf
    return q * entropy_excess((p - q) / q) + (1.0 - q) * entropy_excess((q - p) / (1.0 - q))


def kl_ucb(mean: float, n: float, t: float, c: float = 0.0) -> float:
    """max{q : n kl(mean, q) <= ln t + c ln ln t}, in 0..1.

    Args: mean reward in 0..1 of n tries; t, all tries so far (t > 1 when c > 0). No try: 1. Raises ValueError
    for arguments out of range.

    >>> round(kl_ucb(0.5, 10, 100), 9)
    0.887908762
    """
    if not 0.0 <= mean <= 1.0:
        raise ValueError(f"mean must be in [0, 1], got {mean!r}")
    positive("t", t)
    if nonnegative("n", n) == 0.0 or mean == 1.0:
        return 1.0
    if nonnegative("c", c) > 0.0 and t <= 1.0:
        raise ValueError(f"t must be > 1 for c > 0, got {t!r}")
    budget = max(0.0, log(t) + (c * log(log(t)) if c else 0.0)) / n
    top = 1.0 - 2.0**-53
    if budget <= 0.0 or bernoulli_divergence(mean, top) <= budget:
        return mean if budget <= 0.0 else 1.0
    return float(brentq(lambda q: bernoulli_divergence(mean, q) - budget, mean, top, xtol=1e-300))


def ucb1(mean: float, n: float, t: float, alpha: float = 1.0) -> float:
    """mean + alpha sqrt(2 ln t / n); infinite for a variant not yet tried.

    Args: mean reward of n tries; t, all tries so far; alpha scales the exploration. Raises ValueError for
    arguments out of range.

    >>> round(ucb1(0.5, 10, 160), 9)
    1.507489336
    """
    finite("mean", mean)
    if positive("t", t) < 1.0:
        raise ValueError(f"t must be >= 1, got {t!r}")
    return inf if nonnegative("n", n) == 0.0 else mean + nonnegative("alpha", alpha) * sqrt(2.0 * log(t) / n)


def bayes_ucb(successes: float, n: float, t: float, prior: tuple[float, float] = (1.0, 1.0)) -> float:
    """The posterior's quantile 1 - 1/t, of Beta(a + successes, b + failures); t > 1, all tries so far.

    Raises ValueError for more successes than tries, t <= 1, or a prior not above 0.

    >>> round(bayes_ucb(4, 10, 10), 9)
    0.599473184
    """
    if nonnegative("successes", successes) > nonnegative("n", n):
        raise ValueError(f"successes must be at most n ({n!r}), got {successes!r}")
    a, b = positive("prior a", prior[0]) + successes, positive("prior b", prior[1]) + n - successes
    return float(betainccinv(a, b, share("1/t", 1.0 / positive("t", t))))


METHODS: Final[dict[str, Callable[..., object]]] = {"kl_ucb": kl_ucb, "ucb1": ucb1, "bayes_ucb": bayes_ucb}
