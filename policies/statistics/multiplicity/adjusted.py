"""Which of many p-values still count when all are judged together?

Family-wise (Bonferroni, Sidak, Holm, Hochberg, Hommel): the chance of any false positive is at most alpha.
False discovery rate (Benjamini-Hochberg, Benjamini-Yekutieli): the expected share of false ones among those
called positive is. Adjusted p-values are compared with alpha as they are, in the order that was given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.statistics.arguments import one_of

Floats = NDArray[np.float64]


def bonferroni(p_values: Sequence[float]) -> tuple[float, ...]:
    """Family-wise under any dependence: ``m p``, at most 1.

    Args: p-values (m,). Returns adjusted ones (m,). Raises ValueError outside [0, 1]. Source: Dunn (1961).

    >>> bonferroni([0.01, 0.04])
    (0.02, 0.08)
    """
    return _adjusted(p_values, lambda p, _: p * p.size)


def sidak(p_values: Sequence[float]) -> tuple[float, ...]:
    """Family-wise for independent tests: ``1 - (1 - p)**m``, exact for tiny p.

    Args, returns and errors as for ``bonferroni``. Source: Sidak (1967).

    >>> [round(p, 6) for p in sidak([0.01, 0.04])]
    [0.0199, 0.0784]
    """
    with np.errstate(divide="ignore"):  # log1p(-1) is -inf, and 1 - exp(-inf) the 1 that is meant
        return _adjusted(p_values, lambda p, _: -np.expm1(p.size * np.log1p(-p)))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Family-wise under any dependence, never less powerful than Bonferroni: step down ``(m - i + 1) p_(i)``.

    Args, returns and errors as for ``bonferroni``. Source: Holm (1979).

    >>> holm([0.01, 0.04])
    (0.02, 0.04)
    """
    return _adjusted(p_values, lambda p, rank: np.maximum.accumulate((p.size - rank + 1) * p))


def hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """Family-wise for independent or positively dependent tests: step up ``(m - i + 1) p_(i)``.

    Args, returns and errors as for ``bonferroni``. Source: Hochberg (1988).

    >>> hochberg([0.03, 0.04])
    (0.04, 0.04)
    """
    return _adjusted(p_values, lambda p, rank: _step_up((p.size - rank + 1) * p))


def hommel(p_values: Sequence[float]) -> tuple[float, ...]:
    """Family-wise for independent or positively dependent tests: Simes' test on every subset.

    Args, returns and errors as for ``bonferroni``. Takes time of the square of m.
    Source: Hommel (1988); Wright (1992) for the adjusted values.

    >>> hommel([0.03, 0.04])
    (0.04, 0.04)
    """

    def adjust(p: Floats, rank: Floats) -> Floats:
        m = p.size
        bound = np.full(m, float((m * p / rank).min())) if m else p
        result = bound.copy()
        for size in range(m - 1, 1, -1):
            low, high = p[: m - size + 1], p[m - size + 1 :]
            simes = float((size * high / np.arange(2, size + 1)).min())
            bound[: low.size] = np.minimum(size * low, simes)
            bound[low.size :] = bound[low.size - 1]
            result = np.maximum(result, bound)
        return np.maximum(result, p)

    return _adjusted(p_values, adjust)


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """False discovery rate for independent or positively dependent tests: step up ``m p_(i) / i``.

    Args, returns and errors as for ``bonferroni``. Source: Benjamini & Hochberg (1995).

    >>> benjamini_hochberg([0.01, 0.04])
    (0.02, 0.04)
    """
    return _adjusted(p_values, lambda p, rank: _step_up(p.size / rank * p))


def benjamini_yekutieli(p_values: Sequence[float]) -> tuple[float, ...]:
    """False discovery rate under any dependence: Benjamini-Hochberg times ``sum 1 / i``.

    Args, returns and errors as for ``bonferroni``. Source: Benjamini & Yekutieli (2001).

    >>> [round(p, 6) for p in benjamini_yekutieli([0.01, 0.04])]
    [0.03, 0.06]
    """
    return _adjusted(p_values, lambda p, rank: _step_up(p.size / rank * float((1.0 / rank).sum()) * p))


def unadjusted(p_values: Sequence[float]) -> tuple[float, ...]:
    """The p-values as they are, for a single question asked; checked to lie in [0, 1].

    Raises ValueError outside [0, 1]. Source: none is needed; Rothman (1990) argues for it.

    >>> unadjusted([0.01, 0.04])
    (0.01, 0.04)
    """
    return _adjusted(p_values, lambda p, _: p)


ADJUSTMENTS: Final[Mapping[str, Callable[[Sequence[float]], tuple[float, ...]]]] = MappingProxyType(
    {
        "bonferroni": bonferroni,
        "sidak": sidak,
        "holm": holm,
        "hochberg": hochberg,
        "hommel": hommel,
        "benjamini_hochberg": benjamini_hochberg,
        "benjamini_yekutieli": benjamini_yekutieli,
        "none": unadjusted,
    }
)


def adjust(p_values: Sequence[float], method: str = "holm") -> tuple[float, ...]:
    """The p-values adjusted by the named method, in the order given.

    Raises ValueError for an unknown name, with the known ones, and for p-values outside [0, 1]. Sources: see
    the methods; Dunn (1961) for the idea.

    >>> adjust([0.01, 0.04], "bonferroni")
    (0.02, 0.08)
    """
    return ADJUSTMENTS[one_of("method", method, tuple(ADJUSTMENTS))](p_values)


def _adjusted(p_values: Sequence[float], step: Callable[[Floats, Floats], Floats]) -> tuple[float, ...]:
    """Sort, apply ``step`` to the sorted p-values and their ranks from 1, cap at 1, restore the order."""
    p = np.asarray(p_values, np.float64)
    if p.ndim != 1 or not ((p >= 0.0) & (p <= 1.0)).all():
        raise ValueError(f"p_values must be a sequence of numbers in [0, 1], got {p_values!r}")
    order = np.argsort(p, kind="stable")
    result = np.empty_like(p)
    result[order] = np.minimum(step(p[order], np.arange(1.0, p.size + 1.0)), 1.0)
    return tuple(result.tolist())


def _step_up(values: Floats) -> Floats:
    lowered: Floats = np.minimum.accumulate(values[::-1])[::-1]
    return lowered


METHODS: Final[dict[str, Callable[..., object]]] = {
    **{name: function for name, function in ADJUSTMENTS.items() if name != "none"},
    "adjust": adjust,
}
