"""What is wrong with a configuration, where, and what would be right?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from re import sub
from typing import Final

from router.errors import ConfigurationError

Path = tuple[str | int, ...]

_SHOWN_NAMES = 20
_SHOWN_CHARACTERS = 80


class Absent:
    """The type of `ABSENT`."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, the value that is there, why not, and what is allowed.

    ``value`` is `ABSENT` where the trouble is a name or something missing. ``line`` counts from 1 and is
    `None` for a configuration that did not come from a file.
    """

    path: Path
    value: object
    wrong: str
    allowed: str
    nearest: str | None = None
    line: int | None = None

    @property
    def pointer(self) -> str:
        """The place as a JSON pointer (RFC 6901)."""
        return pointer_of(self.path)

    def __str__(self) -> str:
        parts = [] if isinstance(self.value, Absent) else [shown(self.value)]
        place = f"{dotted(self.path)}: " if self.path else ""
        text = f"{place}{' '.join([*parts, self.wrong])}; allowed: {self.allowed}"
        return text + (f"; did you mean {self.nearest!r}?" if self.nearest else "")


class InvalidConfiguration(ConfigurationError):
    """Everything that is wrong with a configuration, one line for each problem."""

    def __init__(self, problems: Sequence[Problem], source: str | None = None) -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__("\n".join(self._place(problem) + str(problem) for problem in self.problems))

    def _place(self, problem: Problem) -> str:
        places = [place for place in (self.source, problem.line) if place is not None]
        return "".join(f"{place}:" for place in places) + (" " if places else "")


def unknown(path: Path, value: object, what: str, known: Iterable[str], name: str | None = None) -> Problem:
    """A name that nothing has, with those that there are; ``name`` where the value does not show it."""
    names = list(known)
    near = get_close_matches(name if name is not None else str(value), names, n=1, cutoff=0.5)
    return Problem(path, value, f"is no known {what}", listed(names), near[0] if near else None)


def listed(names: Sequence[str]) -> str:
    """Names for a reader, not more than fit."""
    more = len(names) - _SHOWN_NAMES
    shown_names = ", ".join(names[:_SHOWN_NAMES]) or "none, there are none yet"
    return shown_names + (f" and {more} more" if more > 0 else "")


def pointer_of(path: Path) -> str:
    """A path as a JSON pointer (RFC 6901).

    >>> pointer_of(("backends", "a/b", "url", 0))
    '/backends/a~1b/url/0'
    """
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def dotted(path: Path) -> str:
    """A path as operators write it.

    >>> dotted(("experiments", "ranker", "unit", 0, "header"))
    'experiments.ranker.unit[0].header'
    """
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def shown(value: object) -> str:
    """A value as a reader may see it: short, and without a password that stands in an address."""
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    text = sub(r"//[^/@\s'\"]*@", "//...@", text)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."
