"""Does a real Prometheus have what every panel, variable, annotation, rule and alert asks for?

With the shipped configuration, on a running service with a split experiment, a canary, a bandit and a shadow.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from math import isfinite
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.deploy.files import DEPLOY, run
from tests.router.data.backend import Backend, Exchange
from tests.router.data.behaviours import BEHAVIOURS
from tests.router.data.conftest import experiment
from tests.router.data.service import Service, free_port, serving, until

SHIPPED = DEPLOY / "prometheus"
DASHBOARDS = DEPLOY / "grafana" / "dashboards"
USERS = 2000

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="prometheus and promtool are not on the PATH; apt-get install prometheus",
)

# Some of the values that each variable has to offer, whatever those before it are.
VALUES = {
    "route": ("/ranker", "/gradual", "/learner", "/plain"),
    "experiment": ("ranker", "gradual", "learner"),
    "metric": ("correct", "spent", "first_byte_mean"),
    "shadow": ("next",),
}

# Panels that have nothing to show for some values of their variables: for which, and why. For one they have.
EMPTY_FOR_SOME: Mapping[tuple[str, str], tuple[str, str]] = {
    ("experiment", "Decision by $metric"): ("", "there is none before the evidence suffices"),
    ("experiment", "Days left"): (
        "",
        "only declared metrics have them, and those whose difference is not too small",
    ),
    ("experiment", "Probability to be the best"): (
        'metric="(?!correct|spent)',
        "only declared metrics have it",
    ),
    ("experiment", "Effect, with the interval that is always valid"): (
        'metric="(first|last)_byte_p',
        "that of a quantile has no ends before there are many requests beyond it",
    ),
    ("policies", "Probability to be the best"): ('experiment="(ranker|gradual)"', "only bandits have it"),
    ("service", "Router's own overhead"): ('route=~"/_turnout', "its own paths have none"),
}


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


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus that scrapes a service."""

    client: httpx.Client
    service: Service

    def ask(self, path: str, **parameters: Any) -> Any:
        """An answer's data; `AssertionError` with its words where it is an error."""
        answer = self.client.get(f"/api/v1/{path}", params=parameters)
        document = answer.json()
        assert document["status"] == "success", (parameters, document)
        assert not document.get("warnings"), (parameters, document)
        return document["data"]

    def values(self, expression: str, *, instant: bool) -> list[float]:
        """The finite values of a query as Grafana asks it."""
        now = time.time()
        if instant:
            result = self.ask("query", query=expression, time=now)["result"]
            pairs = [each["value"] for each in result]
        else:
            window = {"start": now - 30, "end": now, "step": 2}
            result = self.ask("query_range", query=expression, **window)["result"]
            pairs = [pair for each in result for pair in each["values"]]
        return [number for _, text in pairs if isfinite(number := float(text))]

    def labels(self, selector: str, label: str) -> list[str]:
        """The values of a label, as ``label_values`` asks for them."""
        series = self.ask("series", **{"match[]": selector})
        return sorted({each[label] for each in series if label in each})


@contextmanager
def scraping(service: Service, folder: Path) -> Iterator[Prometheus]:
    """Debian's Prometheus with the shipped configuration, but for where it scrapes and how often."""
    shutil.copytree(SHIPPED, folder)
    file, port = folder / "prometheus.yml", free_port()
    text = file.read_text()
    for old, new, times in (
        ("127.0.0.1:8081", f"127.0.0.1:{service.control_port}", 1),
        ("_interval: 5s", "_interval: 1s", 2),
    ):
        assert text.count(old) == times
        text = text.replace(old, new)
    file.write_text(text)
    command = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder}/tsdb"]
    command += [f"--web.listen-address=127.0.0.1:{port}"]
    with ExitStack() as held:
        log = held.enter_context((folder / "log").open("w"))
        process = subprocess.Popen(command, stdout=log, stderr=log)
        held.callback(process.wait)
        held.callback(process.terminate)
        client = held.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False))

        def ready() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            try:
                return client.get("/-/ready").status_code == 200
            except httpx.TransportError:
                return False

        until(ready, "Prometheus is ready")
        yield Prometheus(client, service)


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


