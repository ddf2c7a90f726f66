"""Is every transition of the canary's table the one that is meant, and no other?"""

from __future__ import annotations

import pytest

from policies.canary.transitions import EVENTS, PHASES, TRANSITIONS, Event, Phase, following

# Phase by event, in the order of EVENTS; a dot is "stays".
TABLE = """
                  abort   promote   resume harm   hold   ready gated   last  last-gated open  wait
Initializing      Failed  Promoting .      .      .      Prog  Waiting .     .          .     .
Waiting           Failed  Promoting .      Failed Paused .     .       .     .          Prog  .
Progressing       Failed  Promoting .      Failed Paused Prog  Waiting Promo WaitPromo  .     .
WaitingPromotion  Failed  Promoting .      Failed Paused .     .       .     .          Promo .
Promoting         Failed  .         .      .      .      Final .       .     .          .     .
Finalising        Failed  .         .      .      .      Succ  .       .     .          .     .
Succeeded         Failed  .         .      .      .      .     .       .     .          .     .
Failed            .       .         .      .      .      .     .       .     .          .     .
Paused            Failed  Promoting Prog   Failed .      .     .       .     .          .     .
"""
SHORT = {
    "Prog": "Progressing",
    "Promo": "Promoting",
    "WaitPromo": "WaitingPromotion",
    "Final": "Finalising",
    "Succ": "Succeeded",
}
ROWS = [line.split() for line in TABLE.strip("\n").splitlines()]
CASES = [
    (row[0], event.replace("-", " "), row[0] if cell == "." else SHORT.get(cell, cell))
    for row in ROWS[1:]
    for event, cell in zip(ROWS[0], row[1:], strict=True)
]


def test_the_table_here_has_every_phase_and_every_event() -> None:
    assert [row[0] for row in ROWS[1:]] == list(PHASES)
    assert [event.replace("-", " ") for event in ROWS[0]] == list(EVENTS)
    assert set(TRANSITIONS) == set(PHASES)


@pytest.mark.parametrize(("phase", "event", "after"), CASES)
def test_a_transition(phase: Phase, event: Event, after: Phase) -> None:
    assert following(phase, event) == after


def test_too_little_data_moves_nothing() -> None:
    assert {phase: following(phase, "wait") for phase in PHASES} == {phase: phase for phase in PHASES}
