"""What is found of a canary: a verdict, and what it follows from?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Word = Literal["harm", "safe", "not enough data"]
UNSURE: Final[Word] = "not enough data"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one guardrail.

    ``harm`` is the difference to ``control``, positive where the candidate is worse; that is the control's
    slice, where there is one. ``p_value`` is for harm. Where it counts bad events it compares the candidate
    with all of the control's traffic, the slice included: ``whole_control`` is the rate there, None where it
    does not, and it is by the difference to it that the harm which is seen must exceed the margin.
    """

    name: str
    verdict: Word
    margin: float
    control: float | None = None
    candidate: float | None = None
    harm: float | None = None
    harm_upper: float | None = None
    p_value: float = 1.0
    units: float = 0.0
    whole_control: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict over all guardrails, and what it follows from."""

    word: Word
    findings: tuple[Finding, ...]

    def worst(self) -> Finding:
        """The finding of harm with the smallest p-value, or where none is harm, of them all.

        A smaller p-value than that of the harm may stand beside a difference within the margin.
        """
        return min(self.findings, key=lambda each: (each.verdict != "harm", each.p_value))


def shown(finding: Finding) -> Mapping[str, Any]:
    """A finding as JSON's types; ``whole_control`` only where the candidate was tested against it."""
    fields = {name: getattr(finding, name) for name in Finding.__slots__}
    if finding.whole_control is None:
        del fields["whole_control"]
    return fields
