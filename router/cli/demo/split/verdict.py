"""Did the split's demo hold what it promises?"""

from __future__ import annotations

from collections.abc import Mapping

from router.cli.demo.checks import Check, answers, outcomes, requests
from router.cli.demo.configuration import CHALLENGER
from router.cli.demo.split.reading import Reading
from router.cli.demo.users import Tally


def judge(tally: Tally, reading: Reading, versions: Mapping[str, str]) -> tuple[Check, ...]:
    """The promises in the order in which they build on each other."""
    return (
        answers(tally),
        requests(tally, reading, versions),
        outcomes(tally, reading, versions),
        _better(reading),
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
