"""Between which bounds is a rate, however often it is asked? (exact, from successes and trials alone)

The beta-binomial mixture (Robbins 1970; Howard et al. 2021, Proposition 7): against each rate p the mixture
over Beta(c p, c (1 - p)) of the likelihood ratio is a martingale,

    ln e(p) = ln B(c p + s, c (1 - p) + f) - ln B(c p, c (1 - p)) - s ln p - f ln(1 - p)

for s successes and f failures. The interval is every p with e(p) < 1/alpha. It depends on the counts only,
needs no normal approximation and holds at any stopping time: "is the error rate at most r" for a canary.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, log
from typing import Final

from scipy.optimize import brentq

from policies.statistics.always_valid.asymptotic import optimum
from policies.statistics.always_valid.multinomial_terms import log_dirichlet_multinomial
from policies.statistics.arguments import nonnegative, positive, share
from policies.statistics.result import Estimate, NotEstimable


def beta_binomial_log_e(
    successes: float, trials: float, rate: float, t_opt: float, alpha_opt: float = 0.05
) -> float:
    """The natural logarithm of the e-value against "the rate is ``rate``" (in 0..1; infinite if impossible).

    Args: successes out of trials; t_opt, the trials for which it is tuned at ``alpha_opt``. Raises ValueError
    unless alpha_opt is in (0, 1).

    >>> round(beta_binomial_log_e(700, 1000, 0.65, 100), 3)
    3.345
    """
    c = max(t_opt / optimum(alpha_opt) - 1.0, 1e-3)
    failures = trials - successes
    if rate in (0.0, 1.0):
        return inf if (successes if rate == 0.0 else failures) > 0 else 0.0
    return log_dirichlet_multinomial((successes, failures), (rate, 1.0 - rate), c)


def beta_binomial(
    successes: float,
    trials: float,
    alpha: float = 0.05,
    *,
    t_opt: float = 1000.0,
    alpha_opt: float = 0.05,
    rate: float | None = None,
) -> Estimate | NotEstimable:
    """The confidence sequence for one rate; with ``rate`` given, also the e- and p-value against that rate.

    Args: successes out of trials (independent, counts); t_opt, the trials at which the interval is tightest,
    fixed before the start. The detail ``log_e_value`` has no limit, as ``e_value`` has.
    Returns ``NotEstimable`` for no trials; raises ValueError for arguments out of
    their range.

    >>> result = beta_binomial(700, 1000, 0.05, t_opt=100)
    >>> round(result.low, 6), round(result.high, 6)
    (0.65163, 0.74595)
    """
    method = "beta-binomial confidence sequence"
    nonnegative("successes", successes)
    nonnegative("trials", trials)
    share("alpha", alpha)
    positive("t_opt", t_opt)
    if successes > trials:
        raise ValueError(f"successes must be at most trials ({trials!r}), got {successes!r}")
    if rate is not None and not 0.0 <= rate <= 1.0:
        raise ValueError(f"rate must be in [0, 1], got {rate!r}")
    if trials == 0:
        return NotEstimable(method, "no trials")
    seen = successes / trials

    def excess(p: float) -> float:
        return beta_binomial_log_e(successes, trials, p, t_opt, alpha_opt) + log(alpha)

    # The lower end on the scale of logarithms, and both to a relative error: rates of 1e-9 have theirs, too.
    least, most = 1e-300, 1.0 - 2.0**-53
    low = (
        0.0
        if successes == 0 or excess(least) < 0
        else exp(brentq(lambda log_p: excess(exp(log_p)), log(least), log(seen), xtol=1e-13))
    )
    high = (
        1.0
        if successes == trials or excess(most) < 0
        else float(brentq(excess, seen, most, xtol=1e-300, maxiter=2000))
    )
    log_e = None if rate is None else beta_binomial_log_e(successes, trials, rate, t_opt, alpha_opt)
    return Estimate(
        method=method,
        estimate=seen,
        low=low,
        high=high,
        level=1.0 - alpha,
        p_value=None if log_e is None else exp(min(0.0, -log_e)),
        e_value=None if log_e is None else exp(min(log_e, 700.0)),
        assumptions=("trials are independent with one constant rate", "t_opt was fixed before the start"),
        details=(
            ("trials", float(trials)),
            ("t_opt", float(t_opt)),
            *(() if log_e is None else (("log_e_value", log_e),)),
        ),
    )


METHODS: Final[dict[str, Callable[..., object]]] = {"beta_binomial": beta_binomial}
