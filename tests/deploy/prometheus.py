"""Debian's Prometheus with the shipped configuration, scraping a service."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import httpx

from tests.deploy.files import DEPLOY
from tests.router.data.service import Service, free_port, until

SHIPPED = DEPLOY / "prometheus"


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
