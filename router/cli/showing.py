"""How is a result printed: a table for people, JSON or YAML for programs?"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from router.cli.change_lines import Line
from router.cli.options import Output

_WIDTH = 140  # columns, where no terminal says how many there are
_STYLES = {"+": "green", "~": "yellow", "-": "red"}


def show(output: Output, data: Any, table: Callable[[Console], None]) -> None:
    """Print plain data, or what ``table`` makes of it."""
    if output is Output.json:
        print(json.dumps(data, indent=2, ensure_ascii=False))
    elif output is Output.yaml:
        print(to_yaml(data), end="")
    else:
        table(console())


def console(*, to_stderr: bool = False) -> Console:
    """The terminal, or a wide page where there is none."""
    narrow = Console(stderr=to_stderr).is_terminal or "COLUMNS" in os.environ
    return Console(highlight=False, emoji=False, width=None if narrow else _WIDTH, stderr=to_stderr)


def to_yaml(data: Any) -> str:
    """YAML, in the order of the data."""
    written: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)
    return written


def rows(title: str, columns: Sequence[str], cells: Iterable[Sequence[str]]) -> Table:
    """A table of text; a column whose name ends in ``#`` holds numbers."""
    table = Table(title=title or None, title_justify="left")
    for column in columns:
        table.add_column(column.removesuffix("#"), justify="right" if column.endswith("#") else "left")
    for line in cells:
        table.add_row(*[escape(cell) for cell in line])
    return table


def print_lines(to: Console, lines: Iterable[Line], indent: str = "  ") -> None:
    """What is added, changed, removed."""
    for line in lines:
        to.print(f"{indent}[{_STYLES[line.sign]}]{line.sign} {escape(line.text)}[/]", soft_wrap=True)
