"""Is an event a line that both a reader and a program can take apart?"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

import router
from router.events import event, say

log = logging.getLogger("turnout.test")


def test_values_stand_beside_the_name_and_only_plain_ones_unquoted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, log.name)
    event(log, "planned", experiment="ranker/2", why='"a" won\n', error="none")
    (record,) = caplog.records
    assert record.getMessage() == r'planned experiment=ranker/2 why="\"a\" won\n" error=none'
    assert vars(record)["event"] == "planned"
    assert vars(record)["about"] == {"experiment": "ranker/2", "why": '"a" won\n', "error": "none"}


def test_a_sentence_stays_as_it_is_and_has_the_trace_of_its_error(caplog: pytest.LogCaptureFixture) -> None:
    error = ValueError("why")
    say(log, "task_failed", "100 % of it failed", logging.ERROR, error, task="sums")
    (record,) = caplog.records
    assert (record.getMessage(), record.levelname) == ("100 % of it failed", "ERROR")
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert (vars(record)["event"], vars(record)["about"]) == ("task_failed", {"task": "sums"})


def test_every_line_of_the_service_has_an_event() -> None:
    root = Path(router.__file__).parent
    own = {root / "events.py", root / "logs.py"}
    call = re.compile(r"\blog(?:ger)?\.(?:debug|info|warning|error|exception|critical|log)\(")
    found = [str(path) for path in root.rglob("*.py") if path not in own and call.search(path.read_text())]
    assert found == []
