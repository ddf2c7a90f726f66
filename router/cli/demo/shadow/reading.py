"""What is there to be known of the copies?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from router.cli.demo.counting import Counts
from router.cli.demo.shadow.configuration import SHADOW

_COPIES = "turnout_shadow_copies_total"
_NOISE = "turnout_shadow_noise_copies_total"
_UNCOMPARED = "turnout_shadow_uncompared_total"


@dataclass(frozen=True, slots=True)
class Copies:
    """What became of the copies, and of the second requests to the current model (``noise_sent``).

    ``uncompared`` are copies whose answers were not compared, by the reason.
    """

    sent: int = 0
    dropped: int = 0
    skipped: int = 0
    noise_sent: int = 0
    uncompared: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All copies that there would be, were none dropped or skipped."""
        return self.sent + self.dropped + self.skipped


@dataclass(frozen=True, slots=True)
class Reading(Counts):
    """How it stands: what was counted, the shadow's report once there is one, its copies, and an example."""

    report: Mapping[str, Any] | None = None
    copies: Copies = field(default_factory=Copies)
    example: Mapping[str, Any] | None = None

    @property
    def decision(self) -> str:
        """The sequential test's."""
        return "nothing was compared yet" if self.report is None else str(self.report["decision"])

    @property
    def pairs(self) -> int:
        """How many answers of the candidate's were compared."""
        return 0 if self.report is None else int(self.report["candidate"]["pairs"])


def read_copies(metrics: str) -> Copies:
    """From the text of ``GET /metrics``."""
    found: Counter[tuple[str, str]] = Counter()
    uncompared: Counter[str] = Counter()
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.labels.get("shadow") != SHADOW:
                continue
            if sample.name == _UNCOMPARED:
                uncompared[sample.labels["reason"]] += int(sample.value)
            else:
                found[sample.name, sample.labels.get("outcome", "")] += int(sample.value)
    return Copies(
        sent=found[_COPIES, "sent"],
        dropped=found[_COPIES, "dropped"],
        skipped=found[_COPIES, "skipped"],
        noise_sent=found[_NOISE, "sent"],
        uncompared={reason: number for reason, number in uncompared.items() if number},
    )
