"""Which values of a JSON document does a pointer mean, when ``*`` stands for every member?

RFC 6901, with one addition: a token that is ``*`` matches each member of an object and each item of a list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

ANY = "*"


def tokens(pointer: str) -> tuple[str, ...]:
    """A pointer's tokens.

    >>> tokens("/hits/*/a~1b")
    ('hits', '*', 'a/b')
    """
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


def written(path: Iterable[str]) -> str:
    """Tokens as a pointer.

    >>> written(("hits", "0", "a/b"))
    '/hits/0/a~1b'
    """
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in path)


def select(document: Any, path: tuple[str, ...]) -> list[Any]:
    """Every value that the tokens lead to, in the document's order; empty where there is none.

    >>> select({"hits": [{"id": 3}, {"id": 1}, {}]}, ("hits", "*", "id"))
    [3, 1]
    """
    found = [document]
    for token in path:
        deeper: list[Any] = []
        for value in found:
            if isinstance(value, dict):
                if token == ANY:
                    deeper += value.values()
                elif token in value:
                    deeper.append(value[token])
            elif isinstance(value, list):
                if token == ANY:
                    deeper += value
                elif token.isascii() and token.isdigit() and len(token) < 10 and int(token) < len(value):
                    deeper.append(value[int(token)])
        found = deeper
    return found


@dataclass(frozen=True, slots=True)
class Paths:
    """A set of pointers as a tree; ``whole`` where one of them ends, so that all below belongs to it."""

    members: dict[str, Paths] = field(default_factory=dict)
    whole: bool = False

    def below(self, token: str) -> tuple[Paths, ...]:
        """The subtrees that hold for one member."""
        return tuple(self.members[each] for each in (token, ANY) if each in self.members)


def paths(pointers: Iterable[str]) -> Paths:
    """The tree of these pointers."""
    return _tree([tokens(pointer) for pointer in pointers])


def _tree(rest: list[tuple[str, ...]]) -> Paths:
    firsts = dict.fromkeys(path[0] for path in rest if path)
    members = {token: _tree([path[1:] for path in rest if path[:1] == (token,)]) for token in firsts}
    return Paths(members, whole=() in rest)
