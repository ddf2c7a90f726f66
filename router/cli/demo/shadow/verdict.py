"""Did the shadow's demo hold what it promises?"""

from __future__ import annotations

from collections.abc import Mapping

from policies.shadow.verdicts import MORE
from router.cli.demo.checks import Check, answers, counts_agree, outcomes
from router.cli.demo.configuration import CONTROL
from router.cli.demo.shadow.reading import Reading
from router.cli.demo.users import Tally


def judge(tally: Tally, reading: Reading, versions: Mapping[str, str]) -> tuple[Check, ...]:
    """The promises in the order in which they build on each other."""
    return (
        answers(tally),
        _untouched(tally, reading, versions),
        outcomes(tally, reading, versions),
        _copied(tally, reading),
        _compared(reading),
        _difference(reading),
    )


def settled(tally: Tally, reading: Reading, versions: Mapping[str, str]) -> bool:
    """Whether all requests, outcomes, copies and pairs have been counted."""
    return counts_agree(tally, reading, versions) and _copied(tally, reading).held and _compared(reading).held


def _untouched(tally: Tally, reading: Reading, versions: Mapping[str, str]) -> Check:
    own, total = tally.answered[versions[CONTROL]], tally.answered.total()
    figures = (
        f"{own:,} of {total:,} came from version {versions[CONTROL]}, {reading.requests(CONTROL):,} counted"
    )
    held = 0 < own == total == reading.requests(CONTROL)
    return Check("every answer was the current model's", held, figures)


def _copied(tally: Tally, reading: Reading) -> Check:
    copies = reading.copies
    figures = (
        f"{copies.sent:,} sent, {copies.dropped:,} dropped for want of room, {copies.skipped:,} skipped by a "
        f"rule, of {tally.sent:,} requests; {copies.noise_sent:,} second requests to the current model"
    )
    return Check("every copy is accounted for", 0 < copies.sent <= copies.total == tally.sent, figures)


def _compared(reading: Reading) -> Check:
    pairs, left_out = reading.pairs, reading.copies.uncompared
    reasons = "".join(f", {number:,} left out ({reason})" for reason, number in left_out.items())
    held = 0 < pairs <= reading.copies.sent <= pairs + sum(left_out.values())
    figures = f"{pairs:,} of {reading.copies.sent:,}{reasons}"
    return Check("every copy's answer was compared, or counted as left out", held, figures)


def _difference(reading: Reading) -> Check:
    promise = "the candidate was found to differ, by more than the current model from itself"
    if reading.report is None:
        return Check(promise, False, reading.decision)
    excess = reading.report["excess"]
    p_value = "" if excess is None else f" (p {excess['p_value']:.2g}, valid at every look)"
    return Check(promise, reading.decision == MORE, f"{reading.report['why']}{p_value}")
