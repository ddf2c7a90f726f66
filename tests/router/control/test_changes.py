"""An edit leaves what a policy planned alone, unless it changes what the policy plans by."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from policies.plan import Plan
from router.config_file import read_settings
from router.control.changes import Edit, follow
from router.epochs import advance
from router.settings import Settings
from router.state import State
from tests.router.control.stage import CONFIGURATION, KEY

STEPS = [{"weight": 10}, {"weight": 50}]
METRICS = [{"name": "correct", "kind": "binary"}]


def configuration() -> dict[str, Any]:
    found = deepcopy(CONFIGURATION)
    found["experiments"]["ranker"]["policy"] = {"kind": "canary", "steps": STEPS}
    return found


def promoted() -> State:
    """A state in which the canary has given its candidate all of the traffic."""
    settings = read_settings(configuration())
    state = advance(None, settings, 0.0, key=KEY)
    place = {**state.progress["ranker"].notes, "phase": "Succeeded", "step": 2}
    epoch = state.epochs["ranker"]
    weights = {**dict.fromkeys(epoch.weights, 0.0), "challenger": 100.0}
    plan = Plan(epoch.salt, weights, epoch.copies, epoch.draw, progress=place)
    return advance(state, settings, 10.0, planned={"ranker": plan})


def after(edit: Callable[[dict[str, Any]], object]) -> State:
    wanted = configuration()
    edit(wanted)
    return follow(promoted(), Edit(read_settings(wanted), {}), 20.0)


def test_another_address_of_a_backend_moves_nothing() -> None:
    state = after(lambda wanted: wanted["backends"]["two"].update(url="http://127.0.0.1:9999"))
    assert state.progress["ranker"].notes["phase"] == "Succeeded"
    assert state.epochs["ranker"].weights["challenger"] == 100.0


@pytest.mark.parametrize(
    "edit",
    [
        lambda ranker: ranker["variants"]["challenger"].update(backend="spare"),
        lambda ranker: ranker["policy"].update(alpha=0.001),
        lambda ranker: ranker.update(salt="other"),
    ],
)
def test_another_model_under_the_same_name_begins_at_the_first_step_again(
    edit: Callable[[dict[str, Any]], object],
) -> None:
    state = after(lambda wanted: edit(wanted["experiments"]["ranker"]))
    assert state.progress["ranker"].notes["phase"] == "Initializing"
    assert state.epochs["ranker"].weights["challenger"] == 0.0


def test_weights_that_a_canary_does_not_read_take_nothing_from_it() -> None:
    state = after(lambda wanted: wanted["experiments"]["ranker"]["variants"]["champion"].update(weight=7))
    assert state.settings.experiments["ranker"].variants["champion"].weight == 7
    assert state.progress["ranker"].notes["phase"] == "Succeeded"
    assert state.epochs["ranker"] == promoted().epochs["ranker"]


OUT = {"challenger": "errors"}


def bandit(running: bool, **challenger: Any) -> Settings:
    wanted = configuration()
    ranker = wanted["experiments"]["ranker"]
    ranker |= {"policy": {"kind": "thompson"}, "running": running, "metrics": METRICS}
    ranker["variants"]["challenger"].update(challenger)
    return read_settings(wanted)


def paused() -> State:
    """A state in which a bandit that took its challenger out is paused."""
    state = advance(None, bandit(True), 0.0, key=KEY)
    weights = {name: float(name == "champion") for name in state.epochs["ranker"].weights}
    notes = {**state.progress["ranker"].notes, "weights": weights, "out": OUT}
    plan = Plan(state.epochs["ranker"].salt, weights, progress=notes)
    state = advance(state, bandit(True), 10.0, planned={"ranker": plan})
    return follow(state, Edit(bandit(False), {}), 20.0)


def test_a_bandit_goes_on_after_a_pause_and_an_arm_that_is_out_stays_out() -> None:
    state = follow(paused(), Edit(bandit(True), {}), 30.0)
    assert state.progress["ranker"].notes["out"] == OUT
    assert state.epochs["ranker"].weights["challenger"] == 0.0
    assert state.epochs["ranker"].number == 3
    assert "experiment was started" in state.epochs["ranker"].why


def test_a_bandit_that_was_edited_while_it_was_paused_starts_anew() -> None:
    edited = follow(paused(), Edit(bandit(False, backend="spare"), {}), 25.0)
    state = follow(edited, Edit(bandit(True, backend="spare"), {}), 30.0)
    assert state.progress["ranker"].notes["out"] == {}
    assert state.epochs["ranker"].weights["challenger"] > 0.0
