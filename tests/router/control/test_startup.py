"""Which wins when the control plane starts: the configuration file, or what operators did since?"""

from __future__ import annotations

import copy
from pathlib import Path

from redis.asyncio import Redis

from router.config_file import read_settings
from router.control.file_digest import digest_of
from router.store import states
from router.store.versions import read_version
from tests.router.control.stage import CONFIGURATION, Stage, applied


async def test_an_unchanged_file_leaves_operators_edits(stage: Stage) -> None:
    weights = {"weights": {"champion": 1, "challenger": 1}}
    await stage.call("PATCH", "/experiments/ranker", weights, if_match="*")
    state = await stage.state()
    assert await applied(stage.redis, stage.data_dir, CONFIGURATION) == state
    reordered = dict(reversed(CONFIGURATION.items()))
    assert await applied(stage.redis, stage.data_dir, reordered) == state


async def test_a_changed_file_wins_and_says_what_it_changed(stage: Stage) -> None:
    weights = {"weights": {"champion": 1, "challenger": 1}}
    await stage.call("PATCH", "/experiments/ranker", weights, if_match="*")
    changed = copy.deepcopy(CONFIGURATION)
    changed["routes"][1]["backend"] = "spare"
    state = await applied(stage.redis, stage.data_dir, changed)
    assert state is not None
    assert (state.version, state.epochs["ranker"].number) == (3, 3)
    record = await read_version(stage.redis, 3)
    assert record is not None
    assert (record.who, record.why) == ("config file", "turnout.yaml was applied")
    assert [change.pointer for change in record.difference] == [
        "/routes/1/backend",
        "/experiments/ranker/variants/champion/weight",
        "/experiments/ranker/variants/challenger/weight",
    ]


async def test_the_first_start_makes_the_first_version(redis: Redis, tmp_path: Path) -> None:
    state = await applied(redis, tmp_path, CONFIGURATION)
    assert state is not None
    assert state == await states.read(redis)
    assert (state.version, await applied(redis, tmp_path, CONFIGURATION)) == (1, state)


def test_a_setting_that_is_a_default_is_as_good_as_none() -> None:
    spelled = copy.deepcopy(CONFIGURATION)
    spelled["limits"] = {"headers": 100, "header_timeout": "10s"}
    spelled["backends"]["one"]["timeout"] = None
    spelled["experiments"]["ranker"] |= {"running": True, "policy": {"kind": "split"}, "salt": None}
    same = digest_of(read_settings(CONFIGURATION))
    assert digest_of(read_settings(spelled)) == same
    spelled["limits"]["headers"] = 99
    assert digest_of(read_settings(spelled)) != same
