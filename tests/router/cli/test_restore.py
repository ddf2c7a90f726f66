"""Can an operator bring the state back after Redis came back empty?"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from router.store.client import connect
from router.store.embedded import EmbeddedRedis

from .conftest import Turnout
from .serving import serving


async def _empty(url: str) -> None:
    redis = connect(url)
    await redis.flushall()
    await redis.aclose()


def test_the_commands_say_so_and_one_brings_it_back(turnout: Turnout, config: Path, tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "own")
    server.start()
    try:
        with serving(config, tmp_path / "data", "--redis", server.url) as served:
            here = {"TURNOUT_URL": served.control}
            asyncio.run(_empty(server.url))
            ran = turnout("get", environment=here)
            assert (ran.status, ran.out) == (1, "")
            assert "Redis came back empty" in ran.error
            assert "the command for that is: turnout restore" in ran.error

            ran = turnout("restore", environment=here, typed="n\n")
            assert ran.status == 1
            assert "The last snapshot is version 1, experiments: ranker." in ran.out
            ran = turnout("restore", "--yes", "--output", "json", environment=here)
            assert (ran.status, json.loads(ran.out)) == (0, {"version": 2})
            assert "ranker" in turnout("get", environment=here).out
    finally:
        server.stop()
