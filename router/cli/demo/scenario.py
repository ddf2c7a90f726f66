"""What is one demo to the machinery that runs all of them?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import httpx
from rich.console import RenderableType

from router.cli.demo.checks import Check
from router.cli.demo.configuration import EXPERIMENT, Server
from router.cli.demo.users import Tally

Reading = TypeVar("Reading")

OF_EXPERIMENT = f"/api/v1/experiments/{EXPERIMENT}"


class Scenario(ABC, Generic[Reading]):
    """Which models there are, what is configured, what one sees of it, and what it promises.

    A reading is what the control plane says at one moment, a frozen value. ``servers`` are by the name of the
    variant that each serves. ``versions`` are the model versions, by the same names.
    """

    command: ClassVar[str] = "demo"
    opening: ClassVar[str]
    """What is being started, in words."""
    servers: ClassVar[Mapping[str, Server]]
    models_may_fail: ClassVar[bool] = False
    """Whether a model's own answer of 500 is part of it, and no failure of the service."""
    again_seconds: ClassVar[int] = 10
    """For how long users come when it is started again to be kept."""
    also: ClassVar[Sequence[tuple[str, str]]] = ()
    """What else one may read when it is kept: what it is, and the path on the control port."""

    @abstractmethod
    def configuration(self, urls: Mapping[str, str]) -> str:
        """The YAML file's text, for the URLs of `servers`."""

    @abstractmethod
    def blank(self) -> Reading:
        """What there is before anything was read."""

    @abstractmethod
    async def look(self, control: httpx.AsyncClient, before: Reading) -> Reading:
        """What the control plane says now; may do what an operator would do about it.

        `httpx.HTTPError` where it does not answer: then ``before`` stands, and one looks again.
        """

    async def conclude(self, control: httpx.AsyncClient, last: Reading) -> Reading:
        """What is read once, at the end; `httpx.HTTPError` as above."""
        return last

    def over(self, reading: Reading) -> bool:
        """Whether there is nothing more to see, so that users need not come any longer."""
        return False

    @abstractmethod
    def settled(self, tally: Tally, reading: Reading, versions: Mapping[str, str]) -> bool:
        """Whether all that the users did is in the reading."""

    def headline(self, reading: Reading) -> Hashable:
        """What is worth a line of its own whenever it changes."""
        return None

    @abstractmethod
    def table(self, progress: str, tally: Tally, reading: Reading) -> RenderableType:
        """The whole picture, for a terminal."""

    @abstractmethod
    def line(self, tally: Tally, reading: Reading) -> str:
        """The same in one line."""

    def found(self, tally: Tally, reading: Reading) -> Sequence[str]:
        """What was found, a line each, beside what is promised."""
        return ()

    @abstractmethod
    def judge(self, tally: Tally, reading: Reading, versions: Mapping[str, str]) -> tuple[Check, ...]:
        """The promises in the order in which they build on each other."""


async def fetch(control: httpx.AsyncClient, path: str, **query: str | int) -> Any:
    """The JSON that the control plane answers; `httpx.HTTPError` where that is not a success."""
    response = await control.get(path, params=query)
    response.raise_for_status()
    return response.json()
