"""Does ``turnout check`` show what the router would do, and every mistake?"""

from __future__ import annotations

import json
from pathlib import Path

from .conftest import Turnout


def test_a_usable_file(turnout: Turnout, config: Path) -> None:
    ran = turnout("check", str(config))
    assert (ran.status, ran.error) == (0, "")
    assert "experiment ranker (backend one when it is stopped)" in ran.out
    assert "80.00%" in ran.out
    assert "warning: experiment ranker: paused has weight 0 and gets no request" in ran.out
    assert ran.out.endswith(f"{config}: usable\n")


def test_the_environment_may_name_the_file(turnout: Turnout, config: Path) -> None:
    assert turnout("check", environment={"TURNOUT_CONFIG": str(config)}).status == 0


def test_json(turnout: Turnout, config: Path) -> None:
    ran = turnout("check", str(config), "--output", "json")
    said = json.loads(ran.out)
    assert [route["path"] for route in said["routes"]] == ["/v1/models/ranker"]
    shares = {each["name"]: each["share"] for each in said["experiments"][0]["variants"]}
    assert shares == {"champion": 0.8, "challenger": 0.2, "paused": 0.0}
    assert len(said["warnings"]) == 1


def test_what_a_policy_begins_with(turnout: Turnout, config: Path) -> None:
    policy = "    policy: {kind: split, ramp: [{weight: 2, for: 1h}]}\n"
    config.write_text(
        config.read_text().replace("    control: champion\n", "    control: champion\n" + policy)
    )
    ran = turnout("check", str(config))
    assert ("begins with" in ran.out, "98.00%" in ran.out) == (True, True)
    said = json.loads(turnout("check", str(config), "--output", "json").out)
    begins = {each["name"]: each["begins"] for each in said["experiments"][0]["variants"]}
    assert begins == {"champion": 0.98, "challenger": 0.02, "paused": 0.0}


def test_every_mistake_with_its_line(turnout: Turnout, config: Path) -> None:
    text = config.read_text().replace("weight: 80", "weight: -80").replace("kind: binary", "kind: binry")
    config.write_text(text)
    ran = turnout("check", str(config))
    assert (ran.status, ran.out) == (2, "")
    assert [line.split(" ")[1] for line in ran.error.splitlines()] == [f"{config}:10:", f"{config}:14:"]


def test_text_that_looks_like_markup_is_printed_as_it_is(turnout: Turnout, config: Path) -> None:
    config.write_text(config.read_text().replace("{header: x-user-id}", "{query: '[red]user[/]'}"))
    assert "query [red]user[/]" in turnout("check", str(config)).out


def test_a_file_that_is_not_there(turnout: Turnout) -> None:
    ran = turnout("check", "nowhere.yaml")
    assert ran.status == 2
    assert ran.error.startswith("turnout: nowhere.yaml: cannot be read: No such file")
