"""Is the share that would move the share of units that the assignment moves, for any weights?"""

from __future__ import annotations

from math import sqrt

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.assignment import assign
from policies.plan import Plan
from router.audience import gate_of
from router.control.changes import Edit, follow
from router.control.movement import moves
from router.epochs import advance
from router.settings import (
    Audience,
    Backend,
    Experiment,
    Holdout,
    Layer,
    Route,
    Settings,
    UnitSource,
    Variant,
)
from router.state import State

UNITS = [f"user-{number}".encode() for number in range(4000)]
NAMES = ("a", "b", "c", "d")
EVERYBODY = Audience()

some_weights = st.lists(st.integers(0, 20), min_size=2, max_size=4).filter(any)


def settings_of(weights: list[int], running: bool = True, audience: Audience = EVERYBODY) -> Settings:
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
        audience=audience,
    )
    backends = {name: Backend(url=f"http://127.0.0.1:{9000 + place}") for place, name in enumerate(NAMES)}
    routes = (Route(path="/", backend="a", experiment="e"),)
    return Settings(
        backends=backends,
        routes=routes,
        experiments={"e": experiment},
        layers={"l": Layer()},
        holdouts={"h": Holdout(share=0.3)},
    )


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


parts = st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]), min_size=2, max_size=2, unique=True).map(sorted)
audiences = st.builds(
    lambda layer, part, share, holdouts: Audience(
        layer=layer, part=tuple(part) if layer else (0.0, 1.0), share=share, holdouts=holdouts
    ),
    st.sampled_from([None, "l"]),
    parts,
    st.sampled_from([0.3, 0.8, 1.0]),
    st.sampled_from([(), ("h",)]),
)


def backends_of(state: State) -> dict[bytes, tuple[bool, str]]:
    """By unit: whether it takes part, and the backend that serves it."""
    plan, gate = Plan("e", state.epochs["e"].weights), gate_of(state.settings, "e")
    inside = {unit: gate.admits(unit) for unit in UNITS}
    return {unit: (taken, assign(plan, unit).variant if taken else "a") for unit, taken in inside.items()}


@settings(max_examples=40, deadline=None)
@given(audiences, audiences, some_weights, some_weights)
def test_other_audiences(one: Audience, other: Audience, first: list[int], second: list[int]) -> None:
    before = advance(None, settings_of(first, audience=one), 1.0, key=bytes(16))
    after = follow(before, Edit(settings_of(second, audience=other), {}), 2.0)
    old, new = backends_of(before), backends_of(after)
    # Only those who take part before or after; a variant is served by a backend of its own name.
    concerned = [unit for unit in UNITS if old[unit][0] or new[unit][0]]
    if not concerned:
        return
    moved = sum(old[unit][1] != new[unit][1] for unit in concerned) / len(concerned)
    expected = share(before, after)
    assert abs(moved - expected) <= 5 * sqrt(max(expected * (1 - expected), 1e-4) / len(concerned))


def test_another_condition_is_a_bound_and_says_so() -> None:
    one, other = (Audience(when=f"request.path == '/{name}'") for name in "xy")
    before = advance(None, settings_of([1, 3], audience=one), 1.0, key=bytes(16))
    after = follow(before, Edit(settings_of([1, 3], audience=other), {}), 2.0)
    (move,) = moves(before, after)
    assert move.share == 0.75
    assert move.why.endswith("at most so many, as the condition is another one")


def test_a_layer_or_a_hold_out_that_changes_opens_an_epoch() -> None:
    audience = Audience(layer="l", part=(0.0, 0.5), holdouts=("h",))
    first = settings_of([1, 1], audience=audience)
    before = advance(None, first, 1.0, key=bytes(16))
    for changed in (
        replace(first, layers={"l": Layer(salt="other")}),
        replace(first, holdouts={"h": Holdout(share=0.4)}),
    ):
        after = follow(before, Edit(changed, {}), 2.0)
        assert after.epochs["e"].number == 2
        assert after.epochs["e"].why == "layer or hold-out changed"
        assert 0 < share(before, after) <= 0.5
    unused = replace(
        first, layers=first.layers | {"m": Layer()}, holdouts=first.holdouts | {"i": Holdout(share=0.1)}
    )
    assert follow(before, Edit(unused, {}), 2.0).epochs["e"].number == 1
