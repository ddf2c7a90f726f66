"""Does ``turnout assign`` say what the router would do with a unit?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import policies
from policies.assignment import LONGEST_UNIT
from router.config_file import read_settings
from router.unit_assignment import assignment_of

from .conftest import Turnout

VECTORS = json.loads(Path(policies.__file__).with_name("assignment_vectors.json").read_text("utf-8"))
CASES: list[dict[str, Any]] = [case for case in VECTORS["cases"] if len(case["unit"]) <= LONGEST_UNIT]


def test_a_table(turnout: Turnout, config: Path) -> None:
    ran = turnout("assign", "ranker", "user-1", "--config", str(config))
    assert (ran.status, ran.error) == (0, "")
    assert ran.out.startswith("ranker: 'user-1' -> champion\n")
    assert "champion <-" in ran.out
    assert "paused" in ran.out


@pytest.mark.parametrize("case", CASES[:: len(CASES) // 30], ids=lambda case: ascii(case["unit"][:9]))
def test_it_agrees_with_the_published_vectors(case: dict[str, Any]) -> None:
    arms = {name: {"backend": "one", "weight": weight} for name, weight in case["weights"].items()}
    experiment = {
        "unit": [{"header": "x-user-id"}],
        "variants": arms,
        "control": next(iter(arms)),
        "salt": case["salt"],
    }
    backends = {"one": {"url": "http://h:1"}}
    settings = read_settings({"backends": backends, "routes": [], "experiments": {"e": experiment}})
    assignment = assignment_of(settings, "e", None, case["unit"])
    scores = {candidate.variant: candidate.score for candidate in assignment.candidates}
    assert (assignment.variant, assignment.bucket) == (case["variant"], case["bucket"])
    assert assignment.position == case["position"]
    for name, score in case["scores"].items():
        assert scores[name] == (None if score is None else pytest.approx(score, rel=1e-12, abs=0))


def test_json(turnout: Turnout, config: Path) -> None:
    ran = turnout("assign", "ranker", "Zoë 用户", "-c", str(config), "-o", "json")
    said = json.loads(ran.out)
    assert said["unit"] == "Zoë 用户"
    assert [each["variant"] for each in said["candidates"]] == ["champion", "challenger", "paused"]
    assert [each["share"] for each in said["candidates"]] == [0.8, 0.2, 0.0]
    best = max(
        (each for each in said["candidates"] if each["score"] is not None), key=lambda each: each["score"]
    )
    assert said["variant"] == best["variant"]
    assert said["propensity"] == best["share"]


def test_only_the_first_bytes_of_a_unit_count_as_in_a_request(turnout: Turnout, config: Path) -> None:
    long, longer = "u" * 256, "u" * 300
    answers = [
        json.loads(turnout("assign", "ranker", unit, "-c", str(config), "-o", "json").out)
        for unit in (long, longer)
    ]
    assert answers[0]["candidates"] == answers[1]["candidates"]
    assert answers[0]["bucket"] == answers[1]["bucket"]


def test_an_unknown_experiment_is_refused_with_the_nearest(turnout: Turnout, config: Path) -> None:
    ran = turnout("assign", "rankr", "user-1", "-c", str(config))
    assert (ran.status, ran.out) == (2, "")
    assert "is no known experiment; allowed: ranker; did you mean 'ranker'?" in ran.error


def test_a_stopped_experiment_says_so(turnout: Turnout, config: Path) -> None:
    config.write_text(
        config.read_text().replace("control: champion", "control: champion\n    running: false")
    )
    assert "the experiment is stopped" in turnout("assign", "ranker", "user-1", "-c", str(config)).out


def test_who_takes_part(turnout: Turnout, config: Path, tmp_path: Path) -> None:
    text = config.read_text("utf-8")
    assert "    control: champion\n" in text
    audience = "    audience: {share: 0.5, when: 'request.path == \"/a\"', forced: {challenger: [me]}}\n"
    file = tmp_path / "audience.yaml"
    file.write_text(text.replace("    control: champion\n", "    control: champion\n" + audience, 1), "utf-8")
    said = {}
    for unit in ("me", *(f"user-{number}" for number in range(12))):
        ran = turnout("assign", "ranker", unit, "--config", str(file))
        assert ran.status == 0
        said[unit] = ran.out
    assert "me' -> challenger" in said["me"]
    assert "is not counted" in said["me"]
    out = [text for text in said.values() if "-> does not take part" in text]
    assert 0 < len(out) < 12
    assert all("is not in [0, 0.5)" in text for text in out)
    assert all('only for requests with request.path == "/a"' in text for text in out)
