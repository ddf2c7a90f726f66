"""Do layers, hold-outs, shares and conditions let in whom they should, and nobody else?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.assignment import assign
from router.audience import Gate, gate_of
from router.data.admission import Admission, Entrance
from router.data.pool import Pool
from router.data.recorder import Recorder
from router.data.snapshot import Snapshot, build
from router.settings import Audience, Experiment, Layer, Settings
from tests.router.data.inprocess import nobody, state_of

UNITS = [f"user-{number}" for number in range(20_000)]


@dataclass
class Asked:
    """The parts of a request that experiments look at."""

    unit: str = ""
    method: bytes = b"GET"
    target: bytes = b"/"
    host: bytes | None = b"models.example"
    body: list[bytes] = field(default_factory=list)
    captured: dict[int, bytes] = field(default_factory=dict)


class Still:
    """A clock that stands."""

    now = 0.0


def configuration(audiences: dict[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A route with an experiment for each audience, in this order."""
    experiments = {
        name: {
            "unit": [{"header": "x-user-id"}],
            "variants": {"old": {"backend": "a", "weight": 1}, "new": {"backend": "b", "weight": 1}},
            "control": "old",
            "audience": audience,
        }
        for name, audience in audiences.items()
    }
    return {
        "backends": {"a": {"url": "http://127.0.0.1:1"}, "b": {"url": "http://127.0.0.1:2"}},
        "routes": [{"path": "/", "backend": "a", "experiment": list(experiments)}],
        "layers": {"l": {}, "m": {}},
        "holdouts": {"h": {"share": 0.2}},
        "experiments": experiments,
    } | more


def built(data: dict[str, Any], before: Snapshot | None = None) -> Snapshot:
    state = state_of(data, before and before.state)
    pools = {name: Pool(name, backend, Still()) for name, backend in state.settings.backends.items()}
    return build(state, pools, Recorder("w", nobody, Path("nowhere")), before)


def asking(data: dict[str, Any]) -> Callable[..., Entrance]:
    """A function that asks which experiment of the route takes a unit's request."""
    snapshot = built(data)
    entry = snapshot.entry(b"/")
    assert entry is not None
    admission = entry.admission
    assert isinstance(admission, Admission)

    def ask(unit: str, forced: tuple[str, str] | None = None, **request: Any) -> Entrance:
        asked = Asked(**request)
        headers = {"x-user-id": unit} if unit else {}
        for name, value in (headers | request.get("captured", {})).items():
            asked.captured[snapshot.kinds[name.encode()]] = value.encode()
        return admission.admit(asked, lambda: b"made", forced)

    return ask


def taken(ask: Callable[..., Entrance], units: Sequence[str] = UNITS) -> dict[str, str | None]:
    """Which experiment takes each unit."""
    return {unit: trial.name if (trial := ask(unit).trial) else None for unit in units}


def near(count: int, share: float, of: int) -> bool:
    return abs(count - share * of) < 5 * sqrt(of * share * (1 - share))


def test_experiments_of_a_layer_share_no_unit_and_have_their_parts() -> None:
    parts = {"e": [0.0, 0.3], "f": [0.3, 0.4], "g": [0.5, 1.0]}
    audiences = {name: {"layer": "l", "part": part} for name, part in parts.items()}
    data = configuration(audiences)
    gates = {name: gate_of(state_of(data).settings, name) for name in parts}
    found = taken(asking(data))
    for unit, name in found.items():
        assert [each for each, gate in gates.items() if gate.admits(unit.encode())] == (
            [name] if name else []
        )
    for name, (low, high) in parts.items():
        assert near(sum(each == name for each in found.values()), high - low, len(UNITS))


