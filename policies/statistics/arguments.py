"""Is this argument in its allowed range?

Each check returns the value it was given, or raises ``ValueError`` with the argument's name, its value and
what is allowed. Evidence that is merely too thin is not a wrong argument: methods answer that with
``NotEstimable``.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from math import isfinite
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")


def share(name: str, value: float) -> float:
    """A number strictly between 0 and 1: a level, a quantile's rank, a power.

    >>> share("alpha", 0.05)
    0.05
    """
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} must be in (0, 1), got {value!r}")
    return value


def positive(name: str, value: float) -> float:
    """A finite number above 0.

    >>> positive("n_star", 5000)
    5000
    """
    if not (isfinite(value) and value > 0.0):
        raise ValueError(f"{name} must be finite and > 0, got {value!r}")
    return value


def nonnegative(name: str, value: float) -> float:
    """A finite number of at least 0: a count, a standard error, a variance.

    >>> nonnegative("n", 0)
    0
    """
    if not (isfinite(value) and value >= 0.0):
        raise ValueError(f"{name} must be finite and >= 0, got {value!r}")
    return value


def finite(name: str, value: float) -> float:
    """A number that is neither infinite nor NaN.

    >>> finite("estimate", -0.5)
    -0.5
    """
    if not isfinite(value):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return value


def whole(name: str, value: float) -> int:
    """A whole number of at least 0, as an int: a count of rows, of trials.

    >>> whole("n", 3.0)
    3
    """
    if not (isfinite(value) and value >= 0.0 and value == int(value)):
        raise ValueError(f"{name} must be a whole number >= 0, got {value!r}")
    return int(value)


def one_of(name: str, value: T, known: Collection[T]) -> T:
    """One of the known values; the refusal lists them, and the nearest when both are words.

    >>> one_of("sides", 2, (1, 2))
    2
    """
    if value in known:
        return value
    near = get_close_matches(str(value), [str(each) for each in known], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name} must be one of {', '.join(repr(each) for each in known)}, got {value!r}{hint}")


def shares(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """The values (n,) as an array, if all are in [0, 1].

    >>> shares("values", [0, 1]).tolist()
    [0.0, 1.0]
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1:
        raise ValueError(f"{name} must be of one dimension, got {x.ndim}")
    if x.size and not (x.min() >= 0.0 and x.max() <= 1.0):
        raise ValueError(f"{name} must be in [0, 1], got {x.min()!r} to {x.max()!r}")
    return x


def numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """The values, of any shape, flattened to (n,), if all are finite; the refusal says which is not.

    >>> numbers("values", [2, 1]).tolist()
    [2.0, 1.0]
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    wrong = np.flatnonzero(~np.isfinite(x))
    if wrong.size:
        raise ValueError(f"{name}[{wrong[0]}] must be finite, got {float(x[wrong[0]])!r}")
    return x
