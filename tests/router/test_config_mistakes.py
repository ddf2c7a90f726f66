"""Is every mistake in a configuration file named, with its line?"""

from __future__ import annotations

import pytest

from policies.statistics.reporting.traffic import RESERVED
from router.config_file import load
from router.data.wire import CAPTURE, REQUEST_KINDS
from router.problems import InvalidConfiguration
from tests.router.full_file import FULL, wrong


def test_all_mistakes_are_named_in_one_go_in_the_order_of_the_lines() -> None:
    text = FULL
    for old, new in [
        ("url: http://127.0.0.1:9001", "url: https://127.0.0.1:9001"),
        ("timeout: 2s", "timeout: soon"),
        ("backend: ranker-v1, experiment: ranker", "backend: rankr-v1, experiment: rank"),
        ("weight: 90", "weight: -1"),
        ("weight: 10", "weight: ten"),
        ("control: champion", "control: champoin"),
        ("kind: split", "kind: splitt"),
        ("kind: binary", "kind: binry"),
        ("attribution: 3d", "attribution: 0"),
        ("headers: 50", "header: 50"),
    ]:
        text = text.replace(old, new, 1)
    with pytest.raises(InvalidConfiguration) as caught:
        load(text)
    assert [(problem.line, problem.pointer) for problem in caught.value.problems] == [
        (2, "/backends/ranker-v1/url"),
        (3, "/backends/ranker-v2/timeout"),
        (5, "/routes/0/backend"),
        (5, "/routes/0/experiment"),
        (12, "/experiments/ranker/variants/champion/weight"),
        (13, "/experiments/ranker/variants/challenger/weight"),
        (14, "/experiments/ranker/control"),
        (15, "/experiments/ranker/policy/kind"),
        (17, "/experiments/ranker/metrics/0/kind"),
        (19, "/experiments/ranker/attribution"),
        (20, "/limits/header"),
    ]
    nearest = [problem.nearest for problem in caught.value.problems if problem.nearest]
    assert nearest == ["ranker-v1", "ranker", "champion", "split", "binary", "headers"]


