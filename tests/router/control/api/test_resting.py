"""Does what an operator paused or ended rest, whatever configuration comes that does not speak of it?"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.router.control.stage import CONFIGURATION, Stage, applied

RANKER = "/experiments/ranker"


def wanted(**ranker: Any) -> dict[str, Any]:
    """The configuration with something else changed, and this of the experiment."""
    changed = copy.deepcopy(CONFIGURATION)
    changed["routes"][1]["backend"] = "spare"
    changed["experiments"]["ranker"] |= ranker
    return changed


async def status(stage: Stage) -> str:
    return str((await stage.call("GET", RANKER)).json()["status"])


@pytest.mark.parametrize("query", ["", "?prune=true", "?source=turnout.yaml"])
async def test_a_pause_survives_a_configuration_that_does_not_speak_of_it(stage: Stage, query: str) -> None:
    await stage.call("POST", f"{RANKER}/pause", if_match="*")
    preview = (await stage.call("POST", f"/validate{query}", wanted())).json()
    assert [each["pointer"] for each in preview["difference"]] == ["/routes/1/backend"]
    assert preview["warnings"][0].startswith("experiment ranker is paused and stays so: ")
    made = (await stage.call("PUT", f"/configuration{query}", wanted(), if_match="*")).json()
    assert [each["pointer"] for each in made["difference"]] == ["/routes/1/backend"]
    assert (made["epochs"], await status(stage)) == ({}, "paused")

    preview = (await stage.call("POST", f"/validate{query}", wanted(running=True))).json()
    assert preview["warnings"] == []
    made = (await stage.call("PUT", f"/configuration{query}", wanted(running=True), if_match="*")).json()
    assert [each["pointer"] for each in made["difference"]] == ["/experiments/ranker/running"]
    assert await status(stage) == "running"


async def test_a_pause_survives_another_definition(stage: Stage) -> None:
    await stage.call("POST", f"{RANKER}/pause", if_match="*")
    ranker = CONFIGURATION["experiments"]["ranker"] | {"expose_variant": True}
    answer = (await stage.call("PUT", RANKER, ranker, if_match="*")).json()
    assert (answer["status"], answer["definition"]["expose_variant"]) == ("paused", True)
    answer = (await stage.call("PUT", RANKER, ranker | {"running": True}, if_match="*")).json()
    assert answer["status"] == "running"


@pytest.mark.parametrize("last", ["stopped", "archived"])
async def test_so_does_an_end(stage: Stage, last: str) -> None:
    await stage.call("POST", f"{RANKER}/stop", {"winner": "challenger"}, if_match="*")
    if last == "archived":
        await stage.call("POST", f"{RANKER}/archive", if_match="*")
    await stage.call("PUT", "/configuration", wanted(expose_variant=True), if_match="*")
    found = (await stage.call("GET", RANKER)).json()
    assert (found["status"], found["ending"]["winner"]) == (last, "challenger")
    assert found["definition"]["expose_variant"]
    await stage.call("PUT", "/configuration", wanted(running=True), if_match="*")
    found = (await stage.call("GET", RANKER)).json()
    assert (found["status"], found["ending"]) == ("running", None)


async def test_a_start_with_a_changed_file_does_not_end_a_pause(stage: Stage) -> None:
    await stage.call("POST", f"{RANKER}/pause", if_match="*")
    state = await applied(stage.redis, stage.data_dir, wanted())
    assert state is not None
    assert (state.settings.routes[1].backend, await status(stage)) == ("spare", "paused")
    assert await applied(stage.redis, stage.data_dir, wanted()) == state
    await applied(stage.redis, stage.data_dir, wanted(running=True, expose_variant=True))
    assert await status(stage) == "running"


async def test_who_runs_goes_on_or_is_paused_by_the_configuration(stage: Stage) -> None:
    await stage.call("PUT", "/configuration", wanted(), if_match="*")
    assert await status(stage) == "running"
    await stage.call("PUT", "/configuration", wanted(running=False), if_match="*")
    assert await status(stage) == "paused"


async def test_what_is_no_configuration_is_refused_as_ever(stage: Stage) -> None:
    await stage.call("POST", f"{RANKER}/pause", if_match="*")
    for experiments in ([], {"ranker": None}, {"ranker": []}, {"ranker": {}}):
        body = CONFIGURATION | {"experiments": experiments}
        refused = await stage.call("PUT", "/configuration", body, if_match="*")
        assert refused.status_code == 422, experiments
        assert any(each["pointer"].startswith("/experiments") for each in refused.json()["errors"])
