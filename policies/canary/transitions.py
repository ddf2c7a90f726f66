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

Event = Literal["harm", "abort", "promote", "hold", "resume", "ready", "closed", "open", "last", "wait"]
"""What happens, from what weighs most to what weighs least:

``harm`` the verdict; ``abort``, ``promote``, ``resume`` an operator's word, a webhook's, or the rule for a
deadline or for silence, which may also be to ``hold``; then, once a step has been found safe for long enough,
``ready`` for the next step, or for the ``last`` thing there is to do; a gate found ``closed``, and found
``open``. ``wait`` is that nothing of this happens: too little data, above all.
"""
EVENTS: Final[tuple[Event, ...]] = get_args(Event)

_BEGINNING: Final[Mapping[Event, Phase]] = {
    "abort": "Failed",
    "promote": "Promoting",
    "ready": "Progressing",
    "closed": "Waiting",
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
    "Progressing": {**_WATCHED, "ready": "Progressing", "closed": "Waiting", "last": "Promoting"},
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
