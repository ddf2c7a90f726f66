"""Do the commands about policies show them, and pass on what an operator says?"""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from .conftest import CONFIGURATION, Turnout


def test_a_canary_from_the_command_line(operated: Turnout, tmp_path: Path) -> None:
    whole = yaml.safe_load(CONFIGURATION)
    ranker = whole["experiments"]["ranker"]
    del ranker["variants"]["paused"]
    steps = [{"weight": 5, "min_duration": "1h", "min_units": 10}, {"weight": 50}]
    ranker["policy"] = {"kind": "canary", "steps": steps, "confirm": [1, "promotion"]}
    file = tmp_path / "canary.yaml"
    file.write_text(yaml.safe_dump(whole))
    assert operated("apply", str(file), "--yes").status == 0

    def phase() -> str:
        return str(json.loads(operated("policy", "ranker", "-o", "json").out)["phase"])

    for _ in range(100):
        if phase() == "Waiting":
            break
    shown = operated("policy", "ranker")
    assert shown.out.splitlines()[0] == "ranker: canary, Waiting, verdict not enough data"
    assert "waits for an operator to confirm step 1" in shown.out

    confirmed = operated("confirm", "ranker", "--why", "go")
    assert (confirmed.status, confirmed.error) == (0, "")
    assert confirmed.out.startswith("ranker: canary, Progressing, step 1 of 2")
    assert "weights champion=90 challenger=5 baseline=5" in confirmed.out
    again = operated("confirm", "ranker")
    assert again.status == 1
    assert "where confirm means nothing; allowed in: Waiting, WaitingPromotion, Paused" in again.error
    assert operated("promote", "ranker").out.startswith("ranker: canary, Promoting")
    assert operated("abort", "ranker").out.startswith("ranker: canary, Failed")

    listed = json.loads(operated("plans", "ranker", "-o", "json").out)["plans"]
    newest = listed[0]["epoch"]
    assert listed[0]["by"] == "policy"
    replayed = operated("plans", "ranker", "--epoch", str(newest), "--replay")
    assert (replayed.status, replayed.error) == (0, "")
    assert "computed again, it gives the same" in replayed.out
    assert operated("plans", "ranker").out.count("policy") >= 3
    assert operated("plans", "ranker", "--replay").status == 2