def test_layers_experiments_shares_and_holdouts_are_independent() -> None:
    """Chi-square of every pair of draws over five equal parts each, at 1e-6 for all together."""
    names = ["l", "m"]
    draws: dict[str, list[bool]] = {}
    for layer in names:
        audience = {"layer": layer, "part": [0.0, 0.5]}
        draws[f"layer {layer}"] = _admits(audience)
    draws["share"] = _admits({"share": 0.5})
    draws["other share"] = _admits({"share": 0.5}, "f")
    draws["holdout"] = _admits({"holdouts": ["h"]})
    plan = built(configuration({"l": {"share": 0.9}})).state.epochs["l"].plan
    draws["assignment"] = [assign(plan, unit.encode()).variant == "new" for unit in UNITS]
    pairs = [(one, other) for one in draws for other in draws if one < other]
    for one, other in pairs:
        assert _chi_square(draws[one], draws[other]) < 29.7, (one, other)  # 5e-8 of one degree of freedom


def _admits(audience: dict[str, Any], name: str = "l") -> list[bool]:
    """Of an experiment that is called as a layer is, which must not matter."""
    gate = gate_of(state_of(configuration({name: audience})).settings, name)
    return [gate.admits(unit.encode()) for unit in UNITS]


def _chi_square(one: list[bool], other: list[bool]) -> float:
    n = len(one)
    first, second = sum(one), sum(other)
    both = sum(a and b for a, b in zip(one, other, strict=True))
    expected = first * second / n
    return (both - expected) ** 2 * n**3 / (first * (n - first) * second * (n - second))


bounds = st.lists(st.floats(0, 1), min_size=4, max_size=4).map(sorted)


@given(bounds, st.text())
def test_widening_never_moves_a_unit_out(ordered: list[float], unit: str) -> None:
    first, second, third, fourth = ordered
    pairs = [
        (Audience(share=first), Audience(share=second)),
        (Audience(layer="l", part=(second, third)), Audience(layer="l", part=(first, fourth))),
        (Audience(layer="l", part=(first, second), share=third), Audience(layer="l", part=(0.0, 1.0))),
    ]
    for narrow, wide in pairs:
        if _gate(narrow).admits(unit.encode()):
            assert _gate(wide).admits(unit.encode())


def _gate(audience: Audience) -> Gate:
    experiment = Experiment(unit=(), variants={}, control="", audience=audience)
    return gate_of(
        Settings(backends={}, routes=(), experiments={"e": experiment}, layers={"l": Layer()}), "e"
    )


def test_holdouts_never_take_part_and_are_the_same_for_all_who_name_them() -> None:
    held = {}
    for name in ("e", "f"):
        found = taken(asking(configuration({name: {"holdouts": ["h"]}})))
        held[name] = {unit for unit, experiment in found.items() if experiment is None}
    assert held["e"] == held["f"]
    assert near(len(held["e"]), 0.2, len(UNITS))


def test_the_first_that_takes_the_unit_decides() -> None:
    audiences: dict[str, dict[str, Any]] = {
        "e": {"when": 'request.path == "/e"'},
        "f": {"layer": "l", "part": [0.0, 0.5]},
        "g": {"share": 0.5},
        "i": {"layer": "l", "part": [0.5, 1.0], "holdouts": ["h"]},
        "j": {"layer": "m", "part": [0.0, 0.5]},
    }
    data = configuration(audiences)
    settings = state_of(data).settings
    gates = {name: gate_of(settings, name) for name in audiences}
    ask = asking(data)
    for unit in UNITS[:2000]:
        for target in (b"/e?x=1", b"/other"):
            fits = [
                name
                for name, gate in gates.items()
                if gate.admits(unit.encode()) and (name != "e" or target.startswith(b"/e"))
            ]
            trial = ask(unit, target=target).trial
            assert (trial.name if trial else None) == (fits[0] if fits else None)


def test_a_unit_that_is_written_down_goes_before_all_audiences() -> None:
    ask = asking(configuration({"e": {}, "f": {"share": 0.0, "forced": {"new": ["user-3"]}}}))
    entrance = ask("user-3")
    assert entrance.trial is not None
    assert (entrance.trial.name, entrance.variant) == ("f", "new")
    other = ask("user-4")
    assert other.trial is not None
    assert (other.trial.name, other.variant) == ("e", None)


