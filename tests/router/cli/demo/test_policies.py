"""The real thing: each policy's demo holds its promises, and says by which figures."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.router.cli.demo.running import DEMO, Run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found by /proc")


def ended(run: Run, *arguments: str) -> dict[str, str]:
    """The figures by promise of a demo that held them all and left nothing behind."""
    done = subprocess.run(
        [*DEMO, *arguments], capture_output=True, text=True, env=run.environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert run.left_behind() == []
    promises = re.findall(r"^(yes|NO) +([^:]+): (.+)$", done.stdout, re.MULTILINE)
    assert {held for held, _, _ in promises} == {"yes"}
    return {"": done.stdout, **{promise: figures for _, promise, figures in promises}}


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found, text
    return float(found[1].replace(",", ""))


def test_a_failing_candidate_goes_back_and_a_healthy_one_up(demo_run: Run) -> None:
    # It ends when both are judged; the time is for a machine that has much else to do.
    found = ended(demo_run, "canary", "--seconds", "150")
    back = found["the candidate that fails 5% was rolled back"]
    errors, requests = number(r"it failed (\d+);", back), number(r"after ([\d,]+) requests", back)
    assert 0 < errors <= requests
    own = found["no request failed because of a change of weights"]
    assert number(r"the ([\d,]+) answers of 500", own) >= errors
    assert "at 5 %" in back
    assert "harm: errors" in back
    assert found["the healthy candidate was rolled out to all"].startswith("5 %, 25 %, 50 %, 100 % within ")
    assert found["every plan follows again from its record"].startswith("6 of 6 plans")
    for phase in ("Progressing, step 1 of 3 at 5%", "Progressing, step 3 of 3 at 50%", "Succeeded"):
        assert phase in found[""]


def test_a_shadow_is_compared_and_answers_nobody(demo_run: Run) -> None:
    found = ended(demo_run, "shadow", "--seconds", "10", "--rate", "60")
    copies = found["every copy is accounted for"]
    assert number(r"([\d,]+) sent", copies) > 0
    assert number(r"([\d,]+) second requests", copies) > 0
    differ = found["the candidate was found to differ, by more than the current model from itself"]
    assert number(r"the candidate alone differed in (\d+)", differ) > 0
    assert number(r"second answer alone in (\d+)", differ) == 0
    assert 85 < number(r"The same digit in ([\d.]+)%", found[""]) < 97
    assert re.search(r"The candidate takes [+-][\d.]+ \(-?[\d.]+ to -?[\d.]+\) ms more", found[""])
    assert re.search(r"/outputs/0/data/0: the client got (\d), the candidate says (?!\1)\d$", found[""], re.M)


def test_a_bandit_finds_the_best_of_three(demo_run: Run) -> None:
    found = ended(demo_run, "bandit", "--seconds", "20")
    lost = found["fewer right answers were lost than by an even split"]
    assert number(r"about (-?[\d,]+)", lost) < number(r"against ([\d,]+)", lost)
    interval = found["the interval of strong against champion is above 0"]
    assert 0 < number(r"interval \+([\d.]+)", interval) < number(r"to \+([\d.]+)", interval)
    most = found["the best model got the most traffic"]
    assert number(r"weights now .*strong ([\d.]+)%", most) > 50
    assert number(r"(\d+) of \d+ plans", found["every plan follows again from its record"]) >= 1


def test_options_before_the_command_would_be_lost_and_are_refused(demo_run: Run) -> None:
    done = subprocess.run(
        [*DEMO, "--rate", "10", "canary"],
        capture_output=True,
        text=True,
        env=demo_run.environment,
        check=False,
    )
    assert done.returncode == 2
    assert "turnout demo canary --rate" in done.stderr
