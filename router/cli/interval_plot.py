"""How does an interval look in a line of text?"""

from __future__ import annotations

from math import isinf

WIDTH = 25


def interval_plot(low: float, middle: float, high: float, width: int = WIDTH) -> str:
    """Zero in the centre, the interval and its estimate around it, on a scale of the row's own.

    An end that is unbounded, or outside the scale, is an arrow. ``width`` is odd and at least 5.

    >>> interval_plot(0.01, 0.02, 0.04, 17)
    '        | [-o--] '
    """
    half = width // 2
    bounds = [abs(bound) for bound in (low, middle, high) if not isinf(bound)]
    scale = max(bounds, default=0.0) * 1.1 or 1.0

    def column(value: float) -> int:
        if isinf(value):
            return 0 if value < 0 else width - 1
        return half + round(value / scale * half)

    first, point, last = column(low), column(middle), column(high)
    row = [" "] * width
    row[first : last + 1] = "-" * (last + 1 - first)
    row[first] = "<" if isinf(low) else "["
    row[last] = ">" if isinf(high) else "]"
    row[half] = "|"
    row[point] = "o"
    return "".join(row)
