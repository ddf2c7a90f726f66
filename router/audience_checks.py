"""Which audiences, layers, hold-outs, schedules and fallbacks fit their types and still cannot be used?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from re import fullmatch, search
from typing import Any

from router.condition import VARIABLES, UnusableCondition, compiled
from router.handled_headers import unreadable
from router.problems import ABSENT, Path, Problem, dotted, unknown
from router.settings import Audience, Experiment, Schedule, Settings

_SALT = r"[A-Za-z0-9_.:-]{1,64}"
_CONDITION = (
    'a condition in CEL over request.method, request.path, request.headers["x-name"] (names in lower case), '
    'request.query["name"], request.json.name and context.name (what an OpenFeature client says of the unit)'
)
_MOMENT = "an ISO 8601 time with an offset: 2030-01-31T08:00Z, 2030-01-31T08:00+01:00"


def check(settings: Settings, raw: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with who takes part, and when; ``raw`` is the document that the settings are from."""
    layers, holdouts = (tuple(map(str, _mapping(raw, name))) for name in ("layers", "holdouts"))
    for kind, records in (("layers", settings.layers), ("holdouts", settings.holdouts)):
        for name, record in records.items():
            if not fullmatch(r"[A-Za-z0-9_-]{1,32}", name):
                yield Problem((kind, name), ABSENT, "is no usable name", "1 to 32 of A-Za-z0-9_-")
            if record.salt is not None and not fullmatch(_SALT, record.salt):
                yield Problem((kind, name, "salt"), record.salt, "is no salt", "1 to 64 of A-Za-z0-9_.:-")
    for name, holdout in settings.holdouts.items():
        yield from _share(holdout.share, ("holdouts", name, "share"))
    experiments = _mapping(raw, "experiments")
    for name, experiment in settings.experiments.items():
        path: Path = ("experiments", name)
        source = experiments.get(name)
        variants = tuple(map(str, _mapping(source, "variants")))
        written = _mapping(source, "audience").get("part")
        known = (layers, holdouts, variants)
        yield from _audience(experiment.audience, written, known, (*path, "audience"))
        if experiment.schedule is not None:
            yield from _schedule(experiment.schedule, (*path, "schedule"))
        yield from _fallback(experiment, variants, (*path, "fallback"))
    for layer in settings.layers:
        yield from _layer(settings, layer)


def _audience(
    audience: Audience, written: object, known: tuple[Sequence[str], Sequence[str], Sequence[str]], path: Path
) -> Iterator[Problem]:
    layers, holdouts, variants = known
    if audience.when is not None:
        yield from _when(audience.when, (*path, "when"))
    if audience.layer is not None and audience.layer not in layers:
        yield unknown((*path, "layer"), audience.layer, "layer", layers)
    if isinstance(written, list):
        part = audience.part
        if len(written) != 2 or (len(part) == 2 and not 0 <= part[0] < part[1] <= 1):
            allowed = "[from, to) with 0 <= from < to <= 1"
            yield Problem((*path, "part"), list(part), "is no part of a layer", allowed)
        if audience.layer is None and audience.part != (0.0, 1.0):
            yield Problem((*path, "part"), list(part), "is a part of no layer", "a part beside a layer")
    yield from _share(audience.share, (*path, "share"))
    for index, name in enumerate(audience.holdouts):
        here: Path = (*path, "holdouts", index)
        if name not in holdouts:
            yield unknown(here, name, "hold-out", holdouts)
        if name in audience.holdouts[:index]:
            yield Problem(here, name, "is there twice", "each hold-out once")
    given: dict[str, str] = {}
    for variant, units in audience.forced.items():
        here = (*path, "forced", variant)
        if variant not in variants:
            yield unknown(here, ABSENT, "variant of this experiment", variants, variant)
        for index, unit in enumerate(units):
            if not unit:
                yield Problem((*here, index), unit, "is empty", "a unit's text")
            if given.setdefault(unit, variant) != variant:
                wrong = f"gets {given[unit]} already"
                yield Problem((*here, index), unit, wrong, "each unit in one variant")


def _when(text: str, path: Path) -> Iterator[Problem]:
    try:
        condition = compiled(text)
    except UnusableCondition as error:
        found = search(r"undeclared reference to '([^']*)'", error.why)
        near = unknown(path, text, "name", VARIABLES, found[1]).nearest if found else None
        wrong = f"cannot be used, line {error.line}, column {error.column}: {error.why}"
        yield Problem(path, text, wrong, _CONDITION, near)
        return
    for header in condition.headers:
        if unreadable(header):
            wrong = f"reads {header!r}, which is handled by the router itself"
            yield Problem(path, text, wrong, "headers that the router only passes on, host and cookie")


def _share(share: float, path: Path) -> Iterator[Problem]:
    if not 0 <= share <= 1:
        yield Problem(path, share, "is no share", "a number from 0 to 1")


def _schedule(schedule: Schedule, path: Path) -> Iterator[Problem]:
    moments = {}
    for name in ("start", "end"):
        text = getattr(schedule, name)
        if text is None:
            continue
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            yield Problem((*path, name), text, "is no time", _MOMENT)
            continue
        if moment.tzinfo is None:
            yield Problem((*path, name), text, "has no offset from UTC", _MOMENT)
            continue
        moments[name] = moment
    if len(moments) == 2 and not moments["start"] < moments["end"]:
        yield Problem((*path, "end"), schedule.end, "is not after the start", "a time after the start")


def _fallback(experiment: Experiment, variants: Sequence[str], path: Path) -> Iterator[Problem]:
    name = experiment.fallback
    if name is None:
        return
    if name not in variants:
        yield unknown(path, name, "variant of this experiment", variants)
        return
    arms = experiment.variants
    if name in arms and all(arm.backend == arms[name].backend for arm in arms.values()):
        wrong = "has the backend that all the others have"
        yield Problem(path, name, wrong, "a variant whose backend can stand in for another one")


def _layer(settings: Settings, layer: str) -> Iterator[Problem]:
    """Running experiments of one layer share no unit: they have units of one kind, and parts of their own."""
    members = [
        (name, experiment)
        for name, experiment in settings.experiments.items()
        if experiment.running and experiment.audience.layer == layer and len(experiment.audience.part) == 2
    ]
    for name, experiment in members[1:]:
        first, other = members[0]
        if experiment.unit != other.unit:
            wrong = f"is another one than that of {first}, which is in the layer {layer}, too"
            allowed = "the same unit for all running experiments of a layer"
            yield Problem(("experiments", name, "unit"), ABSENT, wrong, allowed)
    ordered = sorted(members, key=lambda member: member[1].audience.part)
    for (one, before), (name, after) in pairwise(ordered):
        if before.audience.part[1] > after.audience.part[0]:
            place = dotted(("experiments", one))
            wrong = f"overlaps with {list(before.audience.part)} of {place} in the layer {layer}"
            allowed = "parts of a layer that share no unit"
            path = ("experiments", name, "audience", "part")
            yield Problem(path, list(after.audience.part), wrong, allowed)


def _mapping(data: object, name: str) -> Mapping[str, Any]:
    inner = data.get(name) if isinstance(data, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}
