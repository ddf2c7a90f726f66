"""Does the shell get names from the router, and silence where there is none?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import Turnout

Complete = Callable[..., list[str]]


@pytest.fixture
def complete(operated: Turnout) -> Complete:
    def run(*words: str, **environment: str) -> list[str]:
        """What bash would offer for the last word."""
        asked = {
            "_TURNOUT_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(["turnout", *words]),
            "COMP_CWORD": str(len(words)),
        }
        ran = operated(environment=asked | environment)
        assert ran.error == ""
        return ran.out.split()

    return run


def test_commands_and_options(complete: Complete) -> None:
    assert complete("wei") == ["weights"]
    assert complete("apply", "--pr") == ["--prune"]
    assert complete("get", "ba") == ["backends"]


def test_experiments_and_variants(complete: Complete) -> None:
    assert complete("weights", "r") == ["ranker"]
    assert complete("report", "x") == []
    assert complete("weights", "ranker", "cha") == ["champion=", "challenger="]
    assert complete("stop", "ranker", "--winner", "p") == ["paused"]
    assert complete("get", "experiments", "") == ["ranker"]
    assert complete("get", "backends", "t") == ["two"]
    assert complete("get", "routes", "/v1") == ["/v1/models/ranker"]
    assert complete("get", "workers", "") == []


def test_a_router_that_is_not_there_is_no_error(complete: Complete) -> None:
    assert complete("weights", "r", TURNOUT_URL="http://127.0.0.1:1") == []
    assert complete("weights", "r", TURNOUT_URL="nonsense") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts(turnout: Turnout, shell: str) -> None:
    ran = turnout(environment={"_TURNOUT_COMPLETE": f"source_{shell}"})
    assert ran.status == 0
    assert "turnout" in ran.out
