"""What does the shadow's demo start, show and promise?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import httpx
from rich.console import RenderableType

from router.cli.demo.checks import Check
from router.cli.demo.configuration import CHALLENGER, CONTROL, Server
from router.cli.demo.counting import read_counted
from router.cli.demo.scenario import OF_EXPERIMENT, Scenario, fetch
from router.cli.demo.shadow.configuration import SERVERS, SHADOW, write_configuration
from router.cli.demo.shadow.picture import found_lines, make_line, make_table
from router.cli.demo.shadow.reading import Reading, read_copies
from router.cli.demo.shadow.verdict import judge, settled
from router.cli.demo.users import Tally

_OF_SHADOW = f"/api/v1/shadows/{SHADOW}"


class Shadowed(Scenario[Reading]):
    """One model answers everybody; another one gets copies, and is compared with it."""

    command: ClassVar[str] = "demo shadow"
    opening: ClassVar[str] = (
        "Training two models on scikit-learn's handwritten digits, the current one and a candidate; "
        "starting the router."
    )
    servers: ClassVar[Mapping[str, Server]] = SERVERS
    also: ClassVar[Sequence[tuple[str, str]]] = (
        ("read what the shadow answers", _OF_SHADOW),
        ("read some pairs that differ", f"{_OF_SHADOW}/examples"),
    )

    def configuration(self, urls: Mapping[str, str]) -> str:
        """All traffic to one model, a copy of each request to the other, and to the same again."""
        return write_configuration(urls[CONTROL], urls[CHALLENGER])

    def blank(self) -> Reading:
        """Nothing copied yet."""
        return Reading()

    async def look(self, control: httpx.AsyncClient, before: Reading) -> Reading:
        """The reports of the experiment and of the shadow, and what became of the copies."""
        counted = read_counted(await fetch(control, f"{OF_EXPERIMENT}/report"))
        report = await fetch(control, _OF_SHADOW)
        metrics = await control.get("/metrics")
        metrics.raise_for_status()
        return replace(before, counted=counted, report=report, copies=read_copies(metrics.text))

    async def conclude(self, control: httpx.AsyncClient, last: Reading) -> Reading:
        """With an example."""
        examples = (await fetch(control, f"{_OF_SHADOW}/examples", limit=1))["examples"]
        return replace(last, example=next(iter(examples), None))

    def settled(self, tally: Tally, reading: Reading, versions: Mapping[str, str]) -> bool:
        """When requests, outcomes, copies and pairs have all been counted."""
        return settled(tally, reading, versions)

    def table(self, progress: str, tally: Tally, reading: Reading) -> RenderableType:
        """The candidate's pairs, and the current model's own."""
        return make_table(progress, tally, reading)

    def line(self, tally: Tally, reading: Reading) -> str:
        """The same."""
        return make_line(tally, reading)

    def found(self, tally: Tally, reading: Reading) -> Sequence[str]:
        """Agreement, latency, an example."""
        return found_lines(reading)

    def judge(self, tally: Tally, reading: Reading, versions: Mapping[str, str]) -> tuple[Check, ...]:
        """Nobody noticed, nothing was lost, and the difference was found."""
        return judge(tally, reading, versions)
