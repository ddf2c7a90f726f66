"""Did a demo hold what all of them promise, by the users' own count against the report's?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from router.cli.demo.counting import Counts
from router.cli.demo.users import Tally


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, whether it held, and the figures by which one can see it."""

    promise: str
    held: bool
    figures: str


def counts_agree(
    tally: Tally, counts: Counts, versions: Mapping[str, str], *, one_epoch: bool = True
) -> bool:
    """Whether the report has counted exactly what the users sent; ``versions``: model version by variant."""
    counted = outcomes(tally, counts, versions, one_epoch=one_epoch)
    return requests(tally, counts, versions).held and counted.held


def answers(tally: Tally) -> Check:
    """Every request, but for those that a model failed by itself where that is part of the demo."""
    answered = tally.answered.total() + tally.models_failures
    figures = f"{answered:,} of {tally.sent:,}"
    if tally.models_failures:
        figures += f", {tally.models_failures:,} of them with the model's own 500"
    if tally.failed:
        figures += f"; {tally.failed:,} failed, such as: {'; '.join(tally.failures)}"
    return Check("every request was answered", 0 < tally.sent == answered and not tally.failed, figures)


def requests(tally: Tally, counts: Counts, versions: Mapping[str, str]) -> Check:
    """Each counted once, under the variant whose model answered."""
    pairs = {name: (counts.requests(name), tally.answered[version]) for name, version in versions.items()}
    return Check(
        "every request was counted once, for the model that answered it",
        all(reported == own for reported, own in pairs.values()),
        ", ".join(f"{name} {reported:,} of {own:,}" for name, (reported, own) in pairs.items()),
    )


def outcomes(tally: Tally, counts: Counts, versions: Mapping[str, str], *, one_epoch: bool = True) -> Check:
    """Each counted once, however late and however often it was posted.

    Of several epochs a report's mean is weighed by epoch: then the sums cannot be had from it, only counts.
    """
    known = 2 if one_epoch else 1
    pairs = {
        name: (counts.outcomes(name)[:known], (tally.outcomes[version], tally.right[version])[:known])
        for name, version in versions.items()
    }
    acknowledged = tally.acknowledged
    held = (
        all(reported == own for reported, own in pairs.values())
        and acknowledged["accepted"] == tally.outcomes.total()
        and acknowledged["duplicate"] == tally.posted_again
    )
    figures = ", ".join(f"{name} {reported[0]:,} of {own[0]:,}" for name, (reported, own) in pairs.items())
    return Check(
        "every outcome was counted once",
        held,
        f"{figures}; {tally.late:,} came late; of {tally.posted_again:,} posted again, "
        f"{acknowledged['duplicate']:,} were known",
    )
