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
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import policies.kinds
from policies.metric import MetricSpec
from policies.plan import Plan

if TYPE_CHECKING:
    from numpy.random import Generator

    from policies.statistics.observed import Observed

GROUP = "turnout.policies"
NOT_BEFORE = "not_before"


@dataclass(frozen=True, slots=True)
class Allocation:
    """What the operator wrote: salt, variants' weights, which one is the control, and what is measured."""

    salt: str
    weights: Mapping[str, float]
    control: str
    metrics: tuple[MetricSpec, ...] = ()

    def metric(self, name: str) -> MetricSpec:
        """The metric of this name; `ValueError` with the names there are."""
        for metric in self.metrics:
            if metric.name == name:
                return metric
        known = ", ".join(metric.name for metric in self.metrics) or "none"
        raise ValueError(f"no metric {name!r}; the experiment has: {known}")


class Policy(Protocol):
    """Turns evidence into a plan; made once for each configuration, from an allocation and parameters.

    ``kind`` is the policy's name in the configuration. ``Parameters`` is a frozen dataclass: the fields that
    may stand beside ``kind`` there, with their defaults; a ``timedelta`` is written as ``250ms`` or ``7d``.
    Both it and the policy raise `ValueError` for values out of range or that do not go together. One whose
    class says ``resumes = True`` goes on with its progress after a pause; others start anew.
    """

    kind: ClassVar[str]
    Parameters: ClassVar[type[Any]]

    def __init__(self, allocation: Allocation, parameters: Any) -> None: ...

    @property
    def interval(self) -> float | None:
        """Seconds from one plan to the next; None for weights that only an operator moves."""
        ...

    @property
    def latency_limits(self) -> tuple[float, ...]:
        """The limits, in seconds, for which it wants to know the share of requests that took longer."""
        ...

    def plan(
        self, observed: Observed | None, now: float, rng: Generator | None, progress: Mapping[str, Any]
    ) -> Plan:
        """The plan from ``now`` (unix seconds) on; the same for the same arguments and state of ``rng``.

        ``observed`` and ``rng`` are `None` at the start, and when an operator has edited the experiment: then
        nothing has been seen. ``progress`` is what the last plan carried, empty at the start; with a number
        ``not_before`` (unix seconds) in it, the policy is asked again then, and no sooner. The weights'
        names are the allocation's, and those in ``copies``; the salt is the allocation's, so that a plan
        never moves a unit that its weights do not move. A plan with the weights in force opens no epoch; its
        progress and findings are kept all the same, unless all that is new is ``not_before``.
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


def is_own(kind: str) -> bool:
    """Whether a policy of this kind is Turnout's own, and not one of an installed package."""
    return kind in _own()


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


@cache
def _own() -> dict[str, str]:
    """Kind -> module: ``top-two`` lives in ``top_two.py``."""
    return {name.replace("_", "-"): name for _, name, _ in pkgutil.iter_modules(policies.kinds.__path__)}


def _installed() -> dict[str, Any]:
    from importlib.metadata import entry_points  # costs milliseconds that a data plane need not spend

    return {point.name: point for point in entry_points(group=GROUP)}


def _checked(kind: str, offered: Any) -> type[Policy]:
    named = getattr(offered, "kind", None)
    wanted = [
        name for name in ("plan", "Parameters", "interval", "latency_limits") if not hasattr(offered, name)
    ]
    if named != kind or wanted:
        lacks = f"; it lacks {', '.join(wanted)}" if wanted else ""
        raise UnusablePolicy(f"what is offered as policy {kind!r} calls itself {named!r}{lacks}")
    policy: type[Policy] = offered
    return policy
