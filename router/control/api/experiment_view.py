"""How does an experiment stand?"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from router.control.edits import experiment_of
from router.settings import Experiment
from router.state import Ending, Epoch, State

Status = Literal["running", "asleep", "paused", "stopped", "archived"]


class VariantView(Struct, frozen=True, kw_only=True):
    """A variant: the weight that the operator wrote, its ``share`` (0 to 1), and the one ``in_force`` now."""

    name: str
    backend: str
    weight: float
    share: float
    in_force: float


class ExperimentView(Struct, frozen=True, kw_only=True):
    """An experiment: its definition, which can be sent back, and how it stands at this version."""

    name: str
    status: Status
    version: int
    definition: Experiment
    variants: tuple[VariantView, ...]
    routes: tuple[str, ...]
    epoch: Epoch | None
    ending: Ending | None


class ExperimentList(Struct, frozen=True, kw_only=True):
    """Experiments by name."""

    version: int
    experiments: tuple[ExperimentView, ...]


def view(state: State, name: str) -> ExperimentView:
    """An experiment as it stands."""
    experiment = experiment_of(state, name)
    ending = state.endings.get(name)
    epoch = state.epochs.get(name)
    total = sum(arm.weight for arm in experiment.variants.values())
    planned = epoch.weights if epoch is not None and state.assigns(name) else {}
    in_force = sum(planned.values())
    return ExperimentView(
        name=name,
        status=status_of(state, name),
        version=state.version,
        definition=experiment,
        variants=tuple(
            VariantView(
                name=variant,
                backend=arm.backend,
                weight=arm.weight,
                share=arm.weight / total,
                in_force=planned.get(variant, 0) / in_force if in_force else 0.0,
            )
            for variant, arm in experiment.variants.items()
        ),
        routes=tuple(route.path for route in state.settings.routes if name in route.experiments),
        epoch=epoch,
        ending=ending,
    )


def status_of(state: State, name: str) -> Status:
    """In one word; ``asleep`` is one that runs, outside of its schedule."""
    ending = state.endings.get(name)
    if state.settings.experiments[name].running:
        return "asleep" if name in state.asleep else "running"
    if ending is None:
        return "paused"
    return "archived" if ending.archived else "stopped" if ending.winner is not None else "paused"
