"""What does the bandit's demo start, show and promise?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import time
from typing import ClassVar

import httpx
from rich.console import RenderableType

from router.cli.demo.bandit.configuration import SERVERS, write_configuration
from router.cli.demo.bandit.picture import make_line, make_table
from router.cli.demo.bandit.reading import Reading
from router.cli.demo.bandit.verdict import judge
from router.cli.demo.checks import Check, counts_agree
from router.cli.demo.configuration import Server
from router.cli.demo.counting import read_counted
from router.cli.demo.planning import fetch_plans, fetch_policy, fetch_policy_after
from router.cli.demo.scenario import OF_EXPERIMENT, Scenario, fetch
from router.cli.demo.users import Tally


class ThreeArms(Scenario[Reading]):
    """Thompson sampling over three models, planned anew every two seconds."""

    command: ClassVar[str] = "demo bandit"
    opening: ClassVar[str] = (
        "Training three models on scikit-learn's handwritten digits; starting the router."
    )
    servers: ClassVar[Mapping[str, Server]] = SERVERS
    also: ClassVar[Sequence[tuple[str, str]]] = (
        ("read how the bandit stands", f"{OF_EXPERIMENT}/policy"),
        ("read which plans there were", f"{OF_EXPERIMENT}/plans"),
    )

    def configuration(self, urls: Mapping[str, str]) -> str:
        """One experiment with three variants under a bandit."""
        return write_configuration(urls)

    def blank(self) -> Reading:
        """Nothing counted, nothing planned."""
        return Reading()

    async def look(self, control: httpx.AsyncClient, before: Reading) -> Reading:
        """What was counted, and what the policy made of it."""
        policy = await fetch_policy(control)
        counted = read_counted(await fetch(control, f"{OF_EXPERIMENT}/report"))
        return replace(before, counted=counted, policy=policy)

    async def conclude(self, control: httpx.AsyncClient, last: Reading) -> Reading:
        """With all plans, and with what the policy made of the last outcomes."""
        policy = await fetch_policy_after(control, time())
        return replace(last, policy=policy, plans=await fetch_plans(control))

    def settled(self, tally: Tally, reading: Reading, versions: Mapping[str, str]) -> bool:
        """When the report has counted what the users did."""
        return counts_agree(tally, reading, versions, one_epoch=False)

    def table(self, progress: str, tally: Tally, reading: Reading) -> RenderableType:
        """Weights and beliefs by arm."""
        return make_table(progress, tally, reading)

    def line(self, tally: Tally, reading: Reading) -> str:
        """The same."""
        return make_line(reading)

    def judge(self, tally: Tally, reading: Reading, versions: Mapping[str, str]) -> tuple[Check, ...]:
        """All is counted once, and the best model won at a small cost."""
        return judge(tally, reading, versions)
