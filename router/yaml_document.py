"""Which values does a YAML text hold, and on which line does each stand?

YAML 1.1 by PyYAML's parser, restricted to what JSON can say. A name given twice is refused, because the
parser would keep the last one in silence. Anchors, aliases and merge keys work, up to a bound. Names are read
as they are written: ``on:`` is a variant named ``on``, not the name ``true``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import yaml

from router.problems import ABSENT, Path, Problem

_MAX_VALUES = 200_000
_MERGE = "tag:yaml.org,2002:merge"
_KINDS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "map", "seq")}


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without dates: ``2024-01-01`` is text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own attribute, replaced and never changed
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


@dataclass(slots=True)
class Document:
    """The values as plain data, the line of each path (from 1), and what could not be read."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path) -> int | None:
        """The line of a path, or of the nearest thing around it that is there."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None


def read(text: str) -> Document:
    """The document in a text; whatever is wrong with it is in ``problems``, with its line."""
    document = Document()
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        document.problems.append(_syntax(error))
        return document
    except RecursionError:
        document.problems.append(Problem((), ABSENT, "is nested too deeply", "a few levels"))
        return document
    if node is not None:
        document.lines[()] = _line(node)
        document.data = _Reader(loader, document).value(node, (), ())
    return document


class _Reader:
    """Turns nodes into values, and notes lines and problems on the way."""

    def __init__(self, loader: _Loader, document: Document) -> None:
        self._loader = loader
        self._document = document
        self._count = 0

    def value(self, node: yaml.Node, path: Path, above: tuple[yaml.Node, ...]) -> Any:
        self._count += 1
        if node in above:
            return self._refuse(node, path, "contains itself", "anchors that do not go in circles")
        if self._count > _MAX_VALUES:
            if self._count == _MAX_VALUES + 1:
                self._refuse(node, path, "is too large", f"{_MAX_VALUES} values in all, aliases written out")
            return None
        if node.tag not in _KINDS:
            return self._refuse(node, path, f"has the tag {node.tag!r}", "text, numbers, true, false, null")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, (*above, node))
        if isinstance(node, yaml.SequenceNode):
            items = []
            for index, item in enumerate(node.value):
                self._document.lines[(*path, index)] = _line(item)
                items.append(self.value(item, (*path, index), (*above, node)))
            return items
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path, above: tuple[yaml.Node, ...]) -> dict[str, Any]:
        entries: dict[str, tuple[int, yaml.Node]] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key, path, "has a name that is a list or a mapping", "text as names")
            elif key.tag == _MERGE:
                continue
            elif key.value in entries:
                wrong = f"is there twice, first on line {entries[key.value][0]}"
                self._refuse(key, (*path, key.value), wrong, "each name once")
            else:
                entries[key.value] = (_line(key), item)
        for name, entry in self._merged(node, path, above).items():
            entries.setdefault(name, entry)

        values = {}
        for name, (line, item) in entries.items():
            self._document.lines[(*path, name)] = line
            values[name] = self.value(item, (*path, name), above)
        return values

    def _merged(
        self, node: yaml.MappingNode, path: Path, above: tuple[yaml.Node, ...]
    ) -> dict[str, tuple[int, yaml.Node]]:
        """What ``<<: *anchor`` brings in; an earlier mapping wins over a later one."""
        entries: dict[str, tuple[int, yaml.Node]] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != _MERGE:
                continue
            for source in item.value if isinstance(item, yaml.SequenceNode) else [item]:
                self._count += 1
                if not isinstance(source, yaml.MappingNode) or source in above or self._count > _MAX_VALUES:
                    self._refuse(key, path, "merges something unusable", "a mapping, or a list of them")
                    continue
                own = {name.value: (_line(name), each) for name, each in source.value if name.tag != _MERGE}
                for name, entry in (own | self._merged(source, path, (*above, source))).items():
                    entries.setdefault(name, entry)
        return entries

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        try:
            value = self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError):
            kind = node.tag.rpartition(":")[2]
            return self._refuse(node, path, f"cannot be read as {kind}", "plain values")
        if isinstance(value, float) and not isfinite(value):
            return self._refuse(node, path, f"is {node.value}", "finite numbers")
        return value

    def _refuse(self, node: yaml.Node, path: Path, wrong: str, allowed: str) -> None:
        self._document.problems.append(Problem(path, ABSENT, wrong, allowed, line=_line(node)))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _syntax(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
    column = f", column {mark.column + 1}" if mark else ""
    line = mark.line + 1 if mark else None
    return Problem((), ABSENT, f"is not YAML{column}: {what}", "one YAML document", line=line)
