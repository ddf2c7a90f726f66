"""Did the canary's demo hold what it promises?"""

from __future__ import annotations

from collections.abc import Sequence

from router.cli.demo.canary.configuration import FAIL_SHARE, STEPS
from router.cli.demo.canary.reading import Reading, Rollout, rollouts
from router.cli.demo.checks import Check, answers
from router.cli.demo.planning import PlanMade, replays
from router.cli.demo.users import Tally


def judge(tally: Tally, reading: Reading) -> tuple[Check, ...]:
    """The promises in the order in which they build on each other."""
    ways = rollouts(reading.plans)
    return (
        answers(tally),
        counted_once(tally, reading),
        _changes(tally, reading.plans),
        _rolled_back(ways),
        _promoted(ways, reading),
        replays(reading.plans),
    )


def counted_once(tally: Tally, reading: Reading) -> Check:
    """All requests together: those that a candidate failed have no model version to be counted by."""
    counted = sum(each.requests for each in reading.counted.values())
    own = tally.answered.total() + tally.models_failures
    return Check("every request was counted once", 0 < counted == own, f"{counted:,} of {own:,}")


def _changes(tally: Tally, plans: Sequence[PlanMade]) -> Check:
    figures = (
        f"{len(plans)} changes during {tally.sent:,} requests, {tally.failed:,} failed; "
        f"the {tally.models_failures:,} answers of 500 were the failing candidate's own"
    )
    return Check(
        "no request failed because of a change of weights", bool(plans) and not tally.failed, figures
    )


def _rolled_back(ways: Sequence[Rollout]) -> Check:
    promise = f"the candidate that fails {FAIL_SHARE:.0%} was rolled back"
    if not ways:
        return Check(promise, False, "it never got any traffic")
    way = ways[0]
    figures = (
        f"{way.seconds:.1f} s after its first traffic, at {max(way.weights):g} %, after "
        f"{way.seen.requests:,} requests of which it failed {way.seen.errors:,}; {way.why}"
    )
    return Check(promise, way.rolled_back and way.why.startswith("harm"), figures)


def _promoted(ways: Sequence[Rollout], reading: Reading) -> Check:
    promise = "the healthy candidate was rolled out to all"
    if len(ways) < 2:
        return Check(promise, False, "it never got any traffic")
    way = ways[1]
    weights = ", ".join(f"{weight:g} %" for weight in way.weights)
    figures = (
        f"{weights} within {way.seconds:.1f} s, on {way.seen.requests:,} of its requests; "
        f"now {reading.policy.phase}; {way.why}"
    )
    held = way.weights == (*STEPS, 100.0) and reading.policy.phase == "Succeeded" and len(ways) == 2
    return Check(promise, held, figures)
