"""Do the commands for one experiment change it, say what became of it, and lose a race loudly?"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from router.cli.operate import read_weights
from router.errors import ConfigurationError

from .conftest import Turnout


def experiment(operated: Turnout) -> Any:
    return json.loads(operated("get", "experiments", "ranker", "-o", "json").out)


def test_weights_replace_weights(operated: Turnout) -> None:
    ran = operated("weights", "ranker", "champion=50", "challenger=150", "paused=0", "--why", "day two")
    assert (ran.status, ran.error) == (0, "")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in ran.out.splitlines() if "│" in line]
    assert rows == [
        ["champion", "80 -> 50", "80.00% -> 25.00%", "one"],
        ["challenger", "20 -> 150", "20.00% -> 75.00%", "two"],
        ["paused", "0", "0.00%", "two"],
    ]
    assert [each["weight"] for each in experiment(operated)["variants"]] == [50, 150, 0]
    again = operated("weights", "ranker", "champion=50", "challenger=150", "paused=0")
    assert again.status == 0
    assert again.out.startswith("nothing to change: ranker is as asked already, running, version ")


def test_a_variant_without_a_weight_or_unknown_is_refused(operated: Turnout) -> None:
    ran = operated("weights", "ranker", "champion=50", "chalenger=50", "paused=0")
    assert (ran.status, ran.out) == (2, "")
    assert "did you mean 'challenger'?" in ran.error
    assert "weights.challenger: is missing; allowed: a weight for each variant" in ran.error
    assert [each["weight"] for each in experiment(operated)["variants"]] == [80, 20, 0]


@pytest.mark.parametrize(
    "word", ["champion", "champion=", "=5", "champion=nan", "champion=inf", "champion=-1"]
)
def test_a_word_that_is_no_weight(word: str) -> None:
    with pytest.raises(ConfigurationError, match="allowed: VARIANT=WEIGHT"):
        read_weights([word])


def test_two_weights_for_one_variant() -> None:
    with pytest.raises(ConfigurationError, match="'a' has two weights"):
        read_weights(["a=1", "a=2"])


def test_the_life_of_an_experiment(operated: Turnout) -> None:
    assert operated("pause", "ranker").out.startswith("ranker: paused, version ")
    assert operated("pause", "ranker").out.startswith("nothing to change: ")
    assert operated("start", "ranker").out.startswith("ranker: running, version ")
    refused = operated("archive", "ranker")
    assert (refused.status, refused.out) == (1, "")
    assert refused.error == "turnout: experiment 'ranker' runs; allowed: to stop or pause it first\n"
    assert operated("stop", "ranker", "--winner", "challenger").out.startswith(
        "ranker: stopped, won by challenger, version "
    )
    assert json.loads(operated("get", "routes", "/v1/models/ranker", "-o", "json").out)["backend"] == "two"
    assert operated("archive", "ranker").out.startswith("ranker: archived, won by challenger, version ")
    assert "ranker" not in operated("get", "experiments").out
    assert "ranker" in operated("get", "experiments", "--archived").out


def test_stop_wants_a_winner(operated: Turnout) -> None:
    ran = operated("stop", "ranker")
    assert ran.status == 2
    assert "stop needs --winner" in ran.error
    assert "allowed: champion, challenger, paused" in ran.error
    assert "turnout pause ranker" in ran.error
    assert experiment(operated)["status"] == "running"
    ran = operated("stop", "ranker", "--winner", "chalenger")
    assert ran.status == 2
    assert "did you mean 'challenger'?" in ran.error


def test_a_change_of_what_was_read_before_is_refused_with_what_happened_since(operated: Turnout) -> None:
    tag = experiment(operated)["etag"]
    first = ["weights", "ranker", "champion=70", "challenger=30", "paused=0", "--if-match", tag]
    assert operated(*first, "--why", "mine").status == 0
    for late in (
        ["weights", "ranker", "champion=1", "challenger=1", "paused=0", "--if-match", tag],
        ["pause", "ranker", "--if-match", tag],
        ["stop", "ranker", "--winner", "champion", "--if-match", tag],
    ):
        ran = operated(*late)
        assert (ran.status, ran.out) == (4, "")
        assert "somebody else changed this first, so nothing was changed by you" in ran.error
        assert "(mine)" in ran.error
        assert "~ experiment ranker: weight of champion 80 -> 70" in ran.error
    assert [each["weight"] for each in experiment(operated)["variants"]] == [70, 30, 0]
    assert experiment(operated)["status"] == "running"


def test_of_several_operators_at_once_one_wins(operated: Turnout) -> None:
    tag = experiment(operated)["etag"]

    def write(number: int) -> int:
        weights = [f"champion={number}", "challenger=1", "paused=0"]
        return operated("weights", "ranker", *weights, "--if-match", tag).status

    with ThreadPoolExecutor(4) as operators:
        ended = list(operators.map(write, (2, 3, 4, 5)))
    assert sorted(ended) == [0, 4, 4, 4]
    assert experiment(operated)["variants"][0]["weight"] == ended.index(0) + 2


@pytest.mark.parametrize(
    "command",
    [["weights", "rankr", "a=1"], ["start", "rankr"], ["stop", "rankr"], ["get", "experiments", "rankr"]],
)
def test_an_unknown_experiment(operated: Turnout, command: list[str]) -> None:
    ran = operated(*command)
    assert (ran.status, ran.out) == (2, "")
    assert ran.error == "turnout: there is no experiment 'rankr'; there are: ranker\n"


def test_a_variant_is_forced_for_a_test(operated: Turnout) -> None:
    ran = operated("force", "ranker", "challenger", "--seconds", "60")
    assert ran.status == 0
    header, note = ran.out.splitlines()
    assert header.startswith("x-turnout-force: ranker.challenger.")
    assert "are not counted" in note
    ran = operated("force", "ranker", "chalenger")
    assert ran.status == 2
    assert "challenger" in ran.error
