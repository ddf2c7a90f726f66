"""Does ``turnout apply`` make the first version of a control plane that was started without a file?"""

from __future__ import annotations

from pathlib import Path

import httpx

from router.store.embedded import EmbeddedRedis
from tests.router.data.service import Command, free_port

from .conftest import Turnout


def test_it_shows_what_it_would_make_and_makes_it(turnout: Turnout, config: Path, tmp_path: Path) -> None:
    redis = EmbeddedRedis(tmp_path / "redis")
    redis.start()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    given = ("--redis-url", redis.url, "--control-port", str(port), "--data-dir", str(tmp_path / "control"))
    try:
        with Command(tmp_path / "control.log", "control", *given).until_ready():
            where = {"TURNOUT_URL": url}
            shown = turnout("apply", str(config), "--dry-run", environment=where)
            assert shown.status == 3, shown.error
            assert shown.out.startswith(f"{config} would make the first version of {url}:\n")
            assert "+ backend one: http://127.0.0.1:9001" in shown.out
            assert httpx.get(f"{url}/readyz", trust_env=False).json() == {"status": "no_state"}
            done = turnout("apply", str(config), "--yes", environment=where)
            assert (done.status, done.error) == (0, "")
            assert done.out.endswith("applied: version 1\n")
            ready = httpx.get(f"{url}/readyz", trust_env=False).json()
            assert ready == {"status": "ready", "version": 1}
            assert "nothing to change" in turnout("apply", str(config), environment=where).out
    finally:
        redis.stop()
