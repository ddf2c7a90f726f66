"""Does a unit take part in an experiment, as far as its own hash decides?

Three draws, each under a salt of its own: its place in the experiment's layer, whether it is in a hold-out,
and whether it is in the share that takes part at all. Both planes and the command line ask here.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.assignment import LONGEST_UNIT, draw, draw_prefix
from router.settings import Experiment, Settings


@dataclass(frozen=True, slots=True)
class Bound:
    """One thing that a unit's draw under ``prefix`` must be within: ``low`` <= draw < ``high``.

    ``what`` names it for a reader.
    """

    what: str
    prefix: bytes
    low: float
    high: float

    def admits(self, unit: bytes) -> bool:
        """Whether the unit's draw is within."""
        return self.low <= draw(self.prefix, unit) < self.high


@dataclass(frozen=True, slots=True)
class Gate:
    """What a unit must be within to take part: the layer's part, if any, and all the others."""

    part: Bound | None
    others: tuple[Bound, ...]

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """All of them."""
        return self.others if self.part is None else (self.part, *self.others)

    def admits(self, unit: bytes) -> bool:
        """Whether a unit takes part."""
        return all(bound.admits(unit) for bound in self.bounds)


def gate_of(settings: Settings, name: str) -> Gate:
    """An experiment's gate, from settings that were accepted; one without bounds where all take part."""
    experiment = settings.experiments[name]
    audience = experiment.audience
    part = None
    if audience.layer is not None:
        salt = settings.layers[audience.layer].salt or audience.layer
        low, high = audience.part
        part = Bound(f"layer {audience.layer}", draw_prefix(salt, "layer"), low, high)
    others = []
    for holdout in audience.holdouts:
        spec = settings.holdouts[holdout]
        prefix = draw_prefix(spec.salt or holdout, "holdout")
        others.append(Bound(f"outside of hold-out {holdout}", prefix, spec.share, 1.0))
    if audience.share < 1:
        others.append(Bound("share", draw_prefix(experiment.salt or name, "share"), 0.0, audience.share))
    return Gate(part, tuple(others))


def forced_units(experiment: Experiment) -> dict[bytes, str]:
    """The variant of each unit that is given one, by as much of the unit as counts."""
    return {
        unit.encode("utf-8", "surrogatepass")[:LONGEST_UNIT]: variant
        for variant, units in experiment.audience.forced.items()
        for unit in units
    }
