"""What does a condition on a request say, and does it hold?

Conditions are written in CEL, the Common Expression Language. They are compiled and type-checked once for
each text, and what they read is known before the first request: header by header, and member by member of a
JSON body, so that nothing else has to be captured, awaited or converted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, Final

from router.condition_tree import Node, tree_of
from router.errors import TurnoutError

METHOD: Final = "request.method"
PATH: Final = "request.path"
HEADERS: Final = "request.headers"
QUERY: Final = "request.query"
JSON: Final = "request.json"
CONTEXT: Final = "context"
VARIABLES: Final = (METHOD, PATH, HEADERS, QUERY, JSON, CONTEXT)

_LONGEST: Final = 4096
_REMEMBERED: Final = 4096
_PLACE = re.compile(r"<input>:(\d+):(\d+): (.*)")
_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,256}")

Steps = tuple[str, ...]


class UnusableCondition(TurnoutError):
    """A condition that cannot be used: why, and where, both counted from 1."""

    status = 400

    def __init__(self, why: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {why}")
        self.why = why
        self.line = line
        self.column = column


class Undecided(TurnoutError):
    """A condition could not be evaluated for these facts: a key is missing, or a type does not fit."""


class Condition:
    """A compiled condition; ``headers`` and ``paths`` are what it reads of the headers and the JSON body."""

    __slots__ = ("_evaluate", "headers", "paths", "reads", "text")

    def __init__(self, text: str, evaluate: Any, reads: list[tuple[str, Steps, Node]]) -> None:
        self.text = text
        self._evaluate = evaluate
        self.reads = frozenset(name for name, _, _ in reads)
        self.headers = tuple(sorted({steps[0] for name, steps, _ in reads if name == HEADERS}))
        self.paths = tuple(sorted({steps for name, steps, _ in reads if name == JSON}))

    def holds(self, facts: Mapping[str, object]) -> bool:
        """Whether it holds for these values of what it reads; `Undecided` where that cannot be said."""
        try:
            value = self._evaluate(data=facts).value()
        except (RuntimeError, TypeError, ValueError) as error:
            raise Undecided(str(error)) from None
        if value is True or value is False:
            return bool(value)
        raise Undecided(str(value))


@lru_cache(_REMEMBERED)
def compiled(text: str) -> Condition:
    """The condition of a text, the same one for the same text; `UnusableCondition` where it is none."""
    if len(text) > _LONGEST:
        raise UnusableCondition(f"it has more than {_LONGEST} characters", 1, 1)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnusableCondition("it is no Unicode text", 1, error.start + 1) from None
    environment, patterns = _environment()
    try:
        program = environment.compile(text)
    except RuntimeError as error:
        raise _refused(str(error)) from None
    kind = program.return_type().name()
    if kind not in ("BOOL", "DYN"):
        raise UnusableCondition(f"it is {kind.lower()}, and neither true nor false", 1, 1)
    tree = tree_of(program.serialize())
    reads = list(_reads(tree))
    for name, steps, node in reads:
        if name == HEADERS:
            _check_header(text, steps, node)
    for node in _calls(tree, "matches"):
        pattern = node.operands[-1]
        if pattern.kind == "text":
            found = patterns.eval(data={PATH: pattern.text}).value()
            if not isinstance(found, bool):
                raise _at(text, pattern, str(found).partition(": ")[2])
    return Condition(text, program.eval, reads)


@cache
def _environment() -> tuple[Any, Any]:
    """The names that conditions know; imported by whoever has a condition, and by nobody else."""
    cel = import_module("cel_expr_python.cel")
    strings = import_module("cel_expr_python.ext.ext_strings")
    text = cel.Type.STRING
    environment = cel.NewEnv(
        variables={
            METHOD: text,
            PATH: text,
            HEADERS: cel.Type.Map(text, text),
            QUERY: cel.Type.Map(text, text),
            JSON: cel.Type.DYN,
            CONTEXT: cel.Type.Map(text, cel.Type.DYN),
        },
        extensions=[strings.ExtStrings()],
    )
    return environment, environment.compile(f"''.matches({PATH})")


def _refused(message: str) -> UnusableCondition:
    found = _PLACE.search(message)
    if found is None:
        return UnusableCondition(message.splitlines()[0], 1, 1)
    why = found[3].removesuffix(" [INVALID_ARGUMENT]").replace(" (in container '')", "")
    return UnusableCondition(why, int(found[1]), int(found[2]))


def _check_header(text: str, steps: Steps, node: Node) -> None:
    if not steps:
        raise _at(text, node, 'headers are read one by one, by names in quotes: request.headers["x-name"]')
    if not _HEADER.fullmatch(steps[0]):
        raise _at(text, node, f"{steps[0]!r} is no header's name in lower case")


def _at(text: str, node: Node, why: str) -> UnusableCondition:
    before = text[: node.at]
    return UnusableCondition(why, before.count("\n") + 1, node.at - before.rfind("\n"))


def _calls(node: Node, function: str) -> Iterator[Node]:
    if node.kind == "call" and node.text == function:
        yield node
    for operand in node.operands:
        yield from _calls(operand, function)


def _reads(node: Node) -> Iterator[tuple[str, Steps, Node]]:
    """The variables that are read, each with the names that lead from it to the value, as far as known."""
    path = _path(node)
    if path is not None:
        name, steps = path
        if name in VARIABLES:
            yield name, steps, node
        return
    for operand in node.operands:
        yield from _reads(operand)


def _path(node: Node) -> tuple[str, Steps] | None:
    if node.kind == "name":
        return node.text, ()
    if node.kind == "field":
        holder, step = node.operands[0], node.text
    elif node.kind == "call" and node.text == "_[_]" and node.operands[1].kind == "text":
        holder, step = node.operands[0], node.operands[1].text
    elif node.kind == "call" and node.text == "@in" and node.operands[0].kind == "text":
        holder, step = node.operands[1], node.operands[0].text
    else:
        return None
    path = _path(holder)
    return None if path is None else (path[0], (*path[1], step))