# -- what is asked ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Query:
    """One expression for one choice of the variables' values; ``panel`` is the title before that."""

    dashboard: str
    panel: str
    written: str
    expression: str
    instant: bool

    def __str__(self) -> str:
        return f"{self.dashboard}, {self.panel!r}: {self.expression}"

    @property
    def place(self) -> tuple[str, str]:
        """Where it stands."""
        return self.dashboard, self.panel


def filled(text: str, values: Mapping[str, str]) -> str:
    """An expression as Grafana sends it."""
    found = re.sub(r"\$(\w+)", lambda match: values[match[1]], text)
    assert "$" not in found
    return found


def choices(prometheus: Prometheus, dashboard: Mapping[str, Any]) -> list[dict[str, str]]:
    """Every choice of the variables' values, each found by its own query, which may name those before it."""
    chosen = [{"__rate_interval": "30s", "__range": "1h"}]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "datasource":
            continue
        form = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert form, variable
        every = [variable["allValue"]] if variable.get("includeAll") else []
        chosen = [
            {**values, variable["name"]: value}
            for values in chosen
            for value in (*every, *prometheus.labels(filled(form[1], values), form[2]))
        ]
    return chosen


def shipped() -> dict[str, dict[str, Any]]:
    """The dashboards, by their files' names."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(DASHBOARDS.glob("*.json"))}


def not_offered(prometheus: Prometheus) -> list[str]:
    """The choices that some dashboard should have, and has not yet."""
    found = []
    for name, dashboard in shipped().items():
        names = [each["name"] for each in dashboard["templating"]["list"] if each["type"] != "datasource"]
        offered = {tuple(each[name] for name in names) for each in choices(prometheus, dashboard)}
        wanted = set(product(*(VALUES[each] for each in names)))
        found += [f"{name}: the choice {' '.join(each)}" for each in sorted(wanted - offered)]
    return found


def queries(prometheus: Prometheus) -> list[Query]:
    """Every expression of every panel and annotation, for every choice of the variables' values."""
    found: dict[Query, None] = {}
    for name, dashboard in shipped().items():
        asked = [
            (panel["title"], target["expr"], target["instant"])
            for panel in dashboard["panels"]
            for target in panel.get("targets", ())
        ]
        asked += [(each["name"], each["expr"], False) for each in dashboard["annotations"]["list"]]
        for values, (title, written, instant) in product(choices(prometheus, dashboard), asked):
            found[Query(name, title, written, filled(written, values), instant)] = None
    return list(found)


def without_data(prometheus: Prometheus, asked: Sequence[Query]) -> list[Query]:
    """Those that have no data, though they should."""
    nothing = [each for each in asked if not prometheus.values(each.expression, instant=each.instant)]
    something = {each.place for each in set(asked) - set(nothing)}
    return [each for each in nothing if not may_be_empty(each) or each.place not in something]


def may_be_empty(query: Query) -> bool:
    """Whether there is a reason that a query has no data."""
    which, _ = EMPTY_FOR_SOME.get(query.place, (None, ""))
    return which is not None and re.search(which, query.expression) is not None


def rules() -> list[dict[str, Any]]:
    """The shipped rules."""
    documents = [yaml.safe_load(file.read_text()) for file in sorted((SHIPPED / "rules").glob("*.yml"))]
    return [rule for document in documents for group in document["groups"] for rule in group["rules"]]


def name_of(rule: Mapping[str, Any]) -> str:
    """What a rule is called."""
    name: str = rule.get("alert") or rule["record"]
    return name


def selectors(expression: str) -> set[str]:
    """The series that an expression selects."""
    return set(re.findall(r"\b(?:turnout_[a-z0-9_]+|up)\b(?:\{[^}]*\})?", expression))


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
