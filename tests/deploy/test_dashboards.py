"""Does a real Prometheus have what every panel, variable, annotation, rule and alert asks for?

With the shipped configuration, on a running service with a split experiment, a canary, a bandit and a shadow.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from tests.deploy.files import DEPLOY, run
from tests.deploy.prometheus import Prometheus, scraping
from tests.deploy.shipped_queries import (
    EMPTY_FOR_SOME,
    name_of,
    not_offered,
    queries,
    rules,
    selectors,
    without_data,
)
from tests.router.data.backend import Backend, Exchange
from tests.router.data.behaviours import BEHAVIOURS
from tests.router.data.conftest import experiment
from tests.router.data.service import Service, serving

USERS = 2000

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="prometheus and promtool are not on the PATH; apt-get install prometheus",
)


# -- a service with everything in it ----------------------------------------------------------------------


async def ranked(x: Exchange) -> bool:
    """A ranking; the candidate's is the other way round."""
    await x.body()
    ids = ["a", "b", "c"][:: -1 if x.backend.name == "candidate" else 1]
    body = json.dumps({"top": ids[0], "hits": [{"id": each} for each in ids]}).encode()
    await x.answer(body, b"content-type: application/json")
    return True


def configuration(backends: Sequence[Backend]) -> dict[str, Any]:
    metrics = [
        {"name": "correct", "kind": "binary", "guardrail": True, "margin": 0.02},
        {"name": "spent", "kind": "mean"},
    ]
    judged: dict[str, Any] = {
        "metrics": metrics,
        "analysis": {"max_immature_share": 1.0, "tuning_units": 200},
    }
    steps = [{"weight": 20, "min_duration": "1h"}]
    canary = {"kind": "canary", "interval": "1s", "steps": steps}
    # With a floor, so that each variant comes to the units that an effect takes.
    bandit = {"kind": "thompson", "metric": "correct", "every": "1s", "floor": 0.2}
    kinds = {"ranker": {"kind": "split"}, "gradual": canary, "learner": bandit}
    route = {"backend": "main", "repeatable": True}
    shadow = {"backend": "candidate", "noise": 1.0, "max_in_flight": 64}
    judged["expose_variant"] = True
    return {
        "backends": {backend.name: {"url": backend.url} for backend in backends},
        "routes": [
            {**route, "path": "/ranker", "experiment": "ranker", "shadows": ["next"]},
            {**route, "path": "/gradual", "experiment": "gradual"},
            {**route, "path": "/learner", "experiment": "learner"},
            {**route, "path": "/plain"},
        ],
        "experiments": {name: experiment(policy=kind, **judged) for name, kind in kinds.items()},
        "shadows": {"next": {**shadow, "compare": {"top": "/top", "ranking": "/hits/*/id"}}},
    }


@contextmanager
def users(service: Service) -> Iterator[None]:
    """Users that ask and post outcomes, one after the other. The ranker's challenger does worse."""
    end, failures = threading.Event(), list[BaseException]()

    def come() -> None:
        round_ = 0
        while not end.is_set():
            round_ += 1
            with service.connect() as connection:
                outcomes = []
                for number in range(20):
                    user = (20 * round_ + number) % USERS
                    for name in ("ranker", "gradual", "learner"):
                        answer = connection.request(
                            "POST", f"/{name}?do=ranked", f"x-user-id: {user}", body=b"{}"
                        )
                        token = answer.head.value("x-turnout-token")
                        variant = answer.head.value("x-turnout-variant")
                        worse = variant == "challenger" and name == "ranker"
                        for metric, value in (
                            ("correct", user % 10 < (2 if worse else 8)),
                            ("spent", user % 7),
                        ):
                            outcomes.append({"token": token, "metric": metric, "value": float(value)})
                    connection.request("GET", "/plain")
                    connection.request("GET", "/plain")
                outcomes.append({"token": "of nobody", "metric": "correct", "value": 1})
                connection.request("POST", "/_turnout/outcomes", body=json.dumps(outcomes).encode())
                connection.request("GET", "/plain?do=status&code=503")
                connection.request("GET", "/nowhere")

    def run_() -> None:
        try:
            come()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run_)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
        assert not failures


# -- Prometheus, as it is shipped -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("dashboards")
    with ExitStack() as held:
        patch = held.enter_context(pytest.MonkeyPatch.context())
        patch.setitem(BEHAVIOURS, "ranked", ranked)
        backends = [Backend(name) for name in ("main", "challenger", "candidate")]
        for backend in backends:
            held.callback(backend.stop)
        service = held.enter_context(serving(configuration(backends), folder / "service", 2))
        held.enter_context(users(service))
        yield held.enter_context(scraping(service, folder / "prometheus"))


# -- the tests --------------------------------------------------------------------------------------------


def none_left(lacking: Callable[[], Sequence[object]]) -> None:
    """Wait until nothing is lacking; what still is in the end is said."""
    deadline = time.monotonic() + 90
    while found := lacking():
        assert time.monotonic() < deadline, "\n".join(map(str, found))
        time.sleep(0.05)


@pytest.fixture(scope="module")
def settled(prometheus: Prometheus) -> Prometheus:
    """With statistics of everything, so that each variable offers what it should."""
    none_left(lambda: not_offered(prometheus))
    return prometheus


@needs_prometheus
def test_every_query_of_every_dashboard_has_data(settled: Prometheus) -> None:
    asked = queries(settled)
    assert {query.place for query in asked} >= EMPTY_FOR_SOME.keys()
    none_left(lambda: without_data(settled, asked))


@needs_prometheus
def test_every_rule_is_evaluated_and_what_it_selects_is_there(settled: Prometheus) -> None:
    def lacking() -> list[str]:
        found = []
        for rule in rules():
            settled.values(rule["expr"], instant=True)
            # An alert has data when something is wrong; what it looks at has data at any time.
            for needed in (rule["record"],) if "record" in rule else selectors(rule["expr"]):
                if not settled.values(needed, instant=True):
                    found.append(f"{name_of(rule)}: {needed}")
        return found

    none_left(lacking)
    loaded = [rule for group in settled.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in loaded} == {name_of(rule) for rule in rules()}
    assert [rule for rule in loaded if rule["health"] != "ok" or rule.get("lastError")] == []


@needs_prometheus
def test_alerts_see_what_is_wrong_and_only_that(settled: Prometheus) -> None:
    def firing() -> set[str]:
        alerts = settled.ask("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    wrong = {"TurnoutGuardrailHarm", "TurnoutShadowDiffers"}
    none_left(lambda: sorted(wrong - firing()))
    assert firing() <= wrong | {"TurnoutVariantWorse"}


@needs_prometheus
def test_promtool_has_nothing_to_say_of_the_metrics(settled: Prometheus) -> None:
    url = f"http://127.0.0.1:{settled.service.control_port}/metrics"
    page = httpx.get(url, trust_env=False, timeout=20).text
    said = run(["promtool", "check", "metrics"], input=page)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_the_written_dashboards_are_up_to_date() -> None:
    done = run([sys.executable, "-m", "deploy.grafana.dashboards", "--check"], cwd=DEPLOY.parent)
    assert done.returncode == 0, done.stderr


def test_what_a_query_selects_is_found() -> None:
    written = 'sum by (a) (rate(turnout_x_total{a="b",c=~".*"}[5m])) / turnout_y and up == 0'
    assert selectors(written) == {'turnout_x_total{a="b",c=~".*"}', "turnout_y", "up"}
