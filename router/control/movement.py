"""What share of an experiment's units would move, if one state followed another?

A unit moves when it gets another variant, or keeps its variant and that is served by another backend, or
when it enters or leaves the experiment and its backend changes by that.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from router.settings import Experiment, Route
from router.state import Epoch, State


class Move(Struct, frozen=True, kw_only=True):
    """The share (0 to 1) of an experiment's units that would move, and why."""

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


_Running = tuple[Experiment, Epoch]


def _running(state: State, name: str) -> _Running | None:
    experiment, epoch = state.settings.experiments.get(name), state.epochs.get(name)
    return (experiment, epoch) if experiment is not None and experiment.running and epoch else None


def _share(
    old: _Running | None, new: _Running | None, before: tuple[Route, ...], after: tuple[Route, ...], name: str
) -> float:
    if old is not None and new is not None:
        return _reassigned(old, new)
    inside, outside = (new, before) if old is None else (old, after)
    assert inside is not None
    paths = {route.path for route in (*before, *after) if name in route.experiments}
    default = {route.backend for route in outside if route.path in paths}
    shares = _shares(inside[1].weights)
    stay = sum(share for variant, share in shares.items() if default == {_backend(inside, variant)})
    return _rounded(1.0 - stay)


def _reassigned(old: _Running, new: _Running) -> float:
    """Exact: under one salt the scores are coupled, under two they are independent.

    A unit keeps variant i under weights v and w when its exponential draw E_i satisfies E_j >= E_i m_j for
    all others, m_j = max(v_j / v_i, w_j / w_i), which has the probability 1 / (1 + sum of m_j).
    """
    (was, before), (now, after) = old, new
    if was.unit != now.unit:
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
    experiment, epoch = running
    return experiment.variants[epoch.copies.get(variant, variant)].backend


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
    if old is None or old[1].number != new[1].number:
        return new[1].why
    return ""
