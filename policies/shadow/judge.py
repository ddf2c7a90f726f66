"""Does the candidate differ more than the current model does from itself?

Of every request with three answers (the client's, the candidate's, and a second one of the current model)
the excess is 1 where only the candidate differed from the client's, -1 where only the second answer of the
current model did, and 0 otherwise. If the candidate differs no more than noise, its mean is at most 0: a
sequential McNemar test, by betting (`policies.shadow.bounded_mean`), which may be looked at all the time.
Where units send many requests, counts are divided by the design effect that the buckets show (Rao & Scott
1992, "A simple method for the analysis of clustered binary data", Biometrics 48(2)). Latencies and overlaps,
which take many values, have asymptotic confidence sequences over buckets.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt
from typing import Any, Final

from policies.shadow import bounded_mean
from policies.shadow.bounded_mean import Interval, interval, log_capital
from policies.shadow.sums import PairSums, ShadowSums, Sum
from policies.shadow.verdicts import MORE, NO_MORE, UNDECIDED
from policies.statistics.always_valid import asymptotic
from policies.statistics.result import Estimate

# The asymptotic intervals are narrowest at this many pairs.
_TUNING: Final = 10_000

ASSUMPTIONS: Final = (
    *bounded_mean.ASSUMPTIONS,
    "which requests are compared does not depend on their answers",
    "requests of one unit are correlated as much in future as so far (design effect)",
    *asymptotic.ASSUMPTIONS[:1],
)


@dataclass(frozen=True, slots=True)
class Excess:
    """How much more often the candidate differs than the current model from itself, of ``requests``.

    ``p_value`` is always-valid, against "no more often". Counts are as seen; ``design_effect`` is what they
    were divided by.
    """

    requests: int
    candidate_only: int
    noise_only: int
    interval: Interval
    p_value: float
    design_effect: float


def judge(sums: ShadowSums, *, margin: float, alpha: float) -> dict[str, Any]:
    """The verdict, what it rests on, and what else the pairs show, as JSON's types.

    ``margin``: by how much more of the requests the candidate may differ and still be called the same.
    ``alpha``: the chance that the verdict, at whatever moment it is read, is wrong; each interval has it too.
    """
    found = excess(sums, alpha)
    decision, why = _decision(found, margin)
    return {
        "decision": decision,
        "why": why,
        "margin": margin,
        "alpha": alpha,
        "excess": None if found is None else _excess_view(found),
        "candidate": _pairs_view(sums.candidate, alpha),
        "noise": _pairs_view(sums.noise, alpha),
        "assumptions": list(ASSUMPTIONS),
    }


def excess(sums: ShadowSums, alpha: float) -> Excess | None:
    """The excess with its interval; None where no request has all three answers."""
    size = sum(sums.both)
    if not size:
        return None
    more, less = sum(sums.candidate_only), sum(sums.noise_only)
    counts = {1.0: more, 0.0: size - more - less, -1.0: less}
    totals = [a - b for a, b in zip(sums.candidate_only, sums.noise_only, strict=True)]
    effect = design_effect(counts, totals, sums.both)
    worth = {value: count / effect for value, count in counts.items()}
    found = interval(worth, -1.0, 1.0, alpha)
    assert found is not None
    return Excess(
        requests=round(size),
        candidate_only=round(more),
        noise_only=round(less),
        interval=found,
        # Against one side; the interval spends half of alpha on it.
        p_value=min(1.0, exp(-max(log_capital(worth, 0.0, -1.0, 1.0), 0.0))),
        design_effect=effect,
    )


def design_effect(counts: dict[float, float], totals: Sum, sizes: Sum) -> float:
    """How many times the variance of a mean is what it were if all observations were independent; 1 or more.

    ``counts`` by value over all, ``totals`` and ``sizes`` by bucket. Where nothing varies, nothing shows how
    alike a unit's observations are, and each bucket is worth one.
    """
    size = sum(sizes)
    mean = sum(totals) / size
    alone = sum(count * (value - mean) ** 2 for value, count in counts.items())
    used = sum(1 for each in sizes if each)
    if used < 2 or alone <= 0.0:
        return size / used
    clustered = sum((total - mean * each) ** 2 for total, each in zip(totals, sizes, strict=True))
    return max(1.0, clustered * used / (used - 1) / alone)


def share_of(part: Sum, whole: Sum, alpha: float) -> Interval | None:
    """A share with its exact interval, allowing for the design effect."""
    size, hits = sum(whole), sum(part)
    if not size:
        return None
    counts = {1.0: hits, 0.0: size - hits}
    effect = design_effect(counts, part, whole)
    return interval({value: count / effect for value, count in counts.items()}, 0.0, 1.0, alpha)


def mean_of(total: Sum, size: Sum, alpha: float) -> dict[str, float | None] | None:
    """A mean over buckets, with the ratio's linearised variance; without interval where there is none."""
    count = sum(size)
    if not count:
        return None
    mean = sum(total) / count
    used = sum(1 for each in size if each)
    squares = sum((one - mean * each) ** 2 for one, each in zip(total, size, strict=True))
    error = sqrt(squares * used / (used - 1)) / count if used > 1 else 0.0
    found = asymptotic.confidence_sequence(mean, error, count, alpha, n_star=_TUNING)
    if isinstance(found, Estimate):
        return {"estimate": mean, "low": found.low, "high": found.high}
    return {"estimate": mean, "low": None, "high": None}


def _decision(found: Excess | None, margin: float) -> tuple[str, str]:
    if found is None:
        return UNDECIDED, "no request has a second answer of the current model: noise must be above 0"
    low, high = found.interval.low, found.interval.high
    seen = (
        f"of {found.requests} requests the candidate alone differed in {found.candidate_only}, "
        f"the current model's second answer alone in {found.noise_only}"
    )
    if high <= margin:
        return NO_MORE, f"{seen}: at most {high:.2%} more, within the margin of {margin:.2%}"
    if low > 0.0:
        return MORE, f"{seen}: at least {low:.2%} more"
    return UNDECIDED, f"{seen}: between {low:.2%} and {high:.2%} more"


def _excess_view(found: Excess) -> dict[str, Any]:
    return {
        "requests": found.requests,
        "candidate_only": found.candidate_only,
        "noise_only": found.noise_only,
        **_interval_view(found.interval),
        "p_value": found.p_value,
        "design_effect": found.design_effect,
    }


def _pairs_view(sums: PairSums, alpha: float) -> dict[str, Any]:
    disagreement = share_of(sums.differs, sums.pairs, alpha)
    top = share_of(sums.top_same, sums.top_pairs, alpha)
    return {
        "pairs": round(sum(sums.pairs)),
        "differ": round(sum(sums.differs)),
        "failed": round(sum(sums.failed)),
        "status_differs": round(sum(sums.status)),
        "body_differs": round(sum(sums.body)),
        "disagreement": None if disagreement is None else _interval_view(disagreement),
        "top_agreement": None if top is None else _interval_view(top),
        "rank_overlap": mean_of(sums.overlap, sums.ranked, alpha),
        "seconds_more": mean_of(sums.seconds, sums.timed, alpha),
    }


def _interval_view(found: Interval) -> dict[str, float]:
    return {"estimate": found.estimate, "low": found.low, "high": found.high}
