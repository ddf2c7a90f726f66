"""``turnout force``: by which header does a test get one variant?"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict
from rich.console import Console

from router.cli.change_lines import when
from router.cli.client import Client
from router.cli.contexts import Target
from router.cli.options import Output
from router.cli.showing import show


class Forced(Struct, frozen=True):
    """The header, good until ``expires`` (unix seconds)."""

    header: str
    value: str
    expires: int


def run(target: Target, experiment: str, variant: str, seconds: int, output: Output) -> None:
    """Print the header."""
    body = {"variant": variant, "seconds": seconds}
    with Client(target) as client:
        forced = client.send("POST", "experiments", experiment, "force", body=body).read(Forced)

    show(output, asdict(forced), lambda to: _print(to, forced))


def _print(to: Console, forced: Forced) -> None:
    to.print(f"{forced.header}: {forced.value}", markup=False, soft_wrap=True)
    to.print(f"good until {when(forced.expires)}; requests with it are not counted", markup=False)
