"""What share of an experiment's units would move, if one state followed another?

A unit moves when it gets another variant, or keeps its variant and that is served by another backend, or
when it enters or leaves the experiment and its backend changes by that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from msgspec import Struct

from router.audience import Bound, Gate, gate_of
from router.settings import Experiment, Route
from router.state import Epoch, State


class Move(Struct, frozen=True, kw_only=True):
    """The share (0 to 1) of an experiment's units that would move, and why.

    Its units are those that take part before or after the change.
    """

    experiment: str
    share: float
    why: str


def moves(before: State, after: State) -> tuple[Move, ...]:
    """Those experiments of which units would move, or of which the epoch would be another."""
    found = []
    for name in {**before.settings.experiments, **after.settings.experiments}:
        old, new = _running(before, name), _running(after, name)
        if old is None and new is None:
            continue
        share = _share(old, new, before.settings.routes, after.settings.routes, name)
        reason = _why(before, after, name)
        if share or reason:
            found.append(Move(experiment=name, share=share, why=reason or "another backend serves"))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Running:
    """An experiment that assigns, in its state."""

    experiment: Experiment
    epoch: Epoch
    gate: Gate
    routes: tuple[Route, ...]


def _running(state: State, name: str) -> _Running | None:
    if not state.assigns(name):
        return None
    settings = state.settings
    return _Running(settings.experiments[name], state.epochs[name], gate_of(settings, name), settings.routes)


def _share(
    old: _Running | None, new: _Running | None, before: tuple[Route, ...], after: tuple[Route, ...], name: str
) -> float:
    """The share of those that take part before or after; at most, where the condition is another one."""
    if old is None or new is None:
        inside, outside = (new, before) if old is None else (old, after)
        assert inside is not None
        return _rounded(_crossing(inside, outside, name))
    staying, leaving, entering = (
        _reassigned(old, new),
        _crossing(old, after, name),
        _crossing(new, before, name),
    )
    if old.experiment.audience.when != new.experiment.audience.when:
        return max(staying, leaving, entering)
    first, second = _volume(old.gate.bounds), _volume(new.gate.bounds)
    both = 0.0 if old.experiment.unit != new.experiment.unit else _volume(old.gate.bounds + new.gate.bounds)
    everybody = first + second - both
    if not everybody > 0:
        return 0.0
    moved = both * staying + (first - both) * leaving + (second - both) * entering
    return _rounded(moved / everybody)


def _crossing(inside: _Running, outside: tuple[Route, ...], name: str) -> float:
    """The share that another backend serves, of units that come into the experiment or go out of it.

    Outside they are served by the route's backend; that another experiment may take them is left out.
    """
    paths = {route.path for route in (*inside.routes, *outside) if name in route.experiments}
    default = {route.backend for route in outside if route.path in paths}
    shares = _shares(inside.epoch.weights)
    return 1.0 - sum(share for variant, share in shares.items() if default == {_backend(inside, variant)})


def _volume(bounds: Sequence[Bound]) -> float:
    """The share of units that are within all of these; draws under other prefixes are independent."""
    low: dict[bytes, float] = {}
    high: dict[bytes, float] = {}
    for bound in bounds:
        low[bound.prefix] = max(low.get(bound.prefix, 0.0), bound.low)
        high[bound.prefix] = min(high.get(bound.prefix, 1.0), bound.high)
    return prod(max(high[prefix] - low[prefix], 0.0) for prefix in low)


def _reassigned(old: _Running, new: _Running) -> float:
    """Exact: under one salt the scores are coupled, under two they are independent.

    A unit keeps variant i under weights v and w when its exponential draw E_i satisfies E_j >= E_i m_j for
    all others, m_j = max(v_j / v_i, w_j / w_i), which has the probability 1 / (1 + sum of m_j).
    """
    before, after = old.epoch, new.epoch
    if old.experiment.unit != new.experiment.unit:
        return 1.0
    kept = [
        name
        for name in before.weights
        if before.weights[name] > 0
        and after.weights.get(name, 0) > 0
        and _backend(old, name) == _backend(new, name)
    ]
    if before.salt != after.salt:
        first, second = _shares(before.weights), _shares(after.weights)
        return _rounded(1.0 - sum(first[name] * second[name] for name in kept))
    if _shares(before.weights) == _shares(after.weights):
        return _rounded(1.0 - sum(_shares(after.weights)[name] for name in kept))
    names = {*before.weights, *after.weights}
    stay = 0.0
    for name in kept:
        v, w = before.weights[name], after.weights[name]
        others = (
            max(before.weights.get(each, 0) / v, after.weights.get(each, 0) / w)
            for each in names
            if each != name
        )
        stay += 1 / (1 + sum(others))
    return _rounded(1.0 - stay)


def _backend(running: _Running, variant: str) -> str:
    return running.experiment.variants[running.epoch.copies.get(variant, variant)].backend


def _shares(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _rounded(share: float) -> float:
    """Without the last bits' noise: no unit is moved by 1e-16."""
    return round(min(max(share, 0.0), 1.0), 12)


def _why(before: State, after: State, name: str) -> str:
    old, new = _running(before, name), _running(after, name)
    if new is None:
        gone = name not in after.settings.experiments
        return "experiment is removed" if gone else "experiment no longer runs: the route's backend serves"
    if old is None or old.epoch.number != new.epoch.number:
        bound = old is not None and old.experiment.audience.when != new.experiment.audience.when
        return new.epoch.why + ("; at most so many, as the condition is another one" if bound else "")
    return ""
