"""Does ``turnout report`` show what a real control plane says of real counts?"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn

from policies.latency_cells import cell
from router.config_file import load
from router.control.app import make_app
from router.epochs import advance
from router.store import states
from router.store.client import connect
from router.store.embedded import EmbeddedRedis
from router.store.layout import histogram_index
from router.store.outcomes import Outcome, add
from router.store.records import Batch, Delta, record

from .conftest import CONFIGURATION, Turnout

UNITS = 3000
STARTED = 1_700_000_000.0
RATES = {"champion": 0.5, "challenger": 0.8}


def traffic(variant: str, first: int) -> Delta:
    """One request of each of `UNITS` units, every one in 10 ms."""
    buckets = range(first, first + UNITS)
    counts = dict.fromkeys(range(1024), 0)
    for bucket in buckets:
        counts[bucket % 1024] += 1
    microseconds = {bucket: 10_000 * count for bucket, count in counts.items()}
    cells: dict[int, int] = {}
    for bucket, count in counts.items():
        index = histogram_index(bucket, cell(10_000))
        cells[index] = cells.get(index, 0) + count
    return Delta(
        epoch=1,
        variant=variant,
        requests=counts,
        errors={},
        first_byte=microseconds,
        last_byte=microseconds,
        first_cells=cells,
        last_cells=cells,
        positions=[unit * 97 for unit in buckets],
        periods={int(STARTED) + 10: UNITS},
        unidentified=0,
        fallbacks=45 if variant == "challenger" else 0,
    )


def outcomes(variant: str, first: int) -> list[Outcome]:
    """One outcome for each unit; the shares of ones are `RATES`."""
    return [
        Outcome(
            experiment="ranker",
            epoch=1,
            variant=variant,
            bucket=unit % 1024,
            dedupe=unit.to_bytes(16),
            metric="correct",
            kind="binary",
            value=float(unit * 7 % 10 < RATES[variant] * 10),
            ttl_seconds=600,
        )
        for unit in range(first, first + UNITS)
    ]


def spent(first: int) -> list[Outcome]:
    """A thousand values, of which three are above the cap."""
    return [
        Outcome(
            experiment="ranker",
            epoch=1,
            variant="champion",
            bucket=unit % 1024,
            dedupe=f"spent{unit}".encode().ljust(16),
            metric="spent",
            kind="mean",
            value=float(unit % 50),
            ttl_seconds=600,
            capped=unit < first + 3,
        )
        for unit in range(first, first + 1000)
    ]


@pytest.fixture
async def control_port(tmp_path: Path) -> AsyncIterator[str]:
    """A control plane on a real port, over a real Redis with a day's counts."""
    server = EmbeddedRedis(tmp_path / "data")
    await asyncio.to_thread(server.start)
    redis = connect(server.url)
    listener = socket.create_server(("127.0.0.1", 0))
    app = uvicorn.Server(uvicorn.Config(make_app(redis, tmp_path), log_level="warning"))
    serving = asyncio.create_task(app.serve(sockets=[listener]))
    try:
        spent_too = "metrics: [{name: spent, kind: mean, cap: 50}, {"
        configuration = CONFIGURATION.replace("weight: 80", "weight: 20").replace("metrics: [{", spent_too)
        settings = load(configuration)
        assert await states.commit(redis, advance(None, settings, STARTED, key=b"k" * 16), 0)
        deltas = [traffic("champion", 0), traffic("challenger", UNITS)]
        assert await record(redis, Batch(experiment="ranker", writer="w", number=1, deltas=deltas))
        posted = [*outcomes("champion", 0), *outcomes("challenger", UNITS), *spent(0)]
        added = await add(redis, posted)
        assert all(added)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        app.should_exit = True
        await serving
        await redis.aclose()
        await asyncio.to_thread(server.stop)


async def test_the_tables(turnout: Turnout, control_port: str) -> None:
    ran = await asyncio.to_thread(
        turnout, "report", "ranker", "--url", control_port, environment={"COLUMNS": "200"}
    )
    assert (ran.status, ran.error) == (0, "")
    assert ran.out.startswith("ranker: health ")
    rows = {line.split("│")[1].strip(): line for line in ran.out.splitlines() if line.startswith("│")}
    assert "3,000" in rows["champion (control)"]
    correct = [line for line in ran.out.splitlines() if line.startswith("│ correct")]
    assert "0.5 ±" in correct[0]
    assert "0.8 ±" in correct[0]
    assert "challenger minus champion" in ran.out
    (effect,) = [line for line in ran.out.splitlines() if line.startswith("correct ")]
    assert "+0.3 " in effect
    assert "|" in effect
    assert "+60.0%" in effect
    assert effect.split()[-1] == "better"
    assert "no estimate for paused: no epoch has traffic in both variants (" in ran.out
    assert "\nchallenger: 1.5% of its requests were served by the fallback's backend\n" in ran.out
    assert "\nchampion: values that counted as the cap: 3 of spent\n" in ran.out
    assert "champion: 0.0%" not in ran.out
    assert "0 of spent" not in ran.out


@pytest.mark.parametrize("columns", [80, 120, 200])
async def test_no_width_cuts_what_matters(turnout: Turnout, control_port: str, columns: int) -> None:
    environment = {"COLUMNS": str(columns)}
    ran = await asyncio.to_thread(turnout, "report", "ranker", "--url", control_port, environment=environment)
    assert "…" not in ran.out
    (effect,) = [line for line in ran.out.splitlines() if line.startswith("correct ")]
    assert len(effect) <= columns
    assert {"+0.3", "to", "better"} <= set(effect.split())


async def test_json_is_what_the_control_plane_said(turnout: Turnout, control_port: str) -> None:
    environment = {"TURNOUT_URL": control_port}
    ran = await asyncio.to_thread(turnout, "report", "ranker", "-o", "json", environment=environment)
    said = json.loads(ran.out)
    assert [variant["requests"] for variant in said["variants"]][:2] == [UNITS, UNITS]
    (effect,) = [
        each for each in said["effects"] if (each["metric"], each["variant"]) == ("correct", "challenger")
    ]
    assert effect["difference"] == pytest.approx(0.3)
    assert [variant["fallback_share"] for variant in said["variants"]] == [0.0, 0.015, None]
    assert [variant["capped"] for variant in said["variants"]] == [[{"metric": "spent", "count": 3}], [], []]


async def test_an_unknown_experiment(turnout: Turnout, control_port: str) -> None:
    ran = await asyncio.to_thread(turnout, "report", "rankr", "--url", control_port)
    assert (ran.status, ran.out) == (2, "")
    assert ran.error == "turnout: there is no experiment 'rankr'; there are: ranker\n"


async def test_a_path_that_is_not_the_control_planes(turnout: Turnout, control_port: str) -> None:
    ran = await asyncio.to_thread(turnout, "report", "ranker", "--url", f"{control_port}/else")
    assert ran.status == 2
    assert "there is nothing at /else/api/v1/experiments/ranker/report" in ran.error


def test_nobody_answers(turnout: Turnout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    ran = turnout("report", "ranker", "--url", f"http://127.0.0.1:{port}")
    assert (ran.status, ran.out) == (1, "")
    assert f"http://127.0.0.1:{port} does not answer" in ran.error
    assert "is 'turnout serve' running there?" in ran.error
    assert "Traceback" not in ran.error


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1:1", "http://[::1"])
def test_a_url_that_is_none(turnout: Turnout, url: str) -> None:
    ran = turnout("report", "ranker", "--url", url)
    assert ran.status == 2
    assert "allowed: http://HOST:PORT" in ran.error
