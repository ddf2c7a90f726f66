"""Which rates are tried, and when is a backend at its limit?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, log

# When more of the requests than this are sent late, it is this machine that cannot keep up.
_LATE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Limits:
    """What a backend must keep to: the share of errors, and the 99th percentile in seconds."""

    errors: float
    p99: float


@dataclass(frozen=True, slots=True)
class Step:
    """What a rate came to: requests a second asked for and answered, and latencies in seconds.

    Latencies count from when a request was due, not from when it could be sent, so that a backend which
    holds up the sender is not spared. ``late`` of ``due`` requests were sent late by the sender's own fault.
    ``failures`` counts those of ``failed`` by what happened.
    """

    rate: float
    seconds: float
    due: int
    answered: int
    failed: int
    late: int
    p50: float
    p90: float
    p99: float
    longest: float
    failures: Mapping[str, int] = field(default_factory=dict)

    @property
    def errors(self) -> float:
        """The share of all that were due."""
        return self.failed / self.due if self.due else 0.0

    @property
    def throughput(self) -> float:
        """Good answers a second."""
        return self.answered / self.seconds if self.seconds > 0 else 0.0


def rates(start: float, end: float, factor: float) -> tuple[float, ...]:
    """From ``start`` to ``end`` by equal factors of at most ``factor``.

    >>> rates(10, 80, 2)
    (10.0, 20.0, 40.0, 80.0)
    """
    if end <= start:
        return (float(end),)
    count = ceil(log(end / start) / log(factor) - 1e-9)
    each = (end / start) ** (1 / count)
    return (*(round(start * each**place, 3) for place in range(count)), float(end))


def broken(step: Step, limits: Limits) -> str | None:
    """Which limit a step broke; None where it kept to all."""
    if step.errors > limits.errors:
        how = ", ".join(f"{count} {what}" for what, count in step.failures.items())
        named = f" ({how})" if how else ""
        return f"{step.errors:.2%} of the requests failed{named}; allowed: {limits.errors:.2%}"
    if step.p99 > limits.p99:
        return f"the 99th percentile was {step.p99 * 1e3:.1f} ms; allowed: {limits.p99 * 1e3:.1f} ms"
    return None


def outrun(step: Step) -> bool:
    """Whether the sender itself could not keep up, so that the step says nothing of the backend."""
    return step.late > _LATE_SHARE * step.due


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the ordered values does not exceed; 0 of none.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    """
    if not ordered:
        return 0.0
    return ordered[max(ceil(share * len(ordered)) - 1, 0)]
