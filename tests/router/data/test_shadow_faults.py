"""Does a shadow that fails, in whichever way, change nothing for clients, and is every copy accounted for?

A service as users run it, with a route for each fault, whose every request is copied to a shadow that has
this fault alone, and a route to the same model without a shadow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.router.data.backend import Backend
from tests.router.data.client import Connection, Response
from tests.router.data.service import Service, serving, until

REQUESTS = 30
MOST = 2

# By the route's name: what the shadow does, and how its copies end; None where none can be sent.
FAULTS: dict[str, tuple[str, str | None]] = {
    "hangs": ("hang", "timeout"),
    "answers-500": ("status", "answered"),
    "is-slow": ("hold", "answered"),
    "closes": ("close", "failed"),
    "closes-in-a-body": ("cut_body", "failed"),
    "refuses-connections": ("echo", None),
}
# Shadows that hold what they got for as long as the test wants, and what lets them go on.
HOLDING = {"holds-its-answer": "hold", "holds-the-request": "hang", "holds-half-an-answer": "hang_in_body"}


@dataclass(frozen=True, slots=True)
class Stage:
    """The service, and the shadows' backends by their routes' names."""

    service: Service
    shadows: dict[str, Backend]

    def counts(self, shadow: str) -> dict[str, dict[str, int]]:
        """What became of one shadow's copies, by the name of the count and by its labels."""
        found: dict[str, dict[str, int]] = {"copies": {}, "answers": {}, "pairs": {}, "uncompared": {}}
        for family in text_string_to_metric_families(self._metrics()):
            name = family.name.removeprefix("turnout_shadow_")
            for sample in family.samples:
                if name in found and sample.labels.get("shadow") == shadow:
                    labels = [value for label, value in sample.labels.items() if label != "shadow"]
                    found[name][":".join(filter(None, labels))] = int(sample.value)
        return found

    def _metrics(self) -> str:
        url = f"http://127.0.0.1:{self.service.control_port}/metrics"
        return httpx.get(url, trust_env=False).text

    def settled(self, shadow: str, copies: int) -> dict[str, dict[str, int]]:
        """The counts when so many copies have met their fate, and each that was sent is over and compared."""

        def over() -> dict[str, dict[str, int]] | None:
            counts = self.counts(shadow)
            sent = counts["copies"].get("sent", 0)
            done = sum(counts["copies"].values()) == copies and sum(counts["answers"].values()) == sent
            return counts if done and _judged(counts) == sent else None

        return dict(until(over, f"{copies} copies to {shadow} are accounted for"))


def _judged(counts: dict[str, dict[str, int]]) -> int:
    """The copies that were compared, or of which it is known why not, of those that were sent."""
    uncompared = counts["uncompared"]
    return sum(counts["pairs"].values()) + sum(uncompared.values()) - uncompared.get("not_sent", 0)


def _dropped(counts: dict[str, dict[str, int]]) -> int:
    return sum(number for what, number in counts["copies"].items() if what.startswith("dropped:"))


@pytest.fixture(scope="module")
def stage(main_backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    faults = {name: fault for name, (fault, _) in FAULTS.items()} | HOLDING
    shadows = {name: Backend(name) for name in faults}
    for name, fault in faults.items():
        shadows[name].fault = fault
    shadows["refuses-connections"].stop()
    backends = {"main": {"url": main_backend.url}} | {
        name: {"url": each.url} for name, each in shadows.items()
    }
    routes: list[dict[str, Any]] = [{"path": "/plain", "backend": "main"}]
    routes += [
        {"path": f"/{name}", "backend": "main", "repeatable": True, "shadows": [name]} for name in shadows
    ]
    settings: dict[str, Any] = {
        name: {"backend": name, "max_in_flight": MOST, "timeout": "60s" if name in HOLDING else "200ms"}
        for name in shadows
    }
    settings["is-slow"]["timeout"] = "60s"
    config = {"backends": backends, "routes": routes, "shadows": settings}
    try:
        with serving(config, tmp_path_factory.mktemp("shadow-faults")) as service:
            yield Stage(service, shadows)
    finally:
        for name, backend in shadows.items():
            if name != "refuses-connections":
                backend.stop()


def ask(connection: Connection, route: str, number: int) -> Response:
    """One request, which the model answers with what it was sent."""
    target = f"/{route}?do=mirror&code=500&gate=shut"
    return connection.request("POST", target, f"X-Request-Id: r-{number}", body=b"%d" % number * 50)


@pytest.mark.parametrize("fault", FAULTS)
def test_clients_get_the_same_bytes_and_every_copy_is_accounted_for(stage: Stage, fault: str) -> None:
    _, ending = FAULTS[fault]
    with stage.service.connect() as mirrored, stage.service.connect() as plain:
        for number in range(REQUESTS):
            with_shadow, without = ask(mirrored, fault, number), ask(plain, "plain", number)
            assert with_shadow.status == 200
            assert (with_shadow.head.raw, with_shadow.body) == (without.head.raw, without.body)
    if fault == "is-slow":
        stage.shadows[fault].open("shut")
    counts = stage.settled(fault, REQUESTS)
    sent = counts["copies"].get("sent", 0)
    assert sent + _dropped(counts) == REQUESTS
    if ending is None:
        assert sent == 0
        tried = counts["copies"]["dropped:unreachable"]
        assert (
            tried + counts["copies"].get("dropped:no_connection", 0) == counts["uncompared"]["not_sent"] > 0
        )
    else:
        assert counts["answers"][ending] == sent > 0
        # None of them is the model's answer, and that is what is counted.
        assert counts["pairs"]["candidate:differ"] == sent
        assert counts["pairs"]["candidate:same"] == 0
        assert len(stage.shadows[fault].heads) == sent


@pytest.mark.parametrize("shadow", HOLDING)
def test_clients_have_their_whole_answers_while_the_shadow_still_holds_its_own(
    stage: Stage, shadow: str
) -> None:
    backend = stage.shadows[shadow]
    with stage.service.connect() as connection:
        for number in range(REQUESTS):
            answer = ask(connection, shadow, number)
            assert (answer.status, answer.body) == (200, b"%d" % number * 50)
    # Nothing lets the shadow go on before this line, and its time is not over.
    until(lambda: len(backend.seen) == MOST, "the shadow has what it holds")
    until(lambda: sum(stage.counts(shadow)["copies"].values()) == REQUESTS, "all copies are counted")
    counts = stage.counts(shadow)
    assert counts["copies"]["sent"] == MOST
    assert counts["copies"]["dropped:in_flight"] == REQUESTS - MOST
    assert sum(counts["answers"].values()) == 0
    assert backend.open_connections == MOST
    if HOLDING[shadow] == "hold":
        backend.open("shut")
        assert stage.settled(shadow, REQUESTS)["answers"]["answered"] == MOST
    else:
        backend.hang_up()
        assert stage.settled(shadow, REQUESTS)["answers"]["failed"] == MOST


def test_a_shadow_that_is_well_is_compared_with_each_answer(stage: Stage) -> None:
    """So that none of the above is found where nothing is compared."""
    backend = stage.shadows["answers-500"]
    before = stage.settled("answers-500", sum(stage.counts("answers-500")["copies"].values()))
    backend.fault = "mirror"
    try:
        with stage.service.connect() as connection:
            for number in range(5):
                assert ask(connection, "answers-500", number).status == 200
                after = stage.settled("answers-500", sum(before["copies"].values()) + number + 1)
    finally:
        backend.fault = "status"
    assert after["pairs"]["candidate:same"] == before["pairs"]["candidate:same"] + 5
