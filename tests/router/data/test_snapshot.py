"""Does every path find the route that the configuration means, at a bounded cost?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.data.pool import Pool
from router.data.recorder import Recorder
from router.data.snapshot import Entry, Snapshot, build
from router.settings import Backend
from router.state import State, decode_state, encode_state
from tests.router.data.inprocess import nobody, state_of
from tests.router.data.test_admission import Asked, configuration
from tests.router.data.test_admission import built as admitting


class Still:
    """A clock that stands."""

    now = 0.0


POOL = Pool("b", Backend(url="http://127.0.0.1:9"), Still())
TALLY = Recorder("w", nobody, Path("nowhere")).tally("/")


def snapshot(routes: Iterable[str]) -> Snapshot:
    """A snapshot with these prefixes, as `build` stores them."""
    prefixes = {route.rstrip("/").encode(): Entry(pool=POOL, tally=TALLY) for route in routes}
    limits = state_of({"backends": {"b": {"url": "http://a:1"}}, "routes": []}).settings.limits
    return Snapshot(
        state=state_of({"backends": {"b": {"url": "http://a:1"}}, "routes": []}),
        limits=limits,
        kinds={},
        prefixes=prefixes,
        captured={},
        trials={},
        unrouted=Entry(pool=None, tally=TALLY),
        plain_bytes=0,
        plain_head=0,
        plain_digits=0,
    )


def naive(routes: Iterable[str], path: bytes) -> str | None:
    """The longest route that is the path, or that the path goes on from with a slash or a colon."""
    fitting = []
    for route in routes:
        prefix = route.rstrip("/").encode()
        if path.startswith(prefix) and (
            path[len(prefix) : len(prefix) + 1] in (b"", b"/", b":") or not prefix
        ):
            fitting.append(route)
    return max(fitting, key=lambda route: len(route.rstrip("/")), default=None)


pieces = st.sampled_from(["/", "/", ":", "a", "b", "ab", ".", "%2F", "//", "/a", "/a:b"])
paths = st.lists(pieces, max_size=10).map(lambda some: "/" + "".join(some))
many_routes = st.lists(paths, max_size=8, unique_by=lambda route: route.rstrip("/"))


@given(many_routes, st.data())
def test_longest_prefix_as_a_naive_search_has_it(routes: list[str], data: st.DataObject) -> None:
    found = snapshot(routes)
    from_route = st.sampled_from(routes or ["/"])
    near = st.builds(lambda route, rest: route + "".join(rest), from_route, st.lists(pieces, max_size=4))
    for text in data.draw(st.lists(near | paths, max_size=12)):
        path = text.encode()
        expected = naive(routes, path)
        entry = found.entry(path)
        assert entry is (None if expected is None else found.prefixes[expected.rstrip("/").encode()])
        assert found.entry(path) is entry


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/models/ranker", "/v1/models/ranker"),
        ("/v1/models/ranker/", "/v1/models/ranker"),
        ("/v1/models/ranker/infer", "/v1/models/ranker"),
        ("/v1/models/ranker:predict", "/v1/models/ranker"),
        ("/v1/models/ranker-2", "/v1/models"),
        ("/v1/models/rank", "/v1/models"),
        ("/v1/models", "/v1/models"),
        ("/v1/modelsx", "/"),
        ("/v1", "/"),
        ("/", "/"),
        ("*", "/"),
        ("//v1/models", "/"),
        ("/V1/models", "/"),
        ("/a", "/a/"),
        ("/a/b", "/a/"),
        ("/ab", "/"),
    ],
)
def test_boundaries(path: str, route: str) -> None:
    found = snapshot(["/", "/v1/models", "/v1/models/ranker", "/a/"])
    assert found.entry(path.encode()) is found.prefixes[route.rstrip("/").encode()]


def test_no_route_is_none_and_stays_none() -> None:
    found = snapshot(["/a"])
    assert found.entry(b"/b") is None
    assert found.entry(b"/b") is None
    assert found.entry(b"") is None


def test_memory_of_paths_is_bounded() -> None:
    found = snapshot(["/a"])
    for number in range(10_000):
        assert found.entry(b"/a/%d" % number) is found.prefixes[b"/a"]
    assert found.entry(b"/a/" + b"x" * 300) is found.prefixes[b"/a"]
    assert len(found.remembered) <= 4096


def calls(function: Callable[[], object]) -> int:
    """How many functions are called, Python's and C's: a cost that does not depend on the machine."""
    count = 0

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_cost_does_not_grow_with_routes() -> None:
    path = b"/v1/models/m-1/versions/7:infer"
    few = snapshot([f"/v1/models/m-{number}" for number in range(2)])
    many = snapshot([f"/v1/models/m-{number}" for number in range(5000)])
    assert calls(lambda: many.entry(path)) == calls(lambda: few.entry(path))
    assert many.entry(path) is many.prefixes[b"/v1/models/m-1"]


@pytest.mark.parametrize("piece", [b"/", b":", b"/a", b"a"])
def test_cost_does_not_grow_with_the_path(piece: bytes) -> None:
    """A path of nothing but boundaries is as long as a URL may be, and as cheap as any."""
    found = snapshot(["/v1/models/ranker"])
    short, long = b"/v1" + piece * 200, b"/v1" + piece * 8000
    assert calls(lambda: found.entry(long)) <= calls(lambda: found.entry(short))


# -- what is built ----------------------------------------------------------------------------------------


def built(tmp_path: Path, **changes: Any) -> tuple[Snapshot, State, dict[str, Pool]]:
    experiment: dict[str, Any] = {
        "unit": [{"header": "x-user-id"}],
        "variants": {"old": {"backend": "a", "weight": 3}, "new": {"backend": "b", "weight": 1}},
        "control": "old",
    }
    state = state_of(
        {
            "backends": {"a": {"url": "http://127.0.0.1:1"}, "b": {"url": "http://127.0.0.1:2"}},
            "routes": [{"path": "/", "backend": "a"}, {"path": "/e/", "backend": "a", "experiment": "e"}],
            "experiments": {"e": experiment | changes},
        }
    )
    pools = {name: Pool(name, backend, Still()) for name, backend in state.settings.backends.items()}
    return build(state, pools, Recorder("w", nobody, tmp_path)), state, pools


def test_a_running_experiment_is_what_its_route_splits(tmp_path: Path) -> None:
    found, state, pools = built(tmp_path)
    entry = found.entry(b"/e/x")
    assert entry is not None
    assert entry.trial is not None
    assert entry.pool is pools["a"]
    assert entry.trial.plan.weights == {"old": 3, "new": 1}
    assert {name: slot.pool.name for name, slot in entry.trial.slots.items()} == {"old": "a", "new": "b"}
    assert {slot.accumulator.epoch for slot in entry.trial.slots.values()} == {state.epochs["e"].number}
    assert {slot.headers for slot in entry.trial.slots.values()} == {b""}
    root = found.entry(b"/")
    assert root is not None
    assert root.trial is None


def test_a_stopped_experiment_leaves_the_routes_backend(tmp_path: Path) -> None:
    found, _, pools = built(tmp_path, running=False)
    entry = found.entry(b"/e")
    assert entry is not None
    assert entry.trial is None
    assert entry.pool is pools["a"]


def test_own_routes_are_local_whatever_is_configured(tmp_path: Path) -> None:
    found, _, _ = built(tmp_path)
    for path in (b"/_turnout", b"/_turnout/health", b"/_turnout/outcomes"):
        entry = found.entry(path)
        assert entry is not None
        assert entry.local
        assert entry.pool is None
    beside = found.entry(b"/_turnouts")
    assert beside is not None
    assert not beside.local


def test_the_variant_is_shown_only_where_it_is_asked_for(tmp_path: Path) -> None:
    found, _, _ = built(tmp_path, expose_variant=True)
    entry = found.entry(b"/e")
    assert entry is not None
    assert entry.trial is not None
    assert entry.trial.slots["new"].headers == b"x-turnout-variant: new\r\n"


@pytest.mark.parametrize(("secure", "end"), [(False, b""), (True, b"; Secure")])
def test_the_cookie_that_a_request_without_a_unit_gets(tmp_path: Path, secure: bool, end: bytes) -> None:
    found, _, _ = built(tmp_path, cookie={"name": "uid", "max_age": "1h", "secure": secure})
    entry = found.entry(b"/e")
    assert entry is not None
    assert entry.trial is not None
    assert entry.trial.cookie is not None
    line = entry.trial.cookie(b"abc")
    assert line == b"set-cookie: uid=abc; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax" + end + b"\r\n"


def test_a_state_that_cannot_be_built_changes_nothing(tmp_path: Path) -> None:
    _, state, pools = built(tmp_path)
    recorder = Recorder("w", nobody, tmp_path)
    with pytest.raises(KeyError):
        build(state, {"a": pools["a"]}, recorder)
    assert recorder.pending == 0


def test_what_has_not_changed_is_used_again(tmp_path: Path) -> None:
    experiment = {
        "unit": [{"header": "x-user-id"}],
        "variants": {"old": {"backend": "a", "weight": 3}, "new": {"backend": "b", "weight": 1}},
        "control": "old",
        "fallback": "old",
        "audience": {"holdouts": ["h"]},
    }
    data: dict[str, Any] = {
        "backends": {"a": {"url": "http://127.0.0.1:1"}, "b": {"url": "http://127.0.0.1:2"}},
        "routes": [{"path": f"/{name}", "backend": "a", "experiment": name} for name in "ef"],
        "holdouts": {"h": {"share": 0.1}},
        "experiments": {"e": experiment, "f": experiment | {"audience": {}}},
    }
    first = state_of(data)
    pools = {name: Pool(name, backend, Still()) for name, backend in first.settings.backends.items()}
    recorder = Recorder("w", nobody, tmp_path)
    before = build(first, pools, recorder)

    def same(changed: State, pools: dict[str, Pool]) -> tuple[bool, ...]:
        after = build(changed, pools, recorder, before)
        return tuple(after.trials[key] is before.trials[key] for key in (("e", "/e"), ("f", "/f"), ("e", "")))

    def changed(**more: Any) -> State:
        return state_of(data | more, first)

    assert same(decode_state(encode_state(first)), pools) == (True, True, True)
    weights = {"old": {"backend": "a", "weight": 1}, "new": {"backend": "b", "weight": 1}}
    planned = changed(
        experiments=data["experiments"] | {"f": data["experiments"]["f"] | {"variants": weights}}
    )
    assert same(planned, pools) == (True, False, True)
    assert same(changed(holdouts={"h": {"share": 0.2}}), pools) == (False, True, False)
    assert same(changed(limits={"json_prefix": 10}), pools) == (False, False, False)
    assert same(changed(limits={"headers": 10}), pools) == (True, True, True)
    assert same(replace(first, key=b"z" * 32), pools) == (False, False, False)
    backends = data["backends"] | {"b": {"url": "http://127.0.0.1:3"}}
    moved = changed(backends=backends)
    others = pools | {"b": Pool("b", moved.settings.backends["b"], Still())}
    assert same(moved, others) == (False, False, False)


def test_cost_does_not_grow_with_a_layers_experiments() -> None:
    def cost(number: int) -> int:
        """Calls for a unit that is in the last experiment's part."""
        audiences = {
            f"e{index}": {"layer": "l", "part": [index / number, (index + 1) / number]}
            for index in range(number)
        }
        entry = admitting(configuration(audiences)).entry(b"/")
        assert entry is not None
        assert entry.admission is not None
        ask, asked = entry.admission.admit, Asked(captured={16: b"user-1"})
        assert ask(asked, lambda: b"").trial is not None
        return calls(lambda: ask(asked, lambda: b""))

    assert cost(50) == cost(2)
