"""What is remembered of many compared pairs, in a memory that does not grow with them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Sum = Sequence[float]
"""One number for each bucket of units: a unit's requests all fall into one, requests of no unit anywhere."""


@dataclass(frozen=True, slots=True)
class PairSums:
    """Second answers compared with the clients'.

    ``differs`` counts pairs that differ in any way: ``failed`` had no second answer, ``status`` and ``body``
    say which part differs. ``top_pairs`` had a best result, and ``top_same`` of them the same one; ``ranked``
    had rankings, of which ``overlap`` is the sum of overlaps; ``timed`` were both answered, and ``seconds``
    is the sum of how much longer the second answers took.
    """

    pairs: Sum
    differs: Sum
    failed: Sum
    status: Sum
    body: Sum
    top_pairs: Sum
    top_same: Sum
    ranked: Sum
    overlap: Sum
    timed: Sum
    seconds: Sum


@dataclass(frozen=True, slots=True)
class ShadowSums:
    """The candidate's pairs, the current model's own (its noise), and the requests that have both.

    Of those ``both``, ``candidate_only`` are requests where the candidate differed and the current model's
    second answer did not, ``noise_only`` those where it was the other way round.
    """

    candidate: PairSums
    noise: PairSums
    both: Sum
    candidate_only: Sum
    noise_only: Sum
