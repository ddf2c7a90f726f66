"""The rollout's script: in which order it asks kubectl for what, and what it takes back when.

There is no cluster here: kubectl is a recorder that says what a cluster would (what it renders is real), and
Prometheus one that only knows what is well. How the metrics are judged, `test_check_rollout` asks a real one.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from threading import Thread
from types import MappingProxyType

import pytest

from deploy.check.tools import PYTHON, executable
from tests.deploy.files import DEPLOY, run

# Says revision 4 of a deployment until it has been applied to, and 5 from then on; fails at what FAIL names.
KUBECTL = """\
#!/usr/bin/env bash
if [[ $1 == kustomize ]]; then exec {kubectl} "$@"; fi
echo "$*" >> "$RECORD"
if [[ -n ${{FAIL:-}} && $* == *"$FAIL"* ]]; then exit 1; fi
case "$*" in
  *port-forward*) echo "Forwarding from 127.0.0.1"; exec sleep 600 ;;
  *"get deployment/"*)
    if [[ ${{FIRST:-}} ]]; then exit 0; fi
    if grep -q apply "$RECORD"; then echo 5; else echo 4; fi ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the script was told by it, and what it was asked."""

    folder: Path
    port: int

    def roll_out(self, **environment: str) -> CompletedProcess[str]:
        """Run it, with a Prometheus that answers every question with nothing."""
        given = {"PATH": f"{self.folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"}
        given |= {"RECORD": str(self.folder / "record"), "TURNOUT_PROMETHEUS_LOCAL_PORT": str(self.port)}
        images = ["me/turnout:1.2.3", "me/turnout-demo:1.2.3"]
        return run(
            ["bash", str(DEPLOY / "roll_out.sh"), "staging", *images, "0"], env={**given, **environment}
        )

    def asked(self) -> list[str]:
        """kubectl's command lines, without the namespace and the temporary file."""
        lines = (self.folder / "record").read_text().splitlines()
        return [line.replace("--namespace turnout-staging ", "") for line in lines]


class Silent(BaseHTTPRequestHandler):
    """A Prometheus that has no sample of anything."""

    samples: Mapping[str, float] = MappingProxyType({})

    def do_GET(self) -> None:
        known = (value for part, value in self.samples.items() if part in self.path)
        sample = ", ".join(f'{{"value": [0, "{value}"]}}' for value in known)
        body = f'{{"data": {{"result": [{sample}]}}}}'.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


class Well(Silent):
    """One that has the samples of a service that is well."""

    samples = MappingProxyType(
        {
            "min_over_time": 0,
            "turnout_workers": 2,
            "turnout_requests_total": 1,
            "turnout_overhead": 0.001,
            "turnout_worker_oldest": 0,
        }
    )


@contextmanager
def cluster_in(folder: Path, prometheus: type[Silent]) -> Iterator[Cluster]:
    script = folder / "kubectl"
    script.write_text(KUBECTL.format(kubectl=executable("kubectl", PYTHON)))
    script.chmod(stat.S_IRWXU)
    with ThreadingHTTPServer(("127.0.0.1", 0), prometheus) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield Cluster(folder, server.server_port)
        server.shutdown()
        thread.join()


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Cluster]:
    with cluster_in(tmp_path, Silent) as cluster:
        yield cluster


def taken_back(asked: list[str]) -> list[str]:
    return [line.split()[2] + " " + line.split()[3] for line in asked if line.startswith("rollout undo")]


BOTH = ["deployment/turnout-control --to-revision=4", "deployment/turnout-proxy --to-revision=4"]


def test_it_applies_then_waits_for_both_planes_then_asks_prometheus(silent: Cluster) -> None:
    silent.roll_out()
    steps = [line for line in silent.asked() if not line.startswith("get ")]
    assert steps[0].startswith("apply --server-side --filename ")
    assert [line.split()[:3] for line in steps[1:3]] == [
        ["rollout", "status", "deployment/turnout-control"],
        ["rollout", "status", "deployment/turnout-proxy"],
    ]
    assert steps[3] == f"--namespace monitoring port-forward service/prometheus-operated {silent.port}:9090"


def test_what_cannot_be_measured_is_taken_back(silent: Cluster) -> None:
    done = silent.roll_out()
    assert done.returncode == 1
    assert "no sample" in done.stdout
    assert taken_back(silent.asked()) == BOTH


@pytest.mark.parametrize("fails", ["apply", "rollout status deployment/turnout-proxy --timeout=10m"])
def test_so_is_what_does_not_come_up(silent: Cluster, fails: str) -> None:
    done = silent.roll_out(FAIL=fails)
    assert done.returncode == 1
    assert taken_back(silent.asked())[0] == BOTH[0]
    assert "port-forward" not in "".join(silent.asked())


def test_the_first_version_of_all_has_nothing_to_go_back_to(silent: Cluster) -> None:
    done = silent.roll_out(FIRST="1")
    assert done.returncode == 1
    assert taken_back(silent.asked()) == []
    assert done.stderr.count("nothing to go back to") == 2


def test_a_version_that_is_as_good_as_the_one_before_stays(tmp_path: Path) -> None:
    with cluster_in(tmp_path, Well) as cluster:
        done = cluster.roll_out()
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[-1] == "staging runs me/turnout:1.2.3"
        assert taken_back(cluster.asked()) == []


def test_an_image_that_moves_is_rolled_out_nowhere(silent: Cluster) -> None:
    command = ["bash", str(DEPLOY / "roll_out.sh"), "staging", "me/turnout:latest", "me/turnout-demo:1"]
    given = {"PATH": f"{silent.folder}:{os.environ['PATH']}", "RECORD": str(silent.folder / "record")}
    assert run(command, env=given).returncode == 2
    assert not (silent.folder / "record").exists()