@pytest.mark.parametrize(
    ("old", "new", "pointer", "said"),
    [
        ("9001}", "9001/v1}", "/backends/ranker-v1/url", "has a path"),
        ("http://127.0.0.1:9001}", "'http://127.0.0.1:9001?x=1'}", "/backends/ranker-v1/url", "has a path"),
        ("9001}", "0}", "/backends/ranker-v1/url", "has the port 0"),
        ("9001}", "99999}", "/backends/ranker-v1/url", "is no address"),
        ("http://127.0.0.1:9001}", "127.0.0.1:9001}", "/backends/ranker-v1/url", "allowed: http://HOST"),
        ("http://127.0.0.1:9001}", "'http://'}", "/backends/ranker-v1/url", "has no usable host"),
        ("http://127.0.0.1:9001}", "'http://a b'}", "/backends/ranker-v1/url", "has no usable host"),
        ("http://127.0.0.1:9001}", '"http://a\\n:1"}', "/backends/ranker-v1/url", "has no usable host"),
        ("http://127.0.0.1:9001}", "'http://[::1'}", "/backends/ranker-v1/url", "is no address"),
        ("http://127.0.0.1:9001}", "[]}", "/backends/ranker-v1/url", "at least one address"),
        ("http://127.0.0.1:9001}", "7}", "/backends/ranker-v1/url", "7 does not fit; allowed: text"),
        ("9003]", "9002]", "/backends/ranker-v2/url/1", "is there twice"),
        ("timeout: 2s", "timeout: 0s", "/backends/ranker-v2/timeout", "0.0 is not above 0"),
        ("timeout: 2s", "timeout: -2", "/backends/ranker-v2/timeout", "is not above 0"),
        ("timeout: 2s", "connect_timeout: null", "/backends/ranker-v2/connect_timeout", "does not fit"),
        ("max_connections: 256", "max_connections: 0", "/backends/ranker-v2/max_connections", "1 or more"),
        ("max_connections: 256", "max_waiting: -1", "/backends/ranker-v2/max_waiting", "0 or more"),
        (
            "max_connections: 256",
            "max_connections: 2.5",
            "/backends/ranker-v2/max_connections",
            "whole number",
        ),
        ("max_connections: 256", "max_connections: true", "/backends/ranker-v2/max_connections", "true does"),
        ("path: /v1/models/ranker", "path: v1", "/routes/0/path", "starts with '/'"),
        ("path: /v1/models/ranker", "path: '/v1?x=1'", "/routes/0/path", "is no path"),
        ("path: /v1/models/ranker", "path: /_turnout", "/routes/0/path", "is the service's own"),
        ("path: /v1/models/ranker", "path: /_turnout/x", "/routes/0/path", "is the service's own"),
        ("path: /v1/models/ranker", "path: /", "/routes/1/path", "is there twice, first in routes[0]"),
        ("path: /v1/models/ranker,", "", "/routes/0/path", "is missing"),
        (
            "{header: x-user-id}",
            "{header: x-user-id, cookie: a}",
            "/experiments/ranker/unit/0",
            "exactly one",
        ),
        ("{header: x-user-id}", "{}", "/experiments/ranker/unit/0", "gives nothing"),
        ("{header: x-user-id}", "{header: 'x user'}", "/experiments/ranker/unit/0/header", "is no header's"),
        ("{header: x-user-id}", "{header: X-Turnout-U}", "/experiments/ranker/unit/0/header", "handled by"),
        ("{cookie: uid}", "{cookie: 'u;d'}", "/experiments/ranker/unit/1/cookie", "is no cookie's name"),
        ("{json: /user/id}", "{json: user/id}", "/experiments/ranker/unit/2/json", "RFC 6901"),
        ("{json: /user/id}", "{json: /user~2}", "/experiments/ranker/unit/2/json", "RFC 6901"),
        ("{json: /user/id}", "{json: ''}", "/experiments/ranker/unit/2/json", "RFC 6901"),
        ("{query: user}", "{query: ''}", "/experiments/ranker/unit/3/query", "is empty"),
        ("weight: 10", "weight: .inf", "/experiments/ranker/variants/challenger/weight", "finite numbers"),
        ("weight: 10", "weight: '10'", "/experiments/ranker/variants/challenger/weight", "without quotes"),
        (
            "weight: 10",
            "weight: 1e1",
            "/experiments/ranker/variants/challenger/weight",
            "dot before an exponent",
        ),
        (
            "weight: 10",
            "wieght: 10",
            "/experiments/ranker/variants/challenger/wieght",
            "did you mean 'weight'",
        ),
        ("control: champion", "control: ranker-v1", "/experiments/ranker/control", "champion, challenger"),
        ("kind: split", "kind: splittt", "/experiments/ranker/policy/kind", "did you mean 'split'"),
        ("kind: split", "kind: 7", "/experiments/ranker/policy/kind", "7 does not fit"),
        ("{kind: split}", "{}", "/experiments/ranker/policy/kind", "is missing"),
        ("{kind: split}", "{kind: split, wieghts: 1}", "/experiments/ranker/policy/wieghts", "no known name"),
        ("{kind: split}", "split", "/experiments/ranker/policy", "a mapping"),
        ("name: correct", "name: revenue", "/experiments/ranker/metrics/1/name", "is there twice"),
        ("name: correct", "name: 'a b'", "/experiments/ranker/metrics/0/name", "1 to 48 of"),
        ("goal: increase", "goal: up", "/experiments/ranker/metrics/0/goal", "allowed: increase, decrease"),
        ("goal: increase", "margin: 0", "/experiments/ranker/metrics/0/margin", "is not above 0"),
        ("goal: increase", "guardrail: true", "/experiments/ranker/metrics/0/margin", "the harm that it"),
        ("goal: increase", "maximum: 1", "/experiments/ranker/metrics/0", "bounds a binary metric"),
        ("maximum: 1000", "maximum: 0", "/experiments/ranker/metrics/1/maximum", "not above the minimum"),
        ("attribution: 3d", "salt: ''", "/experiments/ranker/salt", "is no salt"),
        (
            "attribution: 3d",
            "cookie: {name: 'a b'}",
            "/experiments/ranker/cookie/name",
            "is no cookie's name",
        ),
        ("attribution: 3d", "analysis: {alpha: 0.5}", "/experiments/ranker/analysis/alpha", "is no level"),
        ("attribution: 3d", "running: maybe", "/experiments/ranker/running", "true or false"),
        ("limits: {", "limits: {body_bytes: 0, ", "/limits/body_bytes", "is not above 0"),
        ("limits: {", "limts: {", "/limts", "did you mean 'limits'"),
        ("ranker-v1: {", "'ranker/v1': {", "/backends/ranker~1v1", "1 to 64 of"),
        ("      champion:", f"      {'c' * 25}:", f"/experiments/ranker/variants/{'c' * 25}", "1 to 24 of"),
    ],
)
def test_one_mistake(old: str, new: str, pointer: str, said: str) -> None:
    problems = {problem.pointer: problem for problem in wrong(old, new)}
    assert pointer in problems
    assert said in str(problems[pointer])
    assert problems[pointer].line is not None


