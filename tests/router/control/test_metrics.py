"""Does Prometheus see what clients see, whatever becomes of the workers?"""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from router.token import read_token
from tests.router.data.backend import Backend
from tests.router.data.conftest import experiment
from tests.router.data.service import Service, serving, until
from tests.router.pair import backends

__all__ = ["backends"]


def config(backends: tuple[Backend, Backend]) -> dict[str, Any]:
    main, challenger = backends
    return {
        "backends": {"main": {"url": main.url}, "challenger": {"url": challenger.url}},
        "routes": [
            {"path": "/plain", "backend": "main"},
            {"path": "/split", "backend": "main", "experiment": "ranker"},
        ],
        "experiments": {"ranker": experiment()},
    }


def families(service: Service) -> dict[str, Metric]:
    url = f"http://127.0.0.1:{service.control_port}/metrics"
    answer = httpx.get(url, trust_env=False, timeout=20)
    assert answer.status_code == 200
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def counts(service: Service, family: str, *labels: str) -> dict[tuple[str, ...], int]:
    """A family's counts but those of 0, summed by these labels."""
    found: Counter[tuple[str, ...]] = Counter()
    for sample in families(service)[family].samples:
        if sample.name.endswith(("_total", "_count")):
            found[tuple(sample.labels[label] for label in labels)] += int(sample.value)
    return dict(+found)


def value(service: Service, family: str) -> float:
    """A family's only sample."""
    (sample,) = families(service)[family].samples
    return sample.value


class Load:
    """A client that counts its answers, by route and status class, and those of each variant by token."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, ...]] = Counter()
        self.variants: Counter[tuple[str, ...]] = Counter()
        self.tokens: list[str] = []

    def run(self, service: Service, number: int) -> None:
        """Send so many of each kind on one connection."""
        with service.connect() as connection:
            for unit in range(number):
                split = connection.request("GET", "/split", f"X-User-Id: {unit}")
                token = split.head.value("x-turnout-token")
                assert token is not None
                self.tokens.append(token)
                self.variants["ranker", read_token(token, service.key).variant] += 1
                plain = connection.request("GET", "/plain?do=status&code=503" if unit % 5 else "/plain")
                nowhere = connection.request("GET", "/nowhere")
                for route, answer in (("/split", split), ("/plain", plain), ("", nowhere)):
                    self.requests[route, f"{answer.status // 100}xx"] += 1

    def is_seen(self, service: Service) -> bool:
        """Whether Prometheus' counts are these."""
        found = counts(service, "turnout_requests", "route", "code_class")
        assert all(count <= self.requests[key] for key, count in found.items() if key[0] != "/_turnout"), (
            found
        )
        own = {key: count for key, count in found.items() if key[0] != "/_turnout"}
        split = counts(service, "turnout_requests", "experiment", "variant")
        return own == self.requests and {k: n for k, n in split.items() if k[0]} == self.variants


def test_what_is_forced_is_a_request_of_no_experiment(
    backends: tuple[Backend, Backend], tmp_path: Path
) -> None:
    settings = config(backends)
    settings["experiments"] = {"ranker": experiment(audience={"forced": {"challenger": ["tester"]}})}
    with serving(settings, tmp_path, 1) as service:
        with service.connect() as connection:
            for user in ("tester", "tester", "user-1"):
                assert connection.request("GET", "/split", f"X-User-Id: {user}").status == 200
        forced = ("ranker", "challenger", "forced")
        names = ("experiment", "variant", "reason")
        until(lambda: counts(service, "turnout_assignments", *names).get(forced) == 2, "both are seen")
        requests = counts(service, "turnout_requests", "route", "experiment")
        assert (requests["/split", ""], requests["/split", "ranker"]) == (2, 1)
        served = counts(service, "turnout_backend_duration_seconds", "experiment")
        assert served["ranker",] == 1


def test_counters_are_the_clients_own_whatever_becomes_of_workers(
    backends: tuple[Backend, Backend], tmp_path: Path
) -> None:
    load = Load()
    with serving(config(backends), tmp_path, 2) as service:
        for _ in range(6):
            load.run(service, 20)
        until(lambda: load.is_seen(service), "the counters are the clients'")
        assert counts(service, "turnout_overhead_seconds", "route") == {
            (route,): sum(n for (name, _), n in load.requests.items() if name == route)
            for route in ("/split", "/plain", "")
        }
        served = counts(service, "turnout_backend_duration_seconds", "experiment", "variant")
        assert {key: n for key, n in served.items() if key[0]} == load.variants
        assert counts(service, "turnout_assignments", "experiment", "variant") == load.variants

        # All that is in a worker's file outlives the worker; it is a second old at most.
        old = service.workers()
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(service.workers()) == 2 and not set(old) & set(service.workers()), "new workers")
        assert load.is_seen(service)
        until(lambda: not list_of(service, old), "the files of the gone are folded")
        load.run(service, 20)
        until(lambda: load.is_seen(service), "new workers count on")
        assert load.is_seen(service)
    # What was served just before the end is counted by it.
    with serving(config(backends), tmp_path, 1) as service:
        assert load.is_seen(service)
        load.run(service, 10)
    with serving(config(backends), tmp_path, 1) as service:
        assert load.is_seen(service)


