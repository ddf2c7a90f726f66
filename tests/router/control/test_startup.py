"""Which wins when the control plane starts: the configuration file, or what operators did since?"""

from __future__ import annotations

import copy
from pathlib import Path

from redis.asyncio import Redis

from router.config_file import read_settings
from router.control.changes import AppliedFile, files_after
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


async def test_a_file_that_was_applied_by_command_is_not_applied_again(stage: Stage) -> None:
    changed = copy.deepcopy(CONFIGURATION)
    changed["routes"][1]["backend"] = "spare"
    applied_ = await stage.call("PUT", "/configuration?source=turnout.yaml", changed, if_match="*")
    assert applied_.json()["changed"]
    record = await read_version(stage.redis, 2)
    assert record is not None
    assert record.why == "turnout.yaml was applied"
    weights = {"weights": {"champion": 1, "challenger": 1}}
    await stage.call("PATCH", "/experiments/ranker", weights, if_match="*")
    state = await stage.state()
    assert await applied(stage.redis, stage.data_dir, changed) == state
    # What it said before that is a change again.
    reverted = await applied(stage.redis, stage.data_dir, CONFIGURATION)
    assert reverted is not None
    assert reverted.settings.routes[1].backend == "one"


async def test_a_file_that_says_what_is_in_force_is_put_on_record(stage: Stage) -> None:
    changed = copy.deepcopy(CONFIGURATION)
    changed["routes"][1]["backend"] = "spare"
    await stage.call("PUT", "/configuration", changed, if_match="*")
    for path, recorded in (("/validate", True), ("/validate?source=turnout.yaml", False)):
        preview = (await stage.call("POST", path, changed)).json()
        assert (preview["version"], preview["changes"], preview["recorded"]) == (2, False, recorded)
    for _ in range(2):
        answer = await stage.call("PUT", "/configuration?source=turnout.yaml", changed, if_match="*")
        assert answer.json() == {"version": 3, "changed": False, "difference": [], "epochs": {}}
    preview = (await stage.call("POST", "/validate?source=turnout.yaml", changed)).json()
    assert (preview["changes"], preview["recorded"]) == (False, True)
    state = await stage.state()
    assert await applied(stage.redis, stage.data_dir, changed) == state


async def test_a_file_that_replaced_everything_ends_what_others_said(stage: Stage) -> None:
    await stage.call("PUT", "/configuration?source=part.yaml", CONFIGURATION, if_match="*")
    assert (await stage.state()).files.keys() == {"turnout.yaml", "part.yaml"}
    other = copy.deepcopy(CONFIGURATION)
    other["routes"][1]["backend"] = "spare"
    await stage.call("PUT", "/configuration?source=other.yaml&prune=true", other, if_match="*")
    assert (await stage.state()).files.keys() == {"other.yaml"}
    state = await applied(stage.redis, stage.data_dir, CONFIGURATION)
    assert state is not None
    assert (state.settings.routes[1].backend, state.files.keys()) == ("one", {"turnout.yaml"})


async def test_a_part_of_a_configuration_is_no_file(stage: Stage) -> None:
    part = {"routes": [{"path": "/v1/third", "backend": "two"}]}
    refused = await stage.call("PUT", "/configuration?source=turnout.yaml", part, if_match="*")
    assert refused.status_code == 422
    assert (await stage.call("PUT", "/configuration", part, if_match="*")).status_code == 200


def test_only_so_many_files_are_remembered() -> None:
    files: dict[str, str] = {}
    for number in range(100):
        files = files_after(files, AppliedFile(f"{number}.yaml", str(number), whole=False))
    assert list(files) == [f"{number}.yaml" for number in range(68, 100)]
    files = files_after(files, AppliedFile("70.yaml", "new", whole=False))
    assert (len(files), list(files)[-1], files["70.yaml"]) == (32, "70.yaml", "new")


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
