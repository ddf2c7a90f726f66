"""What was the first method's Bayes factor, to the last digit? (for plans that it made)

The same quantity as `policies.statistics.always_valid.sequential_multinomial.log_bayes_factor_above`, which
has become more exact; what was stored of the first method's rollouts is computed again as it was.
"""

from __future__ import annotations

from math import lgamma, log

from scipy.special import betaincc
from scipy.stats import beta as beta_distribution


def first_log_bayes_factor_above(
    counts: tuple[float, float], shares: tuple[float, float], concentration: float
) -> float:
    """By events and shares of the control and the candidate, of which both have a share."""
    total = sum(shares)
    log_e = lgamma(concentration) - lgamma(concentration + sum(counts))
    for count, share in zip(counts, [each / total for each in shares], strict=True):
        log_e += lgamma(concentration * share + count) - lgamma(concentration * share) - count * log(share)
    share = shares[1] / sum(shares)
    prior = (concentration * share, concentration * (1.0 - share))
    posterior = (prior[0] + counts[1], prior[1] + counts[0])
    return log_e + _log_tail(*posterior, share) - _log_tail(*prior, share)


def _log_tail(a: float, b: float, x: float) -> float:
    """``ln P(Beta(a, b) > x)``."""
    tail = float(betaincc(a, b, x))
    return log(tail) if tail > 0.0 else float(beta_distribution.logsf(x, a, b))
