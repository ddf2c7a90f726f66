"""Do OpenFeature's own clients get their variants, and are those units counted?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode

from router.token import read_token
from tests.router.data.backend import Backend
from tests.router.data.client import Response
from tests.router.data.conftest import experiment
from tests.router.data.service import Service, serving, until

PATH = "/ofrep/v1/evaluate/flags"


def config(backend: Backend, **routes: str) -> dict[str, Any]:
    variants = {"champion": {"backend": "main", "weight": 1}}
    return {
        "backends": {"main": {"url": backend.url}, "challenger": {"url": backend.url}},
        "routes": [
            {"path": "/", "backend": "main"},
            {"path": "/split", "backend": "main", "experiment": "ranker"},
            *({"path": path, "backend": "main"} for path in routes.values()),
        ],
        "experiments": {
            "ranker": experiment(),
            "single": experiment(variants=variants),
            "paused": experiment(running=False),
        },
    }


@pytest.fixture(scope="module")
def service(main_backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(config(main_backend), tmp_path_factory.mktemp("ofrep"), 2) as service:
        yield service


def ask(service: Service, key: str = "", body: object = None, *headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return service.request("POST", f"{PATH}/{key}" if key else PATH, *headers, body=content)


def of(unit: object) -> dict[str, Any]:
    return {"context": {"targetingKey": unit}}


def test_openfeatures_own_client(service: Service) -> None:
    api.set_provider(OFREPProvider(f"http://127.0.0.1:{service.port}"))
    try:
        client = api.get_client()
        shares: Counter[str] = Counter()
        for number in range(60):
            context = EvaluationContext(f"unit-{number}", {"country": "NZ"})
            found = client.get_string_details("ranker", "none", context)
            assert (found.error_code, found.reason) == (None, "SPLIT")
            assert found.variant == found.value
            token = read_token(str(found.flag_metadata["token"]), service.key)
            assert (token.experiment, token.variant, token.epoch) == ("ranker", found.value, 1)
            assert found.flag_metadata["epoch"] == 1
            # The same unit gets the same variant from a route, and in the same bucket.
            routed = service.request("GET", "/split", f"X-User-Id: unit-{number}")
            other = read_token(str(routed.head.value("x-turnout-token")), service.key)
            assert (other.variant, other.bucket) == (token.variant, token.bucket)
            assert other.decision != token.decision
            shares[found.value] += 1
        assert set(shares) == {"champion", "challenger"}

        one = EvaluationContext("u")
        static = client.get_string_details("single", "none", one)
        assert (static.value, static.reason) == ("champion", "STATIC")
        paused = client.get_string_details("paused", "none", one)
        assert (paused.value, paused.reason, "token" in paused.flag_metadata) == (
            "champion",
            "DISABLED",
            False,
        )
        missing = client.get_string_details("nothing", "none", one)
        assert (missing.value, missing.error_code) == ("none", ErrorCode.FLAG_NOT_FOUND)
        nobody = client.get_string_details("ranker", "none", EvaluationContext())
        assert (nobody.value, nobody.error_code) == ("none", ErrorCode.TARGETING_KEY_MISSING)
        assert client.get_boolean_details("ranker", True, one).error_code == ErrorCode.TYPE_MISMATCH
    finally:
        api.shutdown()
        api.clear_providers()


def test_exposed_units_are_counted_and_no_requests(main_backend: Backend, tmp_path: Path) -> None:
    with serving(config(main_backend), tmp_path, 2) as service:
        tokens = []
        for number in range(40):
            for _ in range(2):
                answer = ask(service, "ranker", of(f"u{number}"))
                assert answer.status == 200
            tokens.append(answer.json()["metadata"]["token"])
        outcomes = [{"token": token, "metric": "correct", "value": 1} for token in tokens]
        posted = service.request("POST", "/_turnout/outcomes", body=json.dumps(outcomes).encode())
        assert posted.json()["accepted"] == 40

        def report() -> list[tuple[int, int]]:
            variants = service.control("/api/v1/experiments/ranker/report")["variants"]
            return [(round(each["units"]), each["requests"]) for each in variants]

        until(lambda: sum(units for units, _ in report()) == 40, "the exposed units are counted")
        assert {requests for _, requests in report()} == {0}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "PARSE_ERROR"),
        (b"\xff", "PARSE_ERROR"),
        ([], "INVALID_CONTEXT"),
        ({"context": 1}, "INVALID_CONTEXT"),
        (of(5), "INVALID_CONTEXT"),
        (b" " * 70_000, "INVALID_CONTEXT"),
        ({}, "TARGETING_KEY_MISSING"),
        (of(""), "TARGETING_KEY_MISSING"),
    ],
)
def test_what_names_no_unit(service: Service, body: object, code: str) -> None:
    for key in ("ranker", ""):
        answer = ask(service, key, body)
        assert answer.status == 400
        assert answer.json()["errorCode"] == code
        assert answer.json()["errorDetails"]
        assert answer.json().get("key", "") == key


def test_all_flags_and_what_has_not_changed(service: Service) -> None:
    first = ask(service, "", of("u"))
    assert first.status == 200
    flags = {flag["key"]: flag for flag in first.json()["flags"]}
    assert list(flags) == ["paused", "ranker", "single"]
    alone = ask(service, "ranker", of("u")).json()
    assert flags["ranker"]["value"] == alone["value"]
    tag = first.head.value("etag")
    again = ask(service, "", of("u"), f"If-None-Match: W/{tag}")
    assert (again.status, again.body, again.head.value("etag")) == (304, b"", tag)
    assert ask(service, "", of("other"), f"If-None-Match: {tag}").status == 200


def test_other_methods_and_paths(service: Service) -> None:
    assert service.request("GET", f"{PATH}/ranker").status == 405
    assert service.request("GET", "/ofrep/v2").status == 404


def test_a_route_may_claim_the_paths(main_backend: Backend, tmp_path: Path) -> None:
    with serving(config(main_backend, flags="/ofrep/v1"), tmp_path) as service:
        answer = ask(service, "ranker", of("u"))
        assert answer.head.value("x-turnout-error") is None
        assert b"SPLIT" not in answer.body


def test_who_takes_part(main_backend: Backend, tmp_path: Path) -> None:
    audience = {
        "when": '"plan" in context && context.plan == "pro"',
        "layer": "l",
        "part": [0.0, 0.5],
        "forced": {"challenger": ["tester"]},
    }
    of_requests = {"when": 'request.method == "GET"'}
    data = config(main_backend) | {"layers": {"l": {}}}
    data["experiments"] |= {
        "ranker": experiment(audience=audience),
        "routed": experiment(audience=of_requests),
    }
    with serving(data, tmp_path) as service:

        def told(unit: str, plan: str, key: str = "ranker") -> dict[str, Any]:
            body = {"context": {"targetingKey": unit, "plan": plan, "seats": [1, {"a": None}]}}
            answer: dict[str, Any] = ask(service, key, body).json()
            return answer

        reasons: Counter[str] = Counter()
        for number in range(60):
            found = told(f"unit-{number}", "pro")
            reasons[found["reason"]] += 1
            assert ("token" in found["metadata"]) == (found["reason"] == "TARGETING_MATCH")
            if found["reason"] == "DEFAULT":
                assert found["value"] == "champion"
            assert told(f"unit-{number}", "free")["reason"] == "DEFAULT"
        assert set(reasons) == {"TARGETING_MATCH", "DEFAULT"}
        assert sum(reasons.values()) == 60

        forced = told("tester", "free")
        assert (forced["value"], forced["reason"]) == ("challenger", "TARGETING_MATCH")
        assert "token" not in forced["metadata"]
        # There is no request, so nothing of one is true.
        assert told("unit-1", "pro", "routed")["reason"] == "DEFAULT"
