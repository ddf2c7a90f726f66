"""What does the canary's demo start, show and promise?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import httpx
from rich.console import RenderableType

from router.cli.demo.canary.configuration import FIXED, SERVERS, with_fixed_candidate, write_configuration
from router.cli.demo.canary.picture import make_line, make_table
from router.cli.demo.canary.reading import Reading
from router.cli.demo.canary.verdict import counted_once, judge
from router.cli.demo.checks import Check
from router.cli.demo.configuration import CHALLENGER, CONTROL, Server
from router.cli.demo.counting import read_counted
from router.cli.demo.planning import PolicyNow, fetch_plans, fetch_policy
from router.cli.demo.scenario import OF_EXPERIMENT, Scenario, fetch
from router.cli.demo.users import Tally

_CONFIGURATION = "/api/v1/configuration"


class CanaryOfTwo(Scenario[Reading]):
    """A candidate that fails, until it is rolled back; then one that does not, until it has all traffic."""

    command: ClassVar[str] = "demo canary"
    opening: ClassVar[str] = (
        "Training models on scikit-learn's handwritten digits: the current one, a better one that fails 5 % "
        "of its requests, and the same one well; starting the router."
    )
    servers: ClassVar[Mapping[str, Server]] = SERVERS
    models_may_fail: ClassVar[bool] = True
    again_seconds: ClassVar[int] = 60
    also: ClassVar[Sequence[tuple[str, str]]] = (
        ("read how the canary stands", f"{OF_EXPERIMENT}/policy"),
        ("read which plans there were", f"{OF_EXPERIMENT}/plans"),
    )

    def configuration(self, urls: Mapping[str, str]) -> str:
        """One experiment under a canary; the third server is known, and not used yet."""
        return write_configuration(urls[CONTROL], urls[CHALLENGER], urls[FIXED])

    def blank(self) -> Reading:
        """The failing candidate, not begun."""
        return Reading()

    async def look(self, control: httpx.AsyncClient, before: Reading) -> Reading:
        """How the canary stands; once the failing candidate is out, the fixed one takes its name."""
        policy = await fetch_policy(control)
        counted = read_counted(await fetch(control, f"{OF_EXPERIMENT}/report"))
        if before.act == "failing" and policy.phase == "Failed":
            await _replace_candidate(control)
            return replace(before, counted=counted, act="fixed", policy=PolicyNow())
        return replace(before, counted=counted, policy=policy)

    async def conclude(self, control: httpx.AsyncClient, last: Reading) -> Reading:
        """With all plans."""
        return replace(last, plans=await fetch_plans(control))

    def over(self, reading: Reading) -> bool:
        """When the fixed candidate has been judged, or the failing one was let pass."""
        ends = ("Succeeded",) if reading.act == "failing" else ("Succeeded", "Failed")
        return reading.policy.phase in ends

    def settled(self, tally: Tally, reading: Reading, versions: Mapping[str, str]) -> bool:
        """When all requests have been counted."""
        return counted_once(tally, reading).held

    def headline(self, reading: Reading) -> Hashable:
        """Who is the candidate, in which phase, at which step."""
        return reading.act, reading.policy.phase, reading.policy.step

    def table(self, progress: str, tally: Tally, reading: Reading) -> RenderableType:
        """Phase, verdict and evidence."""
        return make_table(progress, tally, reading)

    def line(self, tally: Tally, reading: Reading) -> str:
        """The same."""
        return make_line(tally, reading)

    def judge(self, tally: Tally, reading: Reading, versions: Mapping[str, str]) -> tuple[Check, ...]:
        """Harm was found, health was, and nobody noticed."""
        return judge(tally, reading)


async def _replace_candidate(control: httpx.AsyncClient) -> None:
    """As an operator would: read the configuration, change it, and put it back if it is still the same."""
    configured = await control.get(_CONFIGURATION)
    configured.raise_for_status()
    changed = await control.put(
        _CONFIGURATION,
        params={"why": "the candidate was fixed"},
        headers={"if-match": configured.headers["etag"]},
        json=with_fixed_candidate(configured.json()),
    )
    changed.raise_for_status()
