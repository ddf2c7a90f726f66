"""Does a shadow's answer, compared in a worker, come to a verdict that operators can read everywhere?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from policies.shadow.verdicts import MORE
from tests.router.data.backend import Backend
from tests.router.data.conftest import experiment
from tests.router.data.service import Service, serving, until

REQUESTS = 120


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A router whose shadow answers something else; every request is also a noise request."""
    main, challenger, candidate = Backend("main"), Backend("challenger"), Backend("candidate")
    candidate.fault = "headers"
    config: dict[str, Any] = {
        "backends": {each.name: {"url": each.url} for each in (main, challenger, candidate)},
        "routes": [
            {"path": "/", "backend": "main", "experiment": "ranker", "repeatable": True, "shadows": ["next"]}
        ],
        "experiments": {"ranker": experiment()},
        "shadows": {"next": {"backend": "candidate", "noise": 1.0, "max_in_flight": 64}},
    }
    try:
        with serving(config, tmp_path_factory.mktemp("shadow"), 2, "--access-log") as running:
            for unit in range(REQUESTS):
                body = b'{"label": 1, "secret": "x"}'
                answer = running.request("POST", "/?do=mirror", f"x-user-id: {unit}", body=body)
                assert (answer.status, answer.body) == (200, body)
            until(lambda: report(running)["candidate"]["pairs"] >= REQUESTS, "all pairs are counted")
            yield running
    finally:
        for backend in (main, challenger, candidate):
            backend.stop()


def report(service: Service) -> Any:
    return service.control("/api/v1/shadows/next")


def test_every_request_is_in_the_log_once(service: Service) -> None:
    log = service.log.read_text()
    assert log.count("request method=POST path=/ status=200") == REQUESTS


def test_every_request_is_compared_once(service: Service) -> None:
    found = report(service)
    assert (found["candidate"]["pairs"], found["candidate"]["differ"]) == (REQUESTS, REQUESTS)
    assert (found["noise"]["pairs"], found["noise"]["differ"]) == (REQUESTS, 0)
    assert (found["candidate"]["failed"], found["candidate"]["body_differs"]) == (0, REQUESTS)
    assert (found["excess"]["requests"], found["excess"]["candidate_only"]) == (REQUESTS, REQUESTS)
    assert found["candidate"]["seconds_more"]["low"] is not None


def test_the_verdict(service: Service) -> None:
    found = report(service)
    assert found["decision"] == MORE
    assert f"the candidate alone differed in {REQUESTS}" in found["why"]
    assert found["routes"] == ["/"]


def test_examples(service: Service) -> None:
    (first, *_) = service.control("/api/v1/shadows/next/examples?limit=3")["examples"]
    assert (first["method"], first["path"]) == ("POST", "/")
    assert (first["client"]["body"], first["other"]["body"]) == ('{"label": 1, "secret": "x"}', "ok")


def test_shadows_are_listed_and_others_refused(service: Service) -> None:
    (listed,) = service.control("/api/v1/shadows")["shadows"]
    assert (listed["name"], listed["backend"], listed["noise"]) == ("next", "candidate", 1.0)
    for path in ("nxt", "nxt/examples"):
        url = f"http://127.0.0.1:{service.control_port}/api/v1/shadows/{path}"
        answer = httpx.get(url, trust_env=False)
        assert answer.status_code == 404
        assert "there is no shadow 'nxt'; there are: next" in answer.json()["detail"]


def samples(service: Service) -> dict[tuple[str, ...], float]:
    url = f"http://127.0.0.1:{service.control_port}/metrics"
    text = httpx.get(url, trust_env=False, timeout=20).text
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_sees_copies_pairs_and_the_verdict(service: Service) -> None:
    found = until(
        lambda: (seen := samples(service)).get(("turnout_shadow_decision", "next")) is not None and seen,
        "the verdict is computed",
        40,
    )
    assert found["turnout_shadow_copies_total", "sent", "", "next"] == REQUESTS
    assert found["turnout_shadow_copies_total", "dropped", "in_flight", "next"] == 0
    assert found["turnout_shadow_noise_copies_total", "sent", "", "next"] == REQUESTS
    assert found["turnout_shadow_answers_total", "answered", "next"] == REQUESTS
    assert found["turnout_shadow_pairs_total", "candidate", "differ", "next"] == REQUESTS
    assert found["turnout_shadow_pairs_total", "noise", "same", "next"] == REQUESTS
    assert found["turnout_shadow_decision", "next"] == 1
    assert found["turnout_shadow_disagreement_ratio", "candidate", "next"] == 1
    assert 0 < found["turnout_shadow_excess_lower_ratio", "next"] < 1
    assert ("turnout_shadow_latency_difference_seconds", "candidate", "next") in found


def test_copies_are_no_requests(service: Service) -> None:
    until(lambda: total_requests(service) == REQUESTS, "all requests are counted")
    sums = service.control("/api/v1/experiments/ranker/report")["variants"]
    assert sum(each["requests"] for each in sums) == REQUESTS


def total_requests(service: Service) -> float:
    return sum(value for name, value in samples(service).items() if name[0] == "turnout_requests_total")


def test_the_command_line(service: Service) -> None:
    url = f"http://127.0.0.1:{service.control_port}"

    def turnout(*arguments: str) -> str:
        command = [sys.executable, "-m", "router.cli", "shadow", *arguments, "--url", url]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    text = turnout("next", "--examples", "1")
    assert f"next: {MORE}" in text
    assert "100.00 %" in text
    assert "POST /" in text
    assert "candidate 'ok'" in text
    assert max(map(len, text.splitlines()[2:10])) <= 80
    assert json.loads(turnout("next", "--output", "json"))["decision"] == MORE
    assert "candidate" in turnout()


def test_the_log_names_requests_once(service: Service, tmp_path: Path) -> None:
    lines = [line for line in service.log.read_text().splitlines() if "request method=POST" in line]
    assert len(lines) == REQUESTS
