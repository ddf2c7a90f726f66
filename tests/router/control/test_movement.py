"""Is the share that would move the share of units that the assignment moves, for any weights?"""

from __future__ import annotations

from math import sqrt

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.assignment import assign
from policies.plan import Plan
from router.control.changes import Edit, follow
from router.control.movement import moves
from router.epochs import advance
from router.settings import Backend, Experiment, Route, Settings, UnitSource, Variant
from router.state import State

UNITS = [f"user-{number}".encode() for number in range(4000)]
NAMES = ("a", "b", "c", "d")

some_weights = st.lists(st.integers(0, 20), min_size=2, max_size=4).filter(any)


def settings_of(weights: list[int], running: bool = True) -> Settings:
    """One experiment with these weights, each variant with a backend of its own; the route's is that of a."""
    names = NAMES[: len(weights)]
    experiment = Experiment(
        unit=(UnitSource(header="x-user-id"),),
        variants={
            name: Variant(backend=name, weight=float(weight))
            for name, weight in zip(names, weights, strict=True)
        },
        control="a",
        running=running,
    )
    backends = {name: Backend(url=f"http://127.0.0.1:{9000 + place}") for place, name in enumerate(NAMES)}
    routes = (Route(path="/", backend="a", experiment="e"),)
    return Settings(backends=backends, routes=routes, experiments={"e": experiment})


def share(before: State, after: State) -> float:
    found = moves(before, after)
    return found[0].share if found else 0.0


@settings(max_examples=25, deadline=None)
@given(some_weights, some_weights)
def test_other_weights(first: list[int], second: list[int]) -> None:
    before = advance(None, settings_of(first), 1.0, key=bytes(16))
    after = follow(before, Edit(settings_of(second), {}), 2.0)
    old = Plan("e", before.epochs["e"].weights)
    new = Plan("e", after.epochs["e"].weights)
    moved = sum(assign(old, unit).variant != assign(new, unit).variant for unit in UNITS) / len(UNITS)
    expected = share(before, after)
    assert abs(moved - expected) <= 5 * sqrt(expected * (1 - expected) / len(UNITS))


@given(some_weights)
def test_in_and_out(weights: list[int]) -> None:
    running = advance(None, settings_of(weights), 1.0, key=bytes(16))
    paused = follow(running, Edit(settings_of(weights, running=False), {}), 2.0)
    away = 1 - weights[0] / sum(weights)
    assert abs(share(running, paused) - away) < 1e-9
    started = follow(paused, Edit(settings_of(weights), {}), 3.0)
    assert abs(share(paused, started) - away) < 1e-9
    assert started.epochs["e"].number == 2
    assert moves(running, running) == ()
