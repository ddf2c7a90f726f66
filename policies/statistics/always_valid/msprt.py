"""How likely is the data under a spread of effects rather than under none, at any time? (mSPRT)

The mixture sequential probability ratio test (Robbins 1970; Johari, Koomen, Pekelis & Walsh 2022, "Always
valid inference", Operations Research) with a normal mixture N(0, tau**2) over effects, V the variance of the
estimate:

    e = sqrt(V / (V + tau**2)) * exp(tau**2 d**2 / (2 V (V + tau**2))),    p = min(1, 1/e)

``tau`` is the spread of effects expected, fixed before the start and never a function of the sample's size:
a tau that shrinks with the standard error gives a constant critical value, which the law of the iterated
logarithm crosses sooner or later.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, log1p, sqrt
from typing import Final

from policies.statistics.arguments import finite, nonnegative, positive, share
from policies.statistics.result import Estimate, NotEstimable


def msprt(estimate: float, standard_error: float, tau: float, alpha: float = 0.05) -> Estimate | NotEstimable:
    """The mSPRT at one look, with the interval of all effects it does not reject.

    Args: estimate, its standard_error and tau in the metric's unit (tau: standard deviation of plausible
    effects). Returns ``NotEstimable`` for a zero standard error; raises ValueError for arguments out of their
    range.

    >>> result = msprt(0.01, 0.004, tau=0.01)
    >>> round(result.p_value, 6), round(result.low, 6)
    (0.182052, -0.002164)
    """
    method = "mSPRT"
    finite("estimate", estimate)
    nonnegative("standard_error", standard_error)
    positive("tau", tau)
    share("alpha", alpha)
    if standard_error == 0.0:
        return NotEstimable(method, "the standard error is zero: no variation was seen")
    ratio = (tau / standard_error) ** 2
    log_e = 0.5 * (ratio / (1.0 + ratio) * (estimate / standard_error) ** 2 - log1p(ratio))
    width = standard_error * sqrt((1.0 + ratio) / ratio * (log1p(ratio) - 2.0 * log(alpha)))
    return Estimate(
        method=method,
        estimate=estimate,
        standard_error=standard_error,
        low=estimate - width,
        high=estimate + width,
        level=1.0 - alpha,
        p_value=exp(min(0.0, -log_e)),
        e_value=exp(min(log_e, 700.0)),
        assumptions=(
            "the estimate is nearly normal from the first look on",
            "tau was fixed before the start",
        ),
        details=(("log_e_value", log_e), ("tau", float(tau))),
    )


METHODS: Final[dict[str, Callable[..., object]]] = {"msprt": msprt}
