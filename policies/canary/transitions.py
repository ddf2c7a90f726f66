"""Which phase follows, when this happens in that phase?

The phases are named as those of Flagger's canaries. Before the first step, and in Failed, the candidate has
no traffic; in Promoting, Finalising and Succeeded all of it; in the others its step's share, and it
is watched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

Phase = Literal[
    "Initializing",
    "Waiting",
    "Progressing",
    "WaitingPromotion",
    "Promoting",
    "Finalising",
    "Succeeded",
    "Failed",
    "Paused",
]
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)

Event = Literal[
    "abort",
    "promote",
    "resume",
    "harm",
    "hold",
    "ready",
    "gated",
    "last",
    "last gated",
    "open",
    "wait",
]
"""What happens. ``abort``, ``promote`` and ``resume`` are an operator's words; the first two also what a
webhook or the rule for a deadline or for silence says, which may be to ``hold`` instead. ``harm`` is that
verdict. Where a step has been found safe for long enough it is ``ready`` for the next one, or for all of the
traffic where it is the ``last``; or else ``gated`` before it. ``open`` is such a gate found open. ``wait`` is
that nothing of this is so: too little data, above all.
"""
EVENTS: Final[tuple[Event, ...]] = get_args(Event)

_BEGINNING: Final[Mapping[Event, Phase]] = {
    "abort": "Failed",
    "promote": "Promoting",
    "ready": "Progressing",
    "gated": "Waiting",
}
_WATCHED: Final[Mapping[Event, Phase]] = {
    "harm": "Failed",
    "abort": "Failed",
    "promote": "Promoting",
    "hold": "Paused",
}

# What is not named leaves the phase as it is.
TRANSITIONS: Final[Mapping[Phase, Mapping[Event, Phase]]] = {
    "Initializing": _BEGINNING,
    "Waiting": {**_WATCHED, "open": "Progressing"},
    "Progressing": {
        **_WATCHED,
        "ready": "Progressing",
        "gated": "Waiting",
        "last": "Promoting",
        "last gated": "WaitingPromotion",
    },
    "WaitingPromotion": {**_WATCHED, "open": "Promoting"},
    "Promoting": {"abort": "Failed", "ready": "Finalising"},
    "Finalising": {"abort": "Failed", "ready": "Succeeded"},
    "Succeeded": {"abort": "Failed"},
    "Failed": {},
    "Paused": {"harm": "Failed", "abort": "Failed", "promote": "Promoting", "resume": "Progressing"},
}


def following(phase: Phase, event: Event) -> Phase:
    """The phase after an event.

    >>> following("Progressing", "harm"), following("Progressing", "wait")
    ('Failed', 'Progressing')
    """
    return TRANSITIONS[phase].get(event, phase)
