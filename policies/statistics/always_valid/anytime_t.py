"""Is a regression coefficient, or a difference of means, other than zero at any time? (the anytime t-test)

Lindon, Ham, Tingley & Bojinov (2022, "Anytime-valid linear models and regression-adjusted causal inference in
randomized experiments"): with a N(0, sigma**2 / phi) mixture over the coefficient and the right-Haar prior
over sigma, for a t statistic on nu degrees of freedom and r = phi / (phi + z2),

    ln BF = ln(r)/2 + ((nu + 1)/2) * (ln(1 + t**2/nu) - ln(1 + r t**2/nu)),    p = min(1, 1/BF)

``z2`` is the coefficient's information, sigma**2 / variance of its estimate: n_a n_b / (n_a + n_b) for a
difference of two means. Exact for normal data of unknown variance, at any sample size.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, expm1, inf, log, log1p, sqrt
from typing import Final

from policies.statistics.arguments import finite, nonnegative, positive, share
from policies.statistics.result import Estimate, NotEstimable


def anytime_t_log_bayes_factor(t2: float, nu: float, phi: float, z2: float) -> float:
    """The natural logarithm of the e-value of a squared t statistic.

    Args: t2, the squared t statistic; nu, its degrees of freedom; phi, the prior's precision in units of the
    residual's; z2, the coefficient's information in the count of observations. Raises ValueError for any of
    them out of range.

    >>> round(anytime_t_log_bayes_factor(10.24, 198, 1.0, 50.0), 9)
    2.950450004
    """
    nonnegative("t2", t2)
    positive("nu", nu)
    positive("phi", phi)
    positive("z2", z2)
    r = phi / (phi + z2)
    return 0.5 * log(r) + 0.5 * (nu + 1.0) * (log1p(t2 / nu) - log1p(r * t2 / nu))


def anytime_t(
    a: tuple[float, float, float], b: tuple[float, float, float], phi: float, alpha: float = 0.05
) -> Estimate | NotEstimable:
    """The anytime-valid t-test of ``mean_b - mean_a`` (equal variances), with its confidence sequence.

    Args: a (control) and b as (count, mean, sample variance with ddof 1); phi, the prior's precision in units
    of the residual's, fixed before the start: 1/phi is the variance of plausible effects in residual standard
    deviations squared (phi = 100: effects of about 0.1 sd). Returns ``NotEstimable`` for an empty variant,
    fewer than 3 units or zero variance; the interval is unbounded while too little is seen. Raises ValueError
    for arguments out of their range.

    >>> result = anytime_t((100, 0.0, 1.0), (100, 0.5, 1.0), phi=10.0)
    >>> round(result.low, 4), round(result.high, 4), round(result.p_value, 5)
    (0.0629, 0.9371, 0.0157)
    """
    method = "anytime-valid t-test"
    (n_a, mean_a, s2_a), (n_b, mean_b, s2_b) = a, b
    for name, value in (("n_a", n_a), ("n_b", n_b), ("variance_a", s2_a), ("variance_b", s2_b)):
        nonnegative(name, value)
    estimate = finite("mean_b", mean_b) - finite("mean_a", mean_a)
    positive("phi", phi)
    share("alpha", alpha)
    if n_a < 1 or n_b < 1:
        return NotEstimable(method, f"a variant is empty ({n_a:g} and {n_b:g} units)")
    nu = n_a + n_b - 2.0
    if nu < 1.0:
        return NotEstimable(method, "fewer than 3 units: no variance can be had")
    pooled = ((n_a - 1.0) * s2_a + (n_b - 1.0) * s2_b) / nu
    if pooled == 0.0:
        return NotEstimable(method, "the variance is zero")
    z2 = n_a * n_b / (n_a + n_b)
    se = sqrt(pooled / z2)
    log_bf = anytime_t_log_bayes_factor((estimate / se) ** 2, nu, phi, z2)
    width = se * _critical_t(nu, phi / (phi + z2), alpha)
    return Estimate(
        method=method,
        estimate=estimate,
        standard_error=se,
        low=estimate - width,
        high=estimate + width,
        level=1.0 - alpha,
        p_value=exp(min(0.0, -log_bf)),
        e_value=exp(min(log_bf, 700.0)),
        assumptions=("normal outcomes of equal variance, or many of them", "phi was fixed before the start"),
        details=(("log_e_value", log_bf), ("df", nu), ("phi", float(phi))),
    )


def _critical_t(nu: float, r: float, alpha: float) -> float:
    """The |t| at which the Bayes factor is 1/alpha; infinite while no t reaches it."""
    # (1 + t2/nu) / (1 + r t2/nu) = k  has the root t2/nu = (k - 1) / (1 - r k), if r k < 1.
    log_k = (-2.0 * log(alpha) - log(r)) / (nu + 1.0)
    if log(r) + log_k >= 0.0:
        return inf
    return sqrt(nu * expm1(log_k) / -expm1(log(r) + log_k))


METHODS: Final[dict[str, Callable[..., object]]] = {"anytime_t": anytime_t}
