"""Every demo's configuration is one that the router takes, and says what the demo promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from router.cli.demo.bandit.scenario import ThreeArms
from router.cli.demo.canary.configuration import with_fixed_candidate
from router.cli.demo.canary.scenario import CanaryOfTwo
from router.cli.demo.scenario import Scenario
from router.cli.demo.shadow.scenario import Shadowed
from router.cli.demo.split.scenario import Split
from router.config_file import load, read_settings
from router.control.difference import plain
from router.settings import Settings


def settings(scenario: Scenario[Any], folder: Path) -> Settings:
    file = folder / "turnout.yaml"
    urls = {name: f"http://127.0.0.1:{9001 + at}" for at, name in enumerate(scenario.servers)}
    file.write_text(scenario.configuration(urls))
    return load(file)


@pytest.mark.parametrize("scenario", [Split(), CanaryOfTwo(), Shadowed(), ThreeArms()])
def test_it_is_taken_and_every_server_is_known(scenario: Scenario[Any], tmp_path: Path) -> None:
    found = settings(scenario, tmp_path)
    assert len({backend.url for backend in found.backends.values()}) == len(scenario.servers)
    assert set(found.experiments["digits"].variants) <= set(scenario.servers)


def test_the_fixed_candidate_has_another_server_and_nothing_else_is_changed(tmp_path: Path) -> None:
    before = settings(CanaryOfTwo(), tmp_path)
    after = read_settings(with_fixed_candidate(plain(before)))
    changed, kept = (plain(each)["experiments"]["digits"]["variants"] for each in (after, before))
    assert changed.pop("challenger")["backend"] == "digits-v2-fixed"
    assert kept.pop("challenger")["backend"] == "digits-v2"
    assert changed == kept
    assert (after.backends, after.routes) == (before.backends, before.routes)