def test_a_signed_header_names_any_experiment_of_the_route() -> None:
    ask = asking(configuration({"e": {}, "f": {"share": 0.0}}))
    entrance = ask("user-1", ("f", "old"))
    assert entrance.trial is not None
    assert (entrance.trial.name, entrance.variant) == ("f", "old")
    for claim in (("f", "none"), ("none", "old")):
        entrance = ask("user-1", claim)
        assert entrance.trial is not None
        assert (entrance.trial.name, entrance.variant) == ("e", None)


def test_a_unit_is_made_once_for_all_that_have_the_same_source() -> None:
    data = configuration({"e": {"share": 0.0}, "f": {"holdouts": ["h"]}, "g": {"share": 0.999}})
    data["experiments"]["f"]["cookie"] = {"name": "uid"}
    ask = asking(data)
    entrance = ask("")
    assert (entrance.unit, entrance.made) == (b"made", True)
    assert entrance.cookie.startswith(b"set-cookie: uid=made;")
    assert entrance.cookie.count(b"set-cookie") == 1
    assert ask("user-1").cookie == b""
    data["experiments"]["f"]["audience"] = {"share": 0.0}
    data["experiments"]["g"]["audience"] = {"share": 0.0}
    nobody_takes_it = asking(data)("")
    assert nobody_takes_it.trial is None
    assert nobody_takes_it.cookie.startswith(b"set-cookie: uid=made;")


@pytest.mark.parametrize(
    ("when", "request_", "fits"),
    [
        ('request.method == "POST" && request.path == "/a"', {"method": b"POST", "target": b"/a?b=1"}, True),
        ('request.headers["x-country"] == "NZ"', {"captured": {"x-country": " NZ "}}, True),
        ('request.headers["x-country"] == "NZ"', {"captured": {}}, False),
        ('request.headers["host"] == "models.example"', {}, True),
        ('request.query["a b"] == "c d"', {"target": b"/?x&a%20b=c+d&a+b=2"}, True),
        ('request.query["none"] == "1"', {"target": b"/?x"}, False),
        ('request.json.user.plan == "pro"', {"body": [b'{"user": {"plan": ', b'"pro"}}']}, True),
        ('request.json.user.plan == "pro"', {"body": [b'{"user": {"plan": "pro"}, "rest": [1, 2']}, True),
        ('request.json.user.plan == "pro"', {"body": [b"not json"]}, False),
        ('request.json.user.plan == "pro"', {"body": []}, False),
        ("context.size() == 0", {}, True),
    ],
)
def test_conditions_read_the_request(when: str, request_: dict[str, Any], fits: bool) -> None:
    entrance = asking(configuration({"e": {"when": when}}))("user-1", **request_)
    assert (entrance.trial is not None) == fits


def test_what_cannot_be_decided_is_counted() -> None:
    state = state_of(configuration({"e": {"when": 'request.headers["x-none"] == "1"'}}))
    recorder = Recorder("w", nobody, Path("nowhere"))
    pools = {name: Pool(name, backend, Still()) for name, backend in state.settings.backends.items()}
    entry = build(state, pools, recorder).entry(b"/")
    assert entry is not None
    assert entry.admission is not None
    for _ in range(3):
        assert entry.admission.admit(Asked(), lambda: b"u").trial is None
    assert recorder.meter.totals().undecided == {"e": 3}


def test_only_headers_that_are_read_are_kept_and_keep_their_numbers() -> None:
    first = built(configuration({"e": {"when": '"x-b" in request.headers'}}))
    assert set(first.captured) == {b"x-user-id", b"x-b"}
    second = built(configuration({"d": {"when": '"x-a" in request.headers'}, "e": {}}), first)
    assert set(second.captured) == {b"x-user-id", b"x-a"}
    assert second.captured[b"x-user-id"] == first.captured[b"x-user-id"]
    third = built(
        configuration({"d": {"when": '"x-a" in request.headers && "x-b" in request.headers'}}), second
    )
    assert len(set(third.captured.values())) == 3
    assert third.captured[b"x-a"] == second.captured[b"x-a"]


def test_one_experiment_for_everybody_is_asked_nothing() -> None:
    entry = built(configuration({"e": {}})).entry(b"/")
    assert entry is not None
    assert (entry.trial is not None, entry.admission) == (True, None)
