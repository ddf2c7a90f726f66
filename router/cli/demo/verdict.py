"""Did the demo hold what it promises, by the users' own count against the report's?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from router.cli.demo.configuration import CHALLENGER
from router.cli.demo.reading import Reading
from router.cli.demo.users import Tally


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, whether it held, and the figures by which one can see it."""

    promise: str
    held: bool
    figures: str


def counts_agree(tally: Tally, reading: Reading, versions: Mapping[str, str]) -> bool:
    """Whether the report has counted exactly what the users sent; ``versions``: model version by variant."""
    return _requests(tally, reading, versions).held and _outcomes(tally, reading, versions).held


def judge(tally: Tally, reading: Reading, versions: Mapping[str, str]) -> tuple[Check, ...]:
    """The promises in the order in which they build on each other."""
    return (
        _answers(tally),
        _requests(tally, reading, versions),
        _outcomes(tally, reading, versions),
        _better(reading),
    )


def _answers(tally: Tally) -> Check:
    answered = tally.answered.total()
    figures = f"{answered:,} of {tally.sent:,}"
    if tally.failed:
        figures += f"; {tally.failed:,} failed, such as: {'; '.join(tally.failures)}"
    return Check("every request was answered", 0 < tally.sent == answered and not tally.failed, figures)


def _requests(tally: Tally, reading: Reading, versions: Mapping[str, str]) -> Check:
    pairs = {name: (reading.requests(name), tally.answered[version]) for name, version in versions.items()}
    return Check(
        "every request was counted once, for the model that answered it",
        all(reported == own for reported, own in pairs.values()),
        ", ".join(f"{name} {reported:,} of {own:,}" for name, (reported, own) in pairs.items()),
    )


def _outcomes(tally: Tally, reading: Reading, versions: Mapping[str, str]) -> Check:
    pairs = {
        name: (reading.outcomes(name), (tally.outcomes[version], tally.right[version]))
        for name, version in versions.items()
    }
    acknowledged = tally.acknowledged
    held = (
        all(reported == own for reported, own in pairs.values())
        and acknowledged["accepted"] == tally.outcomes.total()
        and acknowledged["duplicate"] == tally.posted_again
    )
    counts = ", ".join(f"{name} {reported[0]:,} of {own[0]:,}" for name, (reported, own) in pairs.items())
    return Check(
        "every outcome was counted once",
        held,
        f"{counts}; {tally.late:,} came late; of {tally.posted_again:,} posted again, "
        f"{acknowledged['duplicate']:,} were known",
    )


def _better(reading: Reading) -> Check:
    effect = reading.effect
    if effect is None:
        return Check("the better model was found", False, f"no effect yet: {reading.no_effect}")
    figures = (
        f"{CHALLENGER} {effect.estimate:+.4f} right answers per question, "
        f"{effect.level:.0%} interval {effect.lower:+.4f} to {effect.upper:+.4f}, valid at every look; "
        f"the report's decision: {effect.decision}"
    )
    return Check("the better model was found", effect.decision == "better", figures)
