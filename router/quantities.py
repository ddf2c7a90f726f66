"""How many seconds, or bytes, does a text such as ``250ms`` or ``64KiB`` mean?"""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
from re import fullmatch

from router.settings import Duration, Size

DURATIONS = "a number of seconds or text such as 250ms, 2s, 5m, 1h, 7d"
SIZES = "a whole number of bytes or text such as 64KiB, 10MB, 1GiB"

_SECONDS = {
    "us": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
    "w": Fraction(7 * 86400),
}
_BYTES = {"B": 1} | {
    prefix + suffix: base**power
    for power, prefix in enumerate("KMGT", start=1)
    for suffix, base in (("B", 1000), ("iB", 1024))
}
_BYTES["kB"] = 1000


def duration(value: object) -> Duration:
    """Seconds; `ValueError` for what is neither a finite number nor a number with a unit of time.

    >>> duration("250ms")
    0.25
    """
    if isinstance(value, str):
        return Duration(_amount(value, _SECONDS))
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return Duration(value)
    raise ValueError(f"allowed: {DURATIONS}")


def size(value: object) -> Size:
    """Bytes; `ValueError` for what is neither a whole number nor a number with a unit of size.

    >>> size("64KiB")
    65536
    """
    amount = _amount(value, _BYTES) if isinstance(value, str) else value
    if isinstance(amount, int | Fraction) and not isinstance(amount, bool) and amount == int(amount):
        return Size(amount)
    raise ValueError(f"allowed: {SIZES}")


def _amount(text: str, units: dict[str, Fraction] | dict[str, int]) -> Fraction:
    """Number times unit, exactly: a float would make 0.1 ms of 100 us only nearly."""
    match = fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([A-Za-z]+)", text.strip())
    if match is None or match[2] not in units:
        raise ValueError(f"allowed: a number and one of the units {', '.join(units)}")
    return Fraction(match[1]) * units[match[2]]
