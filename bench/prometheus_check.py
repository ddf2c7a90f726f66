"""Does a real Prometheus scrape the service under load, and are its counters the load generator's own?

``python -m bench.prometheus_check`` needs ``prometheus`` and ``promtool`` on the PATH (Debian's package has
both). It says what it compared, and ends with status 1 where the two differ or promtool has a complaint.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

from tests.router.data.backend import Backend
from tests.router.data.conftest import experiment
from tests.router.data.service import Service, free_port, serving, until

CLIENTS = 4
SECONDS = 8.0


def load(service: Service, seconds: float) -> Counter[tuple[str, str]]:
    """Answers by route and status class, as clients on several connections counted them."""
    counts: list[Counter[tuple[str, str]]] = [Counter() for _ in range(CLIENTS)]
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        unit = 0
        with service.connect() as connection:
            while time.monotonic() < end:
                unit += 1
                for route, target in (("/split", "/split"), ("", "/nowhere")):
                    answer = connection.request("GET", target, f"X-User-Id: {number}-{unit}")
                    counts[number][route, f"{answer.status // 100}xx"] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts, Counter())


def asked(port: int) -> Counter[tuple[str, str]]:
    """The same counts, as Prometheus has them."""
    query = quote("sum by (route, code_class) (turnout_requests_total)")
    with urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={query}", timeout=5) as answer:
        found = json.load(answer)["data"]["result"]
    return Counter(
        {
            (each["metric"].get("route", ""), each["metric"]["code_class"]): int(each["value"][1])
            for each in found
        }
    )


def main() -> int:
    """The exit status."""
    missing = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
    if missing:
        print(
            f"not on the PATH: {', '.join(missing)}; on Debian: apt-get install prometheus", file=sys.stderr
        )
        return 2
    backend = Backend("main")
    try:
        return check(backend)
    finally:
        backend.stop()


def check(backend: Backend) -> int:
    """The exit status, with this backend behind the service."""
    config = {
        "backends": {"main": {"url": backend.url}, "challenger": {"url": backend.url}},
        "routes": [{"path": "/split", "backend": "main", "experiment": "ranker"}],
        "experiments": {"ranker": experiment()},
    }
    with tempfile.TemporaryDirectory() as name, serving(config, Path(name) / "service", 2) as service:
        folder, port = Path(name), free_port()
        scrape = {
            "job_name": "turnout",
            "scrape_interval": "1s",
            "static_configs": [{"targets": [f"127.0.0.1:{service.control_port}"]}],
        }
        (folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": [scrape]}))
        command = [
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb",
        ]
        command.append(f"--web.listen-address=127.0.0.1:{port}")
        with (folder / "prometheus.log").open("w") as log:
            prometheus = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            clients = load(service, SECONDS)
            until(lambda: asked(port) == clients, "Prometheus' counters are the clients'", 20)
            print(f"{clients.total()} answers, and Prometheus has the same: {dict(clients)}")
            with urlopen(f"http://127.0.0.1:{service.control_port}/metrics", timeout=10) as answer:
                page = answer.read()
            said = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True)
            print((said.stdout + said.stderr).decode() or "promtool check metrics is silent")
            return int(said.returncode != 0 or bool(said.stdout + said.stderr))
        finally:
            prometheus.terminate()
            prometheus.wait()


if __name__ == "__main__":
    sys.exit(main())