@pytest.mark.parametrize(
    ("old", "new", "pointer"),
    [
        ("weight: 90", "weight: 0", "/experiments/ranker/variants"),
        ("weight: 90", "weight: 1.7e+308", "/experiments/ranker/variants"),
    ],
)
def test_weights_have_a_positive_and_finite_sum(old: str, new: str, pointer: str) -> None:
    second = "weight: 0" if new == "weight: 0" else "weight: 1.7e+308"
    text = FULL.replace("weight: 10", second)
    (problem,) = wrong(old, new, text)
    assert problem.pointer == pointer
    assert "at least one positive weight, and a finite sum" in str(problem)


def test_an_experiment_needs_units_and_variants() -> None:
    text = FULL.replace(
        "unit: [{header: x-user-id}, {cookie: uid}, {json: /user/id}, {query: user}]", "unit: []"
    )
    start, end = text.index("    variants:"), text.index("    control:")
    said = [str(problem) for problem in wrong(text[start:end], "    variants: {}\n", text)]
    assert said == [
        "experiments.ranker.unit: is empty; allowed: at least one of header, cookie, json, query",
        "experiments.ranker.variants: is empty; allowed: at least one variant",
    ]


def test_a_part_that_is_wrong_does_not_make_references_to_it_wrong() -> None:
    (problem,) = wrong("{url: http://127.0.0.1:9001}", "{uri: http://127.0.0.1:9001, url: 1}")[1:]
    assert problem.pointer == "/backends/ranker-v1/url"


def test_positions_are_the_files_also_after_an_item_that_is_left_out() -> None:
    text = FULL.replace("{header: x-user-id}", "{hedder: x-user-id}")
    pointers = [problem.pointer for problem in wrong("{query: user}", "{query: ''}", text)]
    assert pointers[-1] == "/experiments/ranker/unit/3/query"


@pytest.mark.parametrize(
    "name", [*sorted(name.decode() for name, kind in REQUEST_KINDS.items() if kind < CAPTURE), "cookie"]
)
def test_a_header_that_the_data_plane_handles_itself_is_no_unit(name: str) -> None:
    (problem,) = wrong("header: x-user-id", f"header: {name}")
    assert problem.pointer == "/experiments/ranker/unit/0/header"


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_metric_is_not_called_what_the_report_adds_itself(name: str) -> None:
    (problem,) = wrong("name: correct", f"name: {name}")
    assert problem.pointer == "/experiments/ranker/metrics/0/name"


@pytest.mark.parametrize(
    ("old", "new", "pointer", "said"),
    [
        ("minimum: 0, maximum: 1000", "minimum: 0, cap: 0", "1/cap", "between minimum and maximum"),
        ("minimum: 0, maximum: 1000", "cap: 9, maximum: 9", "1/cap", "between minimum and maximum"),
        ("minimum: 0, maximum: 1000", "cap: .inf", "1/cap", "finite numbers"),
        ("goal: increase", "cap: 1", "0", "for kind mean only"),
        ("goal: increase", "covariate: revenu", "0/covariate", "did you mean 'revenue'?"),
        ("goal: increase", "covariate: correct", "0/covariate", "'correct' is no known other metric"),
    ],
)
def test_caps_cut_some_values_and_covariates_are_other_metrics(
    old: str, new: str, pointer: str, said: str
) -> None:
    (problem,) = wrong(old, new)
    assert problem.pointer == f"/experiments/ranker/metrics/{pointer}"
    assert said in str(problem)


@pytest.mark.parametrize(
    "wrong_line",
    ["srm_alpha: 0", "multiplicity: holms", "weighting: equal", "alpha: 1", "max_immature_share: 1.1"],
)
def test_an_analysis_that_cannot_be_is_refused(wrong_line: str) -> None:
    (problem,) = wrong("attribution: 3d", f"analysis: {{{wrong_line}}}")
    assert problem.pointer == f"/experiments/ranker/analysis/{wrong_line.split(':')[0]}"


def test_a_password_is_not_repeated() -> None:
    (problem,) = wrong("http://127.0.0.1:9001", "http://me:secret@127.0.0.1:9001")
    assert "secret" not in str(problem)
    assert "password" in str(problem)


def test_two_names_alike_are_refused_with_both_lines() -> None:
    (problem,) = wrong("  ranker-v2: {", "  ranker-v1: {}\n  ranker-v2: {")
    assert "backends.ranker-v1: is there twice, first on line 2" in str(problem)
