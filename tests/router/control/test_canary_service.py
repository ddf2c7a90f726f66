"""Does a canary of the running service go up where it is healthy, and back where it fails, under load?"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.router.data.backend import Backend, Exchange
from tests.router.data.behaviours import BEHAVIOURS
from tests.router.data.conftest import experiment
from tests.router.data.service import Service, free_port, serving, until

CANARY = "/api/v1/experiments/ranker"
STEPS = [{"weight": weight, "min_duration": "1s", "min_units": 20} for weight in (20, 50)]


async def one_in_twenty_fails(x: Exchange) -> bool:
    """An answer of 500 to every twentieth request."""
    await x.body()
    failed = len(x.backend.seen) % 20 == 0
    await x.answer(b"{}", status=b"500 Internal Server Error" if failed else b"200 OK")
    return True


@pytest.fixture
def main_backend() -> Iterator[Backend]:
    backend = Backend("main")
    yield backend
    backend.stop()


@pytest.fixture
def challenger(monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    monkeypatch.setitem(BEHAVIOURS, "one_in_twenty_fails", one_in_twenty_fails)
    backend = Backend("challenger")
    yield backend
    backend.stop()


def configured(main: Backend, challenger: Backend, **policy: Any) -> dict[str, Any]:
    canary = {"kind": "canary", "interval": "500ms", "steps": STEPS, "tuning_units": 1000, **policy}
    return {
        "backends": {"main": {"url": main.url}, "challenger": {"url": challenger.url}},
        "routes": [{"path": "/split", "backend": "main", "experiment": "ranker"}],
        "experiments": {"ranker": experiment(policy=canary)},
    }


@contextmanager
def load(service: Service) -> Iterator[None]:
    """Requests by many users, one after the other on each of two connections."""
    end = threading.Event()

    def run(thread: int) -> None:
        connection = HTTPConnection("127.0.0.1", service.port, timeout=20)
        count = 0
        while not end.is_set():
            count += 1
            try:
                connection.request("GET", "/split", headers={"x-user-id": f"user-{thread}-{count % 5000}"})
                connection.getresponse().read()
            except (HTTPException, OSError):
                connection.close()
            end.wait(0.002)
        connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        end.set()
        for thread in threads:
            thread.join()


def policy(service: Service) -> Any:
    return service.control(f"{CANARY}/policy")


def metrics(service: Service) -> dict[str, float]:
    with httpx.Client(base_url=f"http://127.0.0.1:{service.control_port}", trust_env=False) as client:
        lines = client.get("/metrics").text.splitlines()
    pairs = [line.rpartition(" ") for line in lines if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in pairs}


def in_phase(service: Service, *phases: str) -> Callable[[], bool]:
    return lambda: policy(service)["phase"] in phases


def test_a_candidate_that_fails_is_rolled_back(
    main_backend: Backend, challenger: Backend, tmp_path: Path
) -> None:
    challenger.fault = "one_in_twenty_fails"
    steps = [{"weight": 20, "min_duration": "1h"}]
    with serving(configured(main_backend, challenger, steps=steps), tmp_path) as service, load(service):
        until(in_phase(service, "Progressing"), "the candidate gets traffic")
        until(in_phase(service, "Failed"), "the candidate is rolled back", 30)
        found = policy(service)
        assert found["weights"] == {"champion": 100.0, "challenger": 0.0, "baseline": 0.0}
        assert found["why"].startswith("harm: errors (candidate 0.0")
        assert found["findings"]["guardrails"][0]["verdict"] == "harm"
        plans = service.control(f"{CANARY}/plans")["plans"]
        assert [each["by"] for each in plans] == ["policy", "policy", "operator"]
        kept = service.control(f"{CANARY}/plans/{plans[0]['epoch']}")
        assert kept["replayed"] is True
        assert kept["record"]["observed"]["epochs"][-1]["variants"]["challenger"]["requests"] > 0
        shown = metrics(service)
        assert shown["turnout_planner_leading"] == 1
        assert shown['turnout_canary_phase{experiment="ranker",phase="Failed"}'] == 1
        assert shown['turnout_canary_phase{experiment="ranker",phase="Progressing"}'] == 0
        assert shown['turnout_canary_rollbacks_total{experiment="ranker"}'] == 1
        assert shown['turnout_canary_verdict{experiment="ranker",verdict="harm"}'] == 1
        report = service.control(f"{CANARY}/report")
        assert {each["name"] for each in report["variants"]} >= {"champion", "challenger"}
        before = len(challenger.seen)
        until(lambda: service.control("/api/v1/workers")["workers"][0]["behind_versions"] == 0, "it follows")
        settled = len(challenger.seen)
        for number in range(50):
            service.request("GET", "/split", f"x-user-id: late-{number}")
        assert len(challenger.seen) == settled >= before


def test_a_candidate_that_is_down_is_rolled_back_also_where_no_client_notices(
    main_backend: Backend, challenger: Backend, tmp_path: Path
) -> None:
    config = configured(main_backend, challenger)
    config["backends"]["challenger"]["url"] = f"http://127.0.0.1:{free_port()}"
    config["experiments"]["ranker"]["fallback"] = "champion"
    with serving(config, tmp_path) as service, load(service):
        until(in_phase(service, "Failed", "Promoting", "Succeeded"), "the candidate is judged", 30)
        found = policy(service)
        assert found["phase"] == "Failed", found["why"]
        assert found["why"].startswith("harm: errors (candidate 1")
        assert not [name for name in metrics(service) if 'status="502"' in name or 'code="502"' in name]


def test_a_healthy_one_goes_up_its_steps_and_waits_at_its_gate(
    main_backend: Backend, challenger: Backend, tmp_path: Path
) -> None:
    asked: list[dict[str, Any]] = []
    go = threading.Event()

    class Keeper(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200 if go.is_set() else 403)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Nothing."""

    keeper = HTTPServer(("127.0.0.1", 0), Keeper)
    thread = threading.Thread(target=keeper.serve_forever)
    thread.start()
    hook = {"name": "keeper", "type": "confirm-traffic-increase", "metadata": {"team": "search"}}
    hook["url"] = f"http://127.0.0.1:{keeper.server_port}/gate"
    dead = {"name": "dead", "type": "event", "url": "http://127.0.0.1:1/", "retries": 0}
    given = {"guardrails": {"errors": 0.1}, "webhooks": [hook, dead], "confirm": ["promotion"]}
    try:
        with serving(configured(main_backend, challenger, **given), tmp_path) as service, load(service):
            until(in_phase(service, "Waiting"), "the gate before step 2", 30)
            until(lambda: asked, "the keeper is asked")
            assert asked[0]["name"] == "ranker"
            assert asked[0]["phase"] == "Waiting"
            assert asked[0]["metadata"] == {"team": "search"}
            assert policy(service)["step"] == 1
            go.set()
            until(in_phase(service, "WaitingPromotion"), "step 2 is safe", 30)
            assert policy(service)["weights"]["challenger"] == 50.0
            with httpx.Client(base_url=f"http://127.0.0.1:{service.control_port}", trust_env=False) as client:
                confirmed = client.post(f"{CANARY}/confirm", params={"why": "fine"})
                assert confirmed.status_code == 200, confirmed.text
                assert confirmed.json()["weights"]["challenger"] == 100.0
                refused = client.post(f"{CANARY}/confirm")
                assert refused.status_code == 409
                assert "where confirm means nothing" in refused.json()["detail"]
            until(in_phase(service, "Succeeded"), "it has taken over")
            numbers = [each["epoch"] for each in service.control(f"{CANARY}/plans")["plans"]]
            assert numbers == [4, 3, 2, 1]
            for number in (2, 3, 4):
                assert service.control(f"{CANARY}/plans/{number}")["replayed"] is True
            assert "webhook_failed" in service.log.read_text()
            entries = service.control("/api/v1/audit?limit=50")["entries"]
            actions = [each["entry"]["action"] for each in entries]
            assert actions.count("confirm") == 2  # and one of them was refused
    finally:
        keeper.shutdown()
        thread.join()
        keeper.server_close()
