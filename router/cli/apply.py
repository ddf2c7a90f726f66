"""``turnout apply`` and ``turnout validate``: what would a file change, and shall it?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from rich.console import Console
from rich.markup import escape

from router import yaml_document
from router.cli.answers import Applied, Preview
from router.cli.asking import ask
from router.cli.change_lines import Weights, change_lines, steps_of
from router.cli.client import Client
from router.cli.contexts import Target
from router.cli.options import Output
from router.cli.refusals import Unprocessable
from router.cli.showing import console, print_lines, show
from router.config_file import load
from router.errors import ConfigurationError

CHANGES_PENDING = 3  # exit status of a dry run that found something to do

Status = Literal["unchanged", "pending", "applied"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file asks for: the data to send, the line of each place in it, and the weights it names."""

    file: Path
    document: yaml_document.Document
    weights: Weights

    def locate(self, error: Unprocessable) -> ConfigurationError:
        """The control plane's refusal, with the file's lines."""
        lines = []
        for each in error.errors:
            line = None if each.pointer is None else self._line(each.pointer)
            lines.append(f"{self.file}:{'' if line is None else f'{line}:'} {each.detail}")
        return ConfigurationError("\n".join(lines) or f"{self.file}: {error}")

    def _line(self, pointer: str) -> int | None:
        path: tuple[str | int, ...] = ()
        for step in steps_of(pointer):
            number = step.isdigit() and (*path, int(step)) in self.document.lines
            path = (*path, int(step) if number else step)
        return self.document.line(path)


def apply(
    file: Path, target: Target, *, prune: bool, why: str, yes: bool, dry_run: bool, output: Output
) -> int:
    """Make the router's configuration what the file says, once the operator agrees; the exit status.

    `ConfigurationError` for a file that cannot be used, with its lines; `LostRace` where somebody else
    changed the configuration after the difference was shown.
    """
    wanted = read(file)
    with Client(target) as client:
        preview, etag = _preview(client, wanted, prune=prune)
        if not preview.changes:
            version = preview.version
            if not (preview.recorded or dry_run):
                # Else a router that starts with this file would take it for one that was never applied.
                version = _send(client, wanted, etag, prune=prune, why=why).version
            _show(output, wanted, target, preview, "unchanged", version)
            return 0
        if dry_run:
            _show(output, wanted, target, preview, "pending", preview.version)
            return CHANGES_PENDING

        if output is Output.table:
            _print(console(), wanted, target, preview)
        elif not yes:
            _print(console(to_stderr=True), wanted, target, preview)
        ask("Apply?", yes=yes)
        applied = _send(client, wanted, etag, prune=prune, why=why)
    if output is Output.table:
        console().print(f"applied: version {applied.version}")
    else:
        _show(output, wanted, target, preview, "applied", applied.version)
    return 0


def validate(file: Path, target: Target, *, prune: bool, output: Output) -> None:
    """Show what a file would change; nothing is changed. `ConfigurationError` as in `apply`."""
    wanted = read(file)
    with Client(target) as client:
        preview, _ = _preview(client, wanted, prune=prune)
    _show(output, wanted, target, preview, "pending" if preview.changes else "unchanged", preview.version)


def read(file: Path) -> Wanted:
    """A file that stands by itself; `InvalidConfiguration` names every mistake with its line."""
    settings = load(file)
    weights = {
        name: {variant: arm.weight for variant, arm in experiment.variants.items()}
        for name, experiment in settings.experiments.items()
    }
    return Wanted(file, yaml_document.read(file.read_text("utf-8-sig")), weights)


def print_moves(to: Console, preview: Preview) -> None:
    """What it would mean for those who are in the experiments."""
    for move in preview.moves:
        text = f"experiment {move.experiment}: {move.share:.2%} of its units would move ({move.why})"
        to.print(f"  {escape(text)}", soft_wrap=True)
    for warning in preview.warnings:
        to.print(f"  [yellow]warning:[/] {escape(warning)}", soft_wrap=True)


def _preview(client: Client, wanted: Wanted, *, prune: bool) -> tuple[Preview, str | None]:
    query = {"prune": "true" if prune else None, "source": wanted.file.name}
    try:
        answer = client.send("POST", "validate", body=wanted.document.data, **query)
    except Unprocessable as error:
        raise wanted.locate(error) from None
    return answer.read(Preview), answer.etag


def _send(client: Client, wanted: Wanted, etag: str | None, *, prune: bool, why: str) -> Applied:
    query = {"prune": "true" if prune else None, "source": wanted.file.name, "why": why}
    try:
        answer = client.send("PUT", "configuration", body=wanted.document.data, if_match=etag, **query)
    except Unprocessable as error:
        raise wanted.locate(error) from None
    return answer.read(Applied)


def _show(
    output: Output, wanted: Wanted, target: Target, preview: Preview, status: Status, version: int
) -> None:
    data = {
        "file": str(wanted.file),
        "status": status,
        "version": version,
        "difference": msgspec.to_builtins(preview.difference),
        "moves": msgspec.to_builtins(preview.moves),
        "warnings": list(preview.warnings),
    }
    show(output, data, lambda to: _print(to, wanted, target, preview))


def _print(to: Console, wanted: Wanted, target: Target, preview: Preview) -> None:
    place = f"version {preview.version} of {target.url}"
    if not preview.changes:
        to.print(escape(f"{wanted.file}: nothing to change, {place} is as it says"), soft_wrap=True)
        return
    would = f"change {place}" if preview.version else f"make the first version of {target.url}"
    to.print(escape(f"{wanted.file} would {would}:"), soft_wrap=True)
    lines = change_lines(preview.difference, wanted.weights)
    print_lines(to, lines)
    print_moves(to, preview)
    words = {"+": "added", "~": "changed", "-": "removed"}
    counts = [f"{sum(line.sign == sign for line in lines)} {word}" for sign, word in words.items()]
    to.print(f"  {', '.join(counts)}")
