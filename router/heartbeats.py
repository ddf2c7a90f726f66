"""Does each worker's event loop still turn?

Every worker writes the time of its loop's last turn into a slot of memory that all processes of a node share.
No disk is involved: a full or slow one must not make a worker look stuck.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from time import monotonic
from typing import Final

BEAT_SECONDS: Final = 0.25
# A loop that has not turned for so long serves nobody.
LATE_SECONDS: Final = 5.0

_SLOT_BYTES: Final = 8


def make_shared(places: int) -> int:
    """A descriptor of memory for so many workers, which children may inherit; the caller closes it."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("turnout-heartbeats")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, places * _SLOT_BYTES)
    return descriptor


class Heartbeats:
    """The slots of all places. A slot of 0 belongs to nobody who is ready."""

    def __init__(self, descriptor: int, places: int) -> None:
        """``descriptor`` is one of `make_shared`; it may be closed afterwards."""
        self._slots = memoryview(mmap.mmap(descriptor, places * _SLOT_BYTES)).cast("d")

    def beat(self, place: int) -> None:
        """The loop of the worker at this place (from 0) turns, and the worker serves."""
        self._slots[place] = monotonic()

    def clear(self, place: int) -> None:
        """Nobody at this place is ready."""
        self._slots[place] = 0.0

    def ages(self) -> list[float | None]:
        """For each place the seconds since its loop's last turn; None where nobody is ready."""
        now = monotonic()
        return [max(now - beat, 0.0) if beat else None for beat in self._slots]
