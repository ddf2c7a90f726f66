"""Did the bandit's demo hold what it promises?"""

from __future__ import annotations

from collections.abc import Mapping

from router.cli.demo.bandit.configuration import BEST, SERVERS
from router.cli.demo.bandit.reading import Reading, regret
from router.cli.demo.checks import Check, answers, outcomes, requests
from router.cli.demo.configuration import CONTROL
from router.cli.demo.planning import replays
from router.cli.demo.users import Tally


def judge(tally: Tally, reading: Reading, versions: Mapping[str, str]) -> tuple[Check, ...]:
    """The promises in the order in which they build on each other."""
    return (
        answers(tally),
        requests(tally, reading, versions),
        outcomes(tally, reading, versions, one_epoch=False),
        _most_traffic(reading),
        _less_regret(reading),
        _interval(reading),
        replays(reading.plans),
    )


def _most_traffic(reading: Reading) -> Check:
    had = {name: reading.requests(name) for name in SERVERS}
    weights = ", ".join(f"{name} {reading.policy.share(name):.1%}" for name in SERVERS)
    figures = (
        f"{', '.join(f'{name} {number:,}' for name, number in had.items())} requests; weights now {weights}"
    )
    held = all(
        had[BEST] > had[name] and reading.policy.share(BEST) > reading.policy.share(name)
        for name in SERVERS
        if name != BEST
    )
    return Check("the best model got the most traffic", held, figures)


def _less_regret(reading: Reading) -> Check:
    promise = "fewer right answers were lost than by an even split"
    found = regret(reading)
    if found is None:
        return Check(promise, False, reading.policy.why)
    figures = (
        f"about {found.estimate:.0f} (standard error {found.standard_error:.0f}) "
        f"against {found.of_even_split:.0f}, by the same means"
    )
    return Check(promise, found.estimate < found.of_even_split, figures)


def _interval(reading: Reading) -> Check:
    promise = f"the interval of {BEST} against {CONTROL} is above 0"
    found = reading.of_arm("batched_ols", BEST)
    if found is None or found["low"] is None:
        return Check(promise, False, reading.policy.why if found is None else found["reason"])
    figures = (
        f"{found['estimate']:+.4f} right answers per question, {found['level']:.0%} interval "
        f"{found['low']:+.4f} to {found['high']:+.4f} by batched OLS over {found['epochs']} epochs"
    )
    return Check(promise, found["low"] > 0, figures)
