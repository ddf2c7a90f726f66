"""What did an experiment's policy say last?"""

from __future__ import annotations

from router.state import Progress, State
from router.store.plans import PolicyStatus


def standing(state: State, name: str, status: PolicyStatus | None) -> Progress | None:
    """What the state keeps of the last plan that changed it, or the ``status`` where that is newer."""
    epoch, kept = state.epochs.get(name), state.progress.get(name)
    current = status is not None and epoch is not None and status.epoch == epoch.number
    if status is None or not current or (kept is not None and status.at < kept.at):
        return kept
    notes = {} if kept is None else kept.notes
    return Progress(at=status.at, why=status.why, notes=notes, findings=status.findings)
