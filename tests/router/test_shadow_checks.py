"""Is every shadow that cannot be used refused, with its place and what would be right?"""

from __future__ import annotations

from typing import Any

import pytest

from router.config_file import read_settings
from router.problems import InvalidConfiguration, Problem
from router.settings import Settings, Size


def document(shadow: dict[str, Any] | None = None, **route: Any) -> dict[str, Any]:
    """A route with one shadow."""
    return {
        "backends": {"main": {"url": "http://127.0.0.1:9001"}, "next": {"url": "http://127.0.0.1:9002"}},
        "routes": [{"path": "/", "backend": "main", "repeatable": True, "shadows": ["next"], **route}],
        "shadows": {"next": {"backend": "next", **(shadow or {})}},
    }


def settings(data: dict[str, Any]) -> Settings:
    return read_settings(data)


def problem(data: dict[str, Any]) -> Problem:
    """The one thing that is wrong."""
    with pytest.raises(InvalidConfiguration) as caught:
        read_settings(data)
    (only,) = caught.value.problems
    return only


def test_all_that_can_be_said_of_a_shadow_is_read() -> None:
    compare = {"ignore": ["/id", "/hits/*/score"], "relative": 0.01, "top": "/hits/0/id"}
    compare |= {"ranking": "/hits/*/id", "redact": ["/user"], "max_body": "8KiB", "share": 0.1}
    given = {"share": 0.5, "noise": 0.1, "max_body": "1KiB", "max_in_flight": 4, "timeout": "250ms"}
    shadow = settings(document(given | {"multiply": 3, "rate": 10, "compare": compare})).shadows["next"]
    assert (shadow.share, shadow.noise, shadow.max_body, shadow.max_in_flight) == (0.5, 0.1, Size(1024), 4)
    assert (shadow.timeout, shadow.multiply, shadow.rate) == (0.25, 3, 10)
    assert shadow.compare.ignore == ("/id", "/hits/*/score")
    assert (shadow.compare.relative, shadow.compare.max_body) == (0.01, Size(8192))
    assert shadow.compare.share == 0.1


def test_a_route_that_may_not_be_repeated_has_no_shadow() -> None:
    found = problem(document(repeatable=False))
    assert found.pointer == "/routes/0/shadows/0"
    assert "not marked as repeatable" in found.wrong
    assert "side_effects: allowed in shadows.next" in found.allowed


def test_unless_its_backend_is_said_to_do_no_harm() -> None:
    assert settings(document({"side_effects": "allowed"}, repeatable=False)).routes[0].shadows == ("next",)


def test_noise_never_repeats_what_may_not_be_repeated() -> None:
    found = problem(document({"side_effects": "allowed", "noise": 0.1}, repeatable=False))
    assert "to the current model a second time" in found.wrong


def test_names_that_nothing_has_are_refused_with_the_nearest() -> None:
    found = problem(document(shadows=["nxt"]))
    assert (found.pointer, found.nearest) == ("/routes/0/shadows/0", "next")
    found = problem(document({"backend": "nex"}))
    assert (found.pointer, found.nearest) == ("/shadows/next/backend", "next")


def test_a_shadow_that_is_named_twice() -> None:
    assert problem(document(shadows=["next", "next"])).pointer == "/routes/0/shadows/1"


@pytest.mark.parametrize(
    ("shadow", "pointer"),
    [
        ({"share": 1.5}, "/shadows/next/share"),
        ({"share": float("nan")}, "/shadows/next/share"),
        ({"noise": -0.1}, "/shadows/next/noise"),
        ({"max_in_flight": 0}, "/shadows/next/max_in_flight"),
        ({"max_in_flight": 1, "noise": 0.1}, "/shadows/next/max_in_flight"),
        ({"multiply": 0}, "/shadows/next/multiply"),
        ({"multiply": 101}, "/shadows/next/multiply"),
        ({"rate": 0}, "/shadows/next/rate"),
        ({"timeout": 0}, "/shadows/next/timeout"),
        ({"max_body": 0}, "/shadows/next/max_body"),
        ({"compare": {"relative": -1}}, "/shadows/next/compare/relative"),
        ({"compare": {"absolute": float("inf")}}, "/shadows/next/compare/absolute"),
        ({"compare": {"share": 1.01}}, "/shadows/next/compare/share"),
        ({"compare": {"margin": 0}}, "/shadows/next/compare/margin"),
        ({"compare": {"alpha": 1}}, "/shadows/next/compare/alpha"),
        ({"compare": {"ignore": ["/a", "b"]}}, "/shadows/next/compare/ignore/1"),
        ({"compare": {"redact": ["/a~2"]}}, "/shadows/next/compare/redact/0"),
        ({"compare": {"top": "hits"}}, "/shadows/next/compare/top"),
        ({"compare": {"ranking": ""}}, "/shadows/next/compare/ranking"),
        ({"compare": {"max_body": 0}}, "/shadows/next/compare/max_body"),
        ({"side_effects": "maybe"}, "/shadows/next/side_effects"),
    ],
)
def test_values_out_of_their_range(shadow: dict[str, Any], pointer: str) -> None:
    assert problem(document(shadow)).pointer == pointer


def test_a_name_that_cannot_be_a_key() -> None:
    data = document(shadows=[])
    data["shadows"] = {"a:b": {"backend": "next"}}
    assert problem(data).wrong == "is no usable name"
