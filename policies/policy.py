"""What is a policy, and which ones are there?

A policy turns evidence into a plan. It is one file in ``policies/kinds/``, named as its kind, with a
constant ``POLICY``; an installed package brings one through the entry point group ``turnout.policies``. Both
are looked up by name and only when asked for, so that no request pays for a policy that nobody uses.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import policies.kinds
from policies.plan import Plan

if TYPE_CHECKING:
    from numpy.random import Generator

    from policies.statistics.evidence import ExperimentEvidence

GROUP = "turnout.policies"


@dataclass(frozen=True, slots=True)
class Allocation:
    """What the operator wrote: the experiment's salt, its variants' weights, and which one is the control."""

    salt: str
    weights: Mapping[str, float]
    control: str


class Policy(Protocol):
    """Turns evidence into a plan; made once for each configuration, from an allocation and parameters.

    ``kind`` is the policy's name in the configuration. ``Parameters`` is a frozen dataclass: the fields that
    may stand beside ``kind`` there, with their defaults; a ``timedelta`` is written as ``250ms`` or ``7d``.
    Both it and the policy raise `ValueError` for values that are out of range or do not go together.
    """

    kind: ClassVar[str]
    Parameters: ClassVar[type[Any]]

    def __init__(self, allocation: Allocation, parameters: Any) -> None: ...

    def plan(self, evidence: ExperimentEvidence | None, now: float, rng: Generator) -> Plan:
        """The plan from ``now`` (unix seconds) on; the same for the same arguments and state of ``rng``.

        ``evidence`` is `None` before the first request. The weights' names are the allocation's, and the
        salt is the allocation's, so that a plan never moves a unit that its weights do not move.
        """
        ...


class UnknownPolicy(ValueError):
    """No policy has this kind; ``known`` lists those there are, ``nearest`` the one perhaps meant."""

    def __init__(self, kind: str, known: tuple[str, ...]) -> None:
        self.kind = kind
        self.known = known
        self.nearest = next(iter(get_close_matches(kind, known, n=1, cutoff=0.5)), None)
        hint = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        super().__init__(f"no policy is of kind {kind!r}; known: {', '.join(known)}{hint}")


class UnusablePolicy(ValueError):
    """An installed package offers something under this kind that is no policy of that kind."""


def known_kinds() -> tuple[str, ...]:
    """The kinds that can be configured, in alphabetical order; nothing is imported to list them."""
    return tuple(sorted({*_own(), *_installed()}))


def find_policy(kind: str) -> type[Policy]:
    """The policy of a kind; `UnknownPolicy` or `UnusablePolicy` where there is none.

    >>> find_policy("split").kind
    'split'
    """
    if kind in _own():
        module = import_module(f"policies.kinds.{_own()[kind]}")
        return _checked(kind, module.POLICY)
    installed = _installed()
    if kind not in installed:
        raise UnknownPolicy(kind, known_kinds())
    try:
        offered = installed[kind].load()
    except Exception as error:  # whatever a package does when it is imported, it stops here
        raise UnusablePolicy(f"policy {kind!r} cannot be loaded: {error}") from error
    return _checked(kind, offered)


def _own() -> dict[str, str]:
    """Kind -> module: ``top-two`` lives in ``top_two.py``."""
    return {name.replace("_", "-"): name for _, name, _ in pkgutil.iter_modules(policies.kinds.__path__)}


def _installed() -> dict[str, Any]:
    from importlib.metadata import entry_points  # costs milliseconds that a data plane need not spend

    return {point.name: point for point in entry_points(group=GROUP)}


def _checked(kind: str, offered: Any) -> type[Policy]:
    named = getattr(offered, "kind", None)
    wanted = [name for name in ("plan", "Parameters") if not hasattr(offered, name)]
    if named != kind or wanted:
        lacks = f"; it lacks {', '.join(wanted)}" if wanted else ""
        raise UnusablePolicy(f"what is offered as policy {kind!r} calls itself {named!r}{lacks}")
    policy: type[Policy] = offered
    return policy