def list_of(service: Service, pids: list[int]) -> list[Path]:
    """The metrics files that workers of these processes have left."""
    folder = service.data / "metrics"
    files = [path for path in folder.glob("*.json") if path.name != "gone.json"]
    return [path for path in files if json.loads(path.read_bytes())["pid"] in pids]


def test_outcomes_and_refusals_by_fate(backends: tuple[Backend, Backend], tmp_path: Path) -> None:
    load = Load()
    with serving(config(backends), tmp_path, 2) as service:
        load.run(service, 10)
        items = [{"token": token, "metric": "correct", "value": 1} for token in load.tokens]
        items += [*items[:3], {"token": "x", "metric": "correct", "value": 1}]
        answer = service.request("POST", "/_turnout/outcomes", body=json.dumps(items).encode()).json()
        told = {status: answer[status] for status in ("accepted", "duplicate", "refused")}
        assert told == {"accepted": 10, "duplicate": 3, "refused": 1}
        fates = {("ranker", "correct", "accepted"): 10, ("ranker", "correct", "duplicate"): 3}
        fates["", "", "refused"] = 1
        labels = ("experiment", "metric", "status")
        until(lambda: counts(service, "turnout_outcomes", *labels) == fates, "outcomes are counted")
        refusals = {("no-route",): 10}
        until(lambda: counts(service, "turnout_refusals", "reason") == refusals, "refusals are counted")


def test_names_and_help_are_in_prometheus_conventions(
    backends: tuple[Backend, Backend], tmp_path: Path
) -> None:
    with serving(config(backends), tmp_path, 1) as service:
        Load().run(service, 40)
        until(lambda: families(service)["turnout_report_timestamp_seconds"].samples, "statistics")
        found = families(service)
        for name, family in found.items():
            assert re.fullmatch("turnout_[a-z0-9_]+", name)
            assert family.documentation.endswith(".")
            assert not re.search("_(ms|us|milliseconds|microseconds|percent)", name)
            samples = {sample.name for sample in family.samples}
            if family.type == "counter":
                assert samples <= {f"{name}_total"}
            elif family.type == "histogram":
                assert name.endswith("_seconds")
            else:
                assert not name.endswith(("_total", "_count", "_sum", "_bucket"))
            for sample in family.samples:
                assert sample.value == sample.value, "not a number"
        weights = {s.labels["variant"]: s.value for s in found["turnout_variant_weight_ratio"].samples}
        assert weights == {"champion": 0.5, "challenger": 0.5}
        assert [s.value for s in found["turnout_experiment_epoch"].samples] == [1]
        tests = {s.labels["test"]: s.value for s in found["turnout_srm_p_value"].samples}
        assert tests.keys() <= {"sequential", "fixed"}
        assert [s.value for s in found["turnout_workers"].samples] == [1]
        assert [s.value for s in found["turnout_redis_up"].samples] == [1]
        (metric,) = found["turnout_metric_info"].samples
        labels = {"experiment": "ranker", "metric": "correct", "kind": "binary"}
        assert metric.labels == {**labels, "goal": "increase", "guardrail": "false"}


def test_a_scrape_is_answered_while_redis_is_away(backends: tuple[Backend, Backend], tmp_path: Path) -> None:
    with serving(config(backends), tmp_path, 1) as service:
        load = Load()
        load.run(service, 5)
        until(lambda: load.is_seen(service), "counted")
        (redis,) = service.children("redis-server") or service.children("valkey-server")
        os.kill(redis, signal.SIGSTOP)
        try:
            assert load.is_seen(service)
            until(lambda: value(service, "turnout_redis_up") == 0, "that it is away is seen")
        finally:
            os.kill(redis, signal.SIGCONT)
        until(lambda: value(service, "turnout_redis_up") == 1, "that it is back is seen")


def test_two_workers_have_the_same_addresses(backends: tuple[Backend, Backend], tmp_path: Path) -> None:
    with serving(config(backends), tmp_path, 2) as service:
        Load().run(service, 5)

        def addresses() -> dict[str, float]:
            samples = families(service)["turnout_backend_addresses"].samples
            return {sample.labels["backend"]: sample.value for sample in samples}

        until(lambda: value(service, "turnout_workers") == 2, "both have said what they have")
        assert addresses() == {"main": 1, "challenger": 1}


def test_one_outside_of_its_schedule_splits_no_traffic(
    tmp_path: Path, backends: tuple[Backend, Backend]
) -> None:
    data = config(backends)
    data["experiments"]["over"] = experiment() | {"schedule": {"end": "2020-01-31T08:00Z"}}
    with serving(data, tmp_path, 1) as service:
        running = families(service)["turnout_experiment_running"].samples
    assert {each.labels["experiment"]: each.value for each in running} == {"ranker": 1.0, "over": 0.0}
