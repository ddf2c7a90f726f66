"""What happens in a demo, from the first process started to the last one stopped?"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from models.registry import find_protocol
from router.cli.demo.children import Child, Children
from router.cli.demo.configuration import MODEL, Server
from router.cli.demo.going_on import print_going_on
from router.cli.demo.scenario import Scenario
from router.cli.demo.simulation import Addresses, Ending, Materials, simulate
from router.cli.demo.users import Load, make_questions
from router.errors import TurnoutError

PROTOCOL = "open-inference"

_START = 90.0  # seconds: importing scikit-learn on a busy machine
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line may choose; a port of 0 is any free one."""

    seconds: float
    load: Load
    port: int
    control_port: int
    hold: bool


async def run(scenario: Scenario[Any], options: Options, console: Console) -> int:
    """The exit status, 0 if every promise held; `TurnoutError` where a process did not start, or ended."""
    if find_spec("sklearn") is None:
        raise TurnoutError("the demo's models need scikit-learn: pip install 'turnout[demo]'")

    with TemporaryDirectory(prefix="turnout-demo-") as folder:
        async with Children() as children:
            console.print(scenario.opening, soft_wrap=True)
            servers = {
                name: await _start_model(children, server) for name, server in scenario.servers.items()
            }
            materials = await asyncio.to_thread(_load_materials, scenario.servers)
            urls = {name: await _announce(console, name, server) for name, server in servers.items()}
            router = await _start_router(children, Path(folder), scenario.configuration(urls), options)
            await _announce(console, "router", router)
            addresses = read_addresses(await router.ready(_START))

            work = simulate(scenario, options.seconds, options.load, materials, addresses, console)
            ending = await children.while_alive(work)

            _print_ending(console, ending)
            print_going_on(console, scenario, addresses, materials.questions[0], serving=options.hold)
            if options.hold:
                with suppress(asyncio.CancelledError):
                    await children.while_alive(asyncio.Event().wait())
    return 0 if all(check.held for check in ending.checks) else 1


def read_addresses(line: str) -> Addresses:
    """From the line by which ``turnout serve`` says that it is ready."""
    words = line.split()
    return Addresses(words[words.index("data") + 1], words[words.index("control") + 1])


def _load_materials(servers: Mapping[str, Server]) -> Materials:
    # Here and not above: scikit-learn takes seconds to import, and only the demo needs it.
    from models.demo.classifier import RECIPES
    from models.demo.digits import held_out

    unseen, protocol = held_out(), find_protocol(PROTOCOL)
    images, labels = unseen.images.astype(int).tolist(), unseen.labels.tolist()
    versions = {name: RECIPES[server.strength].version for name, server in servers.items()}
    return Materials(protocol, make_questions(protocol, MODEL, images, labels), versions)


async def _start_model(children: Children, server: Server) -> Child:
    command = [sys.executable, "-m", "models.demo", "--model", server.strength, "--port", "0"]
    command += ["--fail-share", f"{server.fail_share:g}"]
    return await children.start(f"the {server.strength} model's server", command, _ONE_THREAD)


async def _start_router(children: Children, folder: Path, configuration: str, options: Options) -> Child:
    file = folder / "turnout.yaml"
    file.write_text(configuration)
    command = [sys.executable, "-m", "router.cli", "serve", "--config", str(file), "--workers", "2"]
    command += ["--port", str(options.port), "--control-port", str(options.control_port)]
    command += ["--data-dir", str(folder / "data")]
    return await children.start("turnout serve", command, {"PYTHONUNBUFFERED": "1"})


def _print_ending(console: Console, ending: Ending) -> None:
    console.print()
    for line in ending.found:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for check in ending.checks:
        console.print("[green]yes[/green]" if check.held else "[red]NO [/red]", end="  ")
        console.print(f"{check.promise}: {check.figures}", markup=False, highlight=False, soft_wrap=True)


async def _announce(console: Console, name: str, child: Child) -> str:
    line = (await child.ready(_START)).removeprefix("ready: ")
    console.print(f"  {name}: {line}", markup=False, highlight=False, soft_wrap=True)
    return line.rpartition(" ")[2]
