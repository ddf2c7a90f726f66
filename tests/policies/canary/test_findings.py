"""Does a rollback name the guardrail that it was for?"""

from __future__ import annotations

from policies.canary.findings import UNSURE, Finding, Verdict

TOLERATED = Finding("latency", UNSURE, margin=0.1, harm=0.05, p_value=1e-9)
HARM = Finding("errors", "harm", margin=0.01, harm=0.05, p_value=1e-4)
MORE_HARM = Finding("correct", "harm", margin=0.01, harm=0.05, p_value=1e-6)


def test_a_difference_within_its_margin_is_not_what_the_rollback_was_for() -> None:
    assert Verdict("harm", (TOLERATED, HARM, MORE_HARM)).worst() is MORE_HARM
    assert Verdict("harm", (HARM, TOLERATED)).worst() is HARM


def test_where_nothing_is_harm_the_nearest_to_it_is_named() -> None:
    assert Verdict(UNSURE, (Finding("errors", "safe", 0.01), TOLERATED)).worst() is TOLERATED
