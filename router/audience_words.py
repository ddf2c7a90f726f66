"""Who takes part in an experiment, in words, and what about it was perhaps not meant?"""

from __future__ import annotations

from collections.abc import Iterator

from router.audience import gate_of
from router.settings import Experiment, Settings


def audience_lines(experiment: Experiment) -> tuple[str, ...]:
    """One line for each thing that keeps units or requests out; none where everybody takes part."""
    audience, schedule = experiment.audience, experiment.schedule
    lines = []
    if audience.when is not None:
        lines.append(f"requests with {' '.join(audience.when.split())}")
    if audience.layer is not None:
        low, high = audience.part
        lines.append(f"units from {low:g} to {high:g} of the layer {audience.layer}")
    if audience.share < 1:
        lines.append(f"a share of {audience.share:g} of the units")
    if audience.holdouts:
        lines.append(f"units outside of {', '.join(audience.holdouts)}")
    if schedule is not None and schedule.start is not None:
        lines.append(f"from {schedule.start}")
    if schedule is not None and schedule.end is not None:
        lines.append(f"until {schedule.end}")
    return tuple(lines)


def audience_warnings(settings: Settings) -> Iterator[str]:
    """What is allowed but was perhaps not meant."""
    for name, experiment in settings.experiments.items():
        if experiment.audience.share == 0:
            yield f"experiment {name}: its share is 0, so no unit takes part but those that are forced"
    for route in settings.routes:
        running = [name for name in route.experiments if settings.experiments[name].running]
        for place, name in enumerate(running[:-1]):
            experiment = settings.experiments[name]
            everybody = experiment.audience.when is None and not gate_of(settings, name).bounds
            if everybody and experiment.schedule is None:
                later = ", ".join(running[place + 1 :])
                yield f"route {route.path}: everybody takes part in {name}, so nobody comes to {later}"
                break
    layers = {experiment.audience.layer for experiment in settings.experiments.values()}
    holdouts = {name for experiment in settings.experiments.values() for name in experiment.audience.holdouts}
    for kind, names, used in (("layer", settings.layers, layers), ("hold-out", settings.holdouts, holdouts)):
        for name in names:
            if name not in used:
                yield f"{kind} {name}: no experiment uses it"
    for kind, salts in (
        ("layers", {name: layer.salt or name for name, layer in settings.layers.items()}),
        ("hold-outs", {name: holdout.salt or name for name, holdout in settings.holdouts.items()}),
    ):
        first: dict[str, str] = {}
        for name, salt in salts.items():
            if first.setdefault(salt, name) != name:
                yield f"{kind} {first[salt]} and {name} have the same salt: they are not independent"
