"""Does a contextual bandit learn, in the running service, which variant suits which requests?"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.token import LOGGED, read_token
from tests.router.data.backend import Backend
from tests.router.data.service import serving, until

EXPERIMENT = "/api/v1/experiments/ranker"


@pytest.fixture(scope="module")
def backends() -> Iterator[tuple[Backend, Backend]]:
    one, other = Backend("one"), Backend("other")
    yield one, other
    one.stop()
    other.stop()


def configuration(backends: tuple[Backend, Backend]) -> dict[str, Any]:
    one, other = backends
    return {
        "backends": {"one": {"url": one.url}, "other": {"url": other.url}},
        "routes": [{"path": "/rank", "backend": "one", "experiment": "ranker"}],
        "experiments": {
            "ranker": {
                "unit": [{"header": "x-user-id"}],
                "variants": {"a": {"backend": "one", "weight": 1}, "b": {"backend": "other", "weight": 1}},
                "control": "a",
                "metrics": [{"name": "clicked", "kind": "binary", "per": "request"}],
                "expose_variant": True,
                "policy": {
                    "kind": "linear-thompson",
                    "every": "1s",
                    "min_decisions": 50,
                    "floor": 0.1,
                    "features": [
                        {"name": "plan", "header": "x-plan", "values": ["free", "paid"]},
                        {"name": "age", "json": "/user/age", "low": 0, "high": 100},
                    ],
                },
            }
        },
    }


def test_it_learns_by_features_and_values_the_alternatives(
    backends: tuple[Backend, Backend], tmp_path: Path
) -> None:
    rng = random.Random(4)
    with serving(configuration(backends), tmp_path, 1) as service, service.connect() as connection:

        def ask(plan: str) -> tuple[str | None, str | None]:
            body = json.dumps({"user": {"age": rng.randrange(100)}}).encode()
            head = connection.request("POST", "/rank", "x-user-id: u", f"x-plan: {plan}", body=body).head
            return head.value("x-turnout-variant"), head.value("x-turnout-token")

        def some_users() -> None:
            """Those who pay like b, the others a; nobody else earns a reward."""
            outcomes = []
            for _ in range(50):
                plan = rng.choice(["free", "paid"])
                variant, token = ask(plan)
                if rng.random() < (0.8 if (variant == "b") == (plan == "paid") else 0.1):
                    outcomes.append({"token": token, "metric": "clicked", "value": 1})
            body = json.dumps(outcomes).encode()
            answer = connection.request("POST", "/_turnout/outcomes", body=body)
            assert answer.head.status == 202

        def learnt() -> bool:
            some_users()
            shares = []
            for plan, liked in (("paid", "b"), ("free", "a")):
                got = [ask(plan)[0] for _ in range(40)]
                shares.append(got.count(liked) / len(got))
            return min(shares) > 0.8

        until(learnt, "each gets what it likes", 60)

        def valued() -> Any:
            found = service.control(f"{EXPERIMENT}/off-policy")
            values = {each["name"]: each["values"] for each in found["alternatives"]}
            if found["decisions"] < 200:
                return None
            return {name: {each["estimator"]: each for each in some} for name, some in values.items()}

        values = until(valued, "decisions are logged")
        assert set(values) == {"only-a", "only-b", "even", "learnt"}
        assert values["learnt"]["dr"]["low"] > values["even"]["dr"]["high"]
        found = service.control(f"{EXPERIMENT}/off-policy")
        more = {each["name"]: each["over_even"] for each in found["alternatives"]}
        assert [each["estimator"] for each in more["learnt"]] == ["ips", "snips", "dr"]
        assert all((each["low"] is None) == bool(each["reason"]) for each in more["learnt"])
        assert {each["reason"] for each in more["even"]} == {"the policies are the same"}

        def told(unit: str, plan: str) -> Any:
            body = {"context": {"targetingKey": unit, "plan": plan, "age": 40}}
            path = "/ofrep/v1/evaluate/flags/ranker"
            return json.loads(connection.request("POST", path, body=json.dumps(body).encode()).body)

        for plan, liked in (("paid", "b"), ("free", "a")):
            answers = [told(f"unit-{number}", plan) for number in range(60)]
            assert sum(each["variant"] == liked for each in answers) > 40
            flags = {read_token(each["metadata"]["token"], service.key).flags for each in answers}
            assert LOGGED in flags <= {0, LOGGED}
        assert told("unit-1", "paid")["variant"] == told("unit-1", "paid")["variant"]

        plans = service.control("/api/v1/versions")
        assert any(each["automatic"] for each in plans["versions"])
