"""What Redis needs for an experiment, measured on a real server: never less than what the layout holds."""

from __future__ import annotations

import pytest

from deploy.redis_size import implied, main, measure
from router.store.client import connect
from router.store.embedded import EmbeddedRedis


async def test_it_measures_at_least_what_the_layout_holds(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = EmbeddedRedis(tmp_path_factory.mktemp("size"))
    server.start()
    redis = connect(server.url)
    try:
        size = await measure(redis, variants=1, metrics=1, outcomes=5000)
    finally:
        await redis.aclose()
        server.stop()
    assert size.implied == implied(1) <= size.sums
    assert size.outcome > 16  # the identity alone


def test_the_command_prints_both(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--variants", "1", "--outcomes", "1000"])
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2
    assert f"(by the layout: {implied(1) / 1024:,.0f})" in said[0]
    assert said[1].endswith("bytes")
