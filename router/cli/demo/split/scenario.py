"""What does the split's demo start, show and promise?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import httpx
from rich.console import RenderableType

from router.cli.demo.checks import Check, counts_agree
from router.cli.demo.configuration import CHALLENGER, CONTROL, Server
from router.cli.demo.scenario import OF_EXPERIMENT, Scenario, fetch
from router.cli.demo.split.configuration import SERVERS, write_configuration
from router.cli.demo.split.picture import make_line, make_table
from router.cli.demo.split.reading import Reading, read_report
from router.cli.demo.split.verdict import judge
from router.cli.demo.users import Tally


class Split(Scenario[Reading]):
    """Half of the users to each of two models, until the report says which is the better one."""

    opening: ClassVar[str] = "Training two models on scikit-learn's handwritten digits; starting the router."
    servers: ClassVar[Mapping[str, Server]] = SERVERS

    def configuration(self, urls: Mapping[str, str]) -> str:
        """One experiment with two variants."""
        return write_configuration(urls[CONTROL], urls[CHALLENGER])

    def blank(self) -> Reading:
        """Nothing counted yet."""
        return Reading()

    async def look(self, control: httpx.AsyncClient, before: Reading) -> Reading:
        """The report as it is now."""
        return read_report(await fetch(control, f"{OF_EXPERIMENT}/report"))

    def settled(self, tally: Tally, reading: Reading, versions: Mapping[str, str]) -> bool:
        """When the report has counted what the users did."""
        return counts_agree(tally, reading, versions)

    def table(self, progress: str, tally: Tally, reading: Reading) -> RenderableType:
        """Variants, their counts and the effect."""
        return make_table(progress, tally, reading)

    def line(self, tally: Tally, reading: Reading) -> str:
        """The same."""
        return make_line(reading)

    def judge(self, tally: Tally, reading: Reading, versions: Mapping[str, str]) -> tuple[Check, ...]:
        """All is answered and counted once, and the better model found."""
        return judge(tally, reading, versions)
