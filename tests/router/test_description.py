"""Does the description say what the data plane will do?"""

from __future__ import annotations

import pytest

from router.config_file import load
from router.description import describe

TEXT = """\
backends: {one: {url: http://h:1}, two: {url: http://h:2}, three: {url: http://h:3}}
routes:
  - {path: /, backend: one}
  - {path: /v1/models/ranker, backend: one, experiment: ranker}
  - {path: /v1/models, backend: three}
experiments:
  ranker:
    unit: [{header: x-user-id}, {json: /user/id}]
    variants: {champion: {backend: one, weight: 3}, challenger: {backend: two, weight: 1}}
    control: champion
    metrics:
      - {name: correct, kind: binary, margin: 0.01}
      - {name: revenue, kind: mean, goal: decrease, per: request, minimum: 0, maximum: 9, guardrail: true,
         margin: 1}
"""


def warnings(old: str, new: str) -> tuple[str, ...]:
    assert old in TEXT
    return describe(load(TEXT.replace(old, new))).warnings


def test_a_shadow_uses_its_backend_and_is_of_use_on_a_route() -> None:
    shadows = "shadows: {next: {backend: four, side_effects: allowed}}\n"
    text = shadows + TEXT.replace("three: {url", "four: {url: http://h:4}, three: {url")
    said = ("shadow next: no route names it, so it gets no copies",)
    assert describe(load(text)).warnings == said
    assert describe(load(text.replace("backend: three}", "backend: three, shadows: [next]}"))).warnings == ()


def test_routes_stand_in_the_order_in_which_they_are_tried() -> None:
    assert [(route.path, route.served) for route in describe(load(TEXT)).routes] == [
        ("/v1/models/ranker", "experiment ranker (backend one when it is stopped)"),
        ("/v1/models", "backend three"),
        ("/", "backend one"),
    ]


def test_an_experiment_with_its_shares() -> None:
    (ranker,) = describe(load(TEXT)).experiments
    assert (ranker.name, ranker.running, ranker.policy, ranker.salt) == ("ranker", True, "split", "ranker")
    assert ranker.unit == ("header x-user-id", "json /user/id")
    assert [(each.name, each.backend, each.weight, each.share, each.control) for each in ranker.variants] == [
        ("champion", "one", 3, 0.75, True),
        ("challenger", "two", 1, 0.25, False),
    ]
    assert ranker.metrics == (
        "correct: binary per outcome, goal increase, margin 0.01",
        "revenue: mean per request, goal decrease, from 0, to 9, margin 1, guardrail",
    )


def test_what_happens_without_a_unit() -> None:
    (ranker,) = describe(load(TEXT)).experiments
    assert "anew for each request" in ranker.without_unit
    with_cookie = TEXT.replace(
        "control: champion", "control: champion\n    cookie: {name: who, max_age: 30d}"
    )
    (ranker,) = describe(load(with_cookie)).experiments
    assert "given the cookie who for 30 days" in ranker.without_unit
    assert ranker.unit[-1] == "cookie who"


def test_usual_settings_are_no_reason_to_warn() -> None:
    assert describe(load(TEXT)).warnings == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("weight: 1}", "weight: 0}", "challenger has weight 0 and gets no request"),
        ("weight: 1}", "weight: 0}", "every request goes to champion"),
        (
            "weight: 3}",
            "weight: 0}",
            "the control champion has weight 0 and gets no request, so there is nothing",
        ),
        (", experiment: ranker", "", "experiment ranker: no route names it"),
        ("control: champion", "control: champion\n    running: false", "experiment ranker: is stopped"),
        ("path: /v1/models, backend: three", "path: /v1/models, backend: one", "backend three: no route"),
    ],
)
def test_what_was_perhaps_not_meant(old: str, new: str, said: str) -> None:
    assert any(said in warning for warning in warnings(old, new))


def test_a_canary_goes_by_its_steps_and_not_by_weights() -> None:
    text = TEXT.replace("weight: 1}", "weight: 0}")
    assert any("weight 0" in warning for warning in describe(load(text)).warnings)
    text = text.replace("control: champion", "control: champion\n    policy: {kind: canary}")
    assert describe(load(text)).warnings == ()


def test_an_experiment_without_metrics() -> None:
    text = TEXT[: TEXT.index("    metrics:")]
    assert describe(load(text)).warnings == (
        "experiment ranker: has no metrics; only errors and latency will be compared",
    )


def test_no_routes() -> None:
    text = "backends: {}\nroutes: []\n"
    assert describe(load(text)).warnings == ("there are no routes: every request is answered with 404",)


def test_two_experiments_with_one_salt() -> None:
    copy = TEXT[TEXT.index("  ranker:") :].replace("  ranker:", "  second:\n    salt: ranker", 1)
    said = describe(load(TEXT + copy)).warnings
    assert "experiments ranker and second have the same salt: their assignments are not independent" in said


AUDIENCE = """\
    audience:
      {when: "request.path ==\\n '/a'", layer: page, part: [0, 0.5], share: 0.5, holdouts: [untouched]}
    schedule: {start: "2030-01-31T08:00Z", end: "2030-02-28T08:00Z"}
"""
MORE = "layers: {page: {}}\nholdouts: {untouched: {share: 0.1}}\n"


def test_who_takes_part() -> None:
    text = MORE + TEXT.replace("    metrics:\n", AUDIENCE + "    metrics:\n", 1)
    found = describe(load(text))
    assert found.experiments[0].audience == (
        "requests with request.path == '/a'",
        "units from 0 to 0.5 of the layer page",
        "a share of 0.5 of the units",
        "units outside of untouched",
        "from 2030-01-31T08:00Z",
        "until 2030-02-28T08:00Z",
    )
    assert found.routes[0].served.endswith("or for those who do not take part)")
    assert found.warnings == describe(load(TEXT)).warnings


def test_audiences_that_were_perhaps_not_meant() -> None:
    other = (
        "  other:\n    unit: [{header: x}]\n"
        "    variants: {a: {backend: one, weight: 1}, b: {backend: two, weight: 1}}\n"
        "    control: a\n    metrics: [{name: m, kind: binary}]\n    audience: {share: 0}\n"
    )
    text = TEXT.replace("experiment: ranker}", "experiment: [ranker, other]}", 1) + other
    more = "layers: {page: {}, side: {salt: page}}\nholdouts: {untouched: {share: 0.1}}\n"
    assert set(describe(load(more + text)).warnings) - set(describe(load(TEXT)).warnings) == {
        "experiment other: its share is 0, so no unit takes part but those that are forced",
        "route /v1/models/ranker: everybody takes part in ranker, so nobody comes to other",
        "layer page: no experiment uses it",
        "layer side: no experiment uses it",
        "hold-out untouched: no experiment uses it",
        "layers page and side have the same salt: they are not independent",
    }
