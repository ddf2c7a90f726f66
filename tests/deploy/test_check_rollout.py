"""A rollout judged by metrics: the judgement as a function, and the script against a real Prometheus."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.check_rollout import Limits, Reading, judge, queries, watch
from tests.deploy.files import run, script
from tests.router.data.service import until

GOOD = Reading(workers=2, versions_behind=0, requests=500, error_share=0.01, overhead=0.001, unsent=0)
NOTHING = Reading(None, None, None, None, None, None)


def test_as_good_as_before_has_no_fault() -> None:
    assert list(judge(GOOD, GOOD, Limits())) == []


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("workers", 0, "at least 1"),
        ("workers", None, "no sample"),
        ("versions_behind", 1, "at most 0"),
        ("versions_behind", None, "no sample"),
        ("requests", 0, "at least 1"),
        ("requests", None, "no sample"),
        ("error_share", 0.016, "at most 0.015"),
        ("error_share", None, "no sample"),
        ("overhead", 0.06, "at most 0.05"),
        ("overhead", None, "no sample"),
        ("unsent", 31, "at most 30"),
        ("unsent", None, "no sample"),
    ],
)
def test_each_thing_that_is_worse_or_unknown_is_one(field: str, value: float | None, says: str) -> None:
    (fault,) = judge(replace(GOOD, **{field: value}), GOOD, Limits())
    assert says in fault


def test_versions_that_others_have_not_yet_left_are_none() -> None:
    assert list(judge(replace(GOOD, versions_behind=-1), GOOD, Limits())) == []


def test_errors_that_were_there_before_are_none_of_the_new_versions() -> None:
    bad = replace(GOOD, error_share=0.3)
    assert list(judge(bad, bad, Limits())) == []
    assert list(judge(bad, NOTHING, Limits())) == [
        "share of requests answered 5xx: 0.3; allowed: at most 0.005"
    ]


@pytest.mark.parametrize(
    ("breaks", "looked_at"), [(99.0, [5.0, 10.0, 20.0, 25.0]), (20.0, [5.0, 10.0, 20.0])]
)
def test_it_looks_until_the_end_and_stops_at_the_first_fault(breaks: float, looked_at: list[float]) -> None:
    seen: list[float] = []
    now = 10.0

    def look(at: float) -> Reading:
        seen.append(at)
        return replace(GOOD, workers=0) if at >= breaks else GOOD

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    faults = watch(look, 5.0, 25.0, 10.0, Limits(), lambda: now, sleep)
    assert seen == looked_at
    assert bool(faults) is (breaks < 25)


def test_a_selector_may_be_empty() -> None:
    assert queries("", 60)["requests"] == "sum(increase(turnout_requests_total{}[60s]))"
    assert '{code_class="5xx"}' in queries("", 60)["error_share"]
    assert '{a="b",code_class="5xx"}' in queries('a="b"', 60)["error_share"]


# -- against a real Prometheus ----------------------------------------------------------------------------


def samples(end: float, errors_by: Mapping[str, float]) -> str:
    """Ten minutes of two nodes' metrics that end at ``end``; ``errors_by``: the share of 5xx, by environment.

    In the first half of them there were none.
    """
    times = [end - 600 + 5 * step for step in range(121)]
    families: dict[str, list[str]] = {}

    def add(name: str, kind: str, sample: str, labels: str, value: float, at: float) -> None:
        head = f"# TYPE {name} {kind}"
        families.setdefault(head, []).append(f"{sample}{{{labels}}} {value:g} {at:.3f}")

    for environment, share in errors_by.items():
        for node in ("a", "b"):
            own = f'namespace="{environment}",plane="data",pod="{node}"'
            for code in ("2xx", "5xx"):
                for step, at in enumerate(times):
                    failed = max(step - 60, 0) * 100 * share
                    value = failed if code == "5xx" else step * 100 - failed
                    labels = f'{own},code_class="{code}"'
                    add("turnout_requests", "counter", "turnout_requests_total", labels, value, at)
            for bound, factor in (("0.001", 99), ("0.01", 100), ("+Inf", 100)):
                for step, at in enumerate(times):
                    sample = "turnout_overhead_seconds_bucket"
                    labels = f'{own},le="{bound}"'
                    add("turnout_overhead_seconds", "histogram", sample, labels, step * factor, at)
            for name, number in (("turnout_workers", 2), ("turnout_worker_snapshot_version", 7)):
                for at in times:
                    add(name, "gauge", name, own, number, at)
            for at in times:
                add(
                    "turnout_worker_oldest_batch_seconds",
                    "gauge",
                    "turnout_worker_oldest_batch_seconds",
                    own,
                    0,
                    at,
                )
    return "\n".join(line for head, lines in families.items() for line in (head, *lines)) + "\n# EOF\n"


@contextmanager
def prometheus(folder: Path, text: str) -> Iterator[str]:
    """Debian's Prometheus on a database that holds these samples; its URL."""
    (folder / "samples.txt").write_text(text)
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    made = run(
        [
            "promtool",
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            str(folder / "samples.txt"),
            str(folder / "db"),
        ]
    )
    assert made.returncode == 0, made.stderr
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/db"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=30d"]
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_until_ready(url, process)
            yield url
        finally:
            process.terminate()


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    def ready() -> bool:
        assert process.poll() is None
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    until(ready, "it is ready")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, float]]:
    """A Prometheus's URL, and the time at which the new version came."""
    assert shutil.which("prometheus"), "apt-get install prometheus"
    now = time.time()
    with prometheus(tmp_path_factory.mktemp("prometheus"), samples(now, {"good": 0.0, "bad": 0.2})) as url:
        yield url, now - 300


def judged(measured: tuple[str, float], environment: str) -> subprocess.CompletedProcess[str]:
    url, since = measured
    given = ["--prometheus", url, "--since", str(since), "--watch", "0", "--window", "240"]
    return script("check_rollout.py", *given, "--selector", f'namespace="{environment}",plane="data"')


def test_a_good_one_stays(measured: tuple[str, float]) -> None:
    done = judged(measured, "good")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_one_with_more_errors_does_not(measured: tuple[str, float]) -> None:
    done = judged(measured, "bad")
    assert done.returncode == 1
    (fault,) = done.stdout.splitlines()
    assert fault.startswith("share of requests answered 5xx: 0.2")


def test_nor_one_of_which_nothing_is_seen(measured: tuple[str, float]) -> None:
    done = judged(measured, "silent")
    assert done.returncode == 1
    assert done.stdout.count("no sample") == 4


def test_a_prometheus_that_is_away_is_said() -> None:
    done = script("check_rollout.py", "--prometheus", "http://127.0.0.1:1", "--since", "0", "--watch", "0")
    assert done.returncode == 2
    assert "could not be asked" in done.stderr
