"""What do all demos' configurations have in common?"""

from __future__ import annotations

from dataclasses import dataclass

EXPERIMENT = "digits"
MODEL = "digits"
METRIC = "correct"
UNIT_HEADER = "x-user-id"
CONTROL = "champion"
CHALLENGER = "challenger"


@dataclass(frozen=True, slots=True)
class Server:
    """A model's server: which of the demo's models, and the share of its answers that are a 500."""

    strength: str
    fail_share: float = 0.0
