"""Which state follows, when the settings or the plans change?

A version is opened when anything changed, an epoch when what an experiment's evidence means has changed: who
is randomised, into what, and with which weights. Both are decided here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from math import inf

from msgspec.structs import replace

from policies.plan import Plan
from router.experiment_policy import check_plan, first_plan
from router.problems import InvalidConfiguration
from router.settings import Experiment, Holdout, Layer, Schedule, Settings
from router.state import Epoch, Progress, State


def advance(
    previous: State | None,
    settings: Settings,
    now: float,
    *,
    key: bytes | None = None,
    planned: Mapping[str, Plan] | None = None,
) -> State:
    """The next state; ``previous`` itself where nothing changed.

    ``planned`` holds the plans that policies have made, by experiment; one that is not named there gets its
    policy's first. ``key`` signs tokens; without one the previous state's is kept. A running experiment whose
    plan, variants, unit or audience changed, or that was started, gets a new epoch from ``now`` (unix
    seconds) on. One that was stopped or removed keeps the record of its last epoch, closed: late outcomes
    still belong there, and when it comes back its numbers go on, so that new evidence never falls into an old
    epoch. Raises `ValueError` where there is neither ``previous`` nor ``key``, and where a plan's weights are
    not the variants' and their copies'; `InvalidConfiguration` where a first plan cannot be made. But one
    whose schedule begins by itself stays asleep then, so that it holds nothing else up.
    """
    if key is None:
        if previous is None:
            raise ValueError("the first state needs a key; allowed: the bytes that sign tokens")
        key = previous.key
    epochs = dict(previous.epochs) if previous else {}
    progress = {
        name: each
        for name, each in (previous.progress if previous else {}).items()
        if name in settings.experiments
    }
    asleep = []
    for name, experiment in settings.experiments.items():
        if not experiment.running:
            continue
        if not _due(experiment.schedule, now):
            asleep.append(name)
            continue
        plan = (planned or {}).get(name)
        if plan is None:
            try:
                plan = first_plan(name, experiment, now)
            except InvalidConfiguration:
                was = previous.settings.experiments.get(name) if previous else None
                if previous is None or name not in previous.asleep or was != experiment:
                    raise
                asleep.append(name)  # its time came, and nobody asked: what else there is goes on
                continue
            progress.pop(name, None)
        else:
            check_plan(name, plan, experiment)
        if plan.progress or plan.findings:
            progress[name] = _progress(progress.get(name), plan, now)
        last = epochs.get(name)
        was = previous.settings.experiments.get(name) if previous else None
        slept = previous is not None and name in previous.asleep
        redrawn = previous is not None and _drawn_by(previous.settings, was) != _drawn_by(settings, was)
        reasons = list(_reasons(last, was, experiment, plan, slept=slept, redrawn=redrawn))
        if reasons:
            epochs[name] = Epoch(
                number=last.number + 1 if last else 1,
                # Where the clock was set back: what is asked of the epochs since a time is to miss none.
                started=max(now, last.started) if last else now,
                salt=plan.salt,
                weights=dict(plan.weights),
                why="; ".join([plan.why, *reasons] if plan.why else reasons),
                copies=dict(plan.copies),
                draw=plan.draw,
                rule=None if plan.rule is None else dict(plan.rule),
            )

    following = State(
        version=1, settings=settings, epochs=epochs, key=key, progress=progress, asleep=tuple(asleep)
    )
    if previous is None:
        return following
    following = replace(following, version=previous.version, endings=previous.endings, files=previous.files)
    return previous if following == previous else replace(following, version=previous.version + 1)


def standing(state: State, name: str) -> Plan:
    """The plan an experiment is in, with what its policy said of it: `advance` by it changes nothing."""
    plan = state.epochs[name].plan
    said = state.progress.get(name)
    if said is None:
        return plan
    return Plan(
        plan.salt, plan.weights, plan.copies, plan.draw, plan.rule, said.why, said.findings, said.notes
    )


def next_due(state: State, now: float) -> float:
    """When a schedule next starts or ends a running experiment, in unix seconds; infinite where none does."""
    moments = [
        moment
        for experiment in state.settings.experiments.values()
        if experiment.running and experiment.schedule is not None
        for moment in (_moment(experiment.schedule.start), _moment(experiment.schedule.end))
        if moment is not None and moment > now
    ]
    return min(moments, default=inf)


def overdue(state: State, now: float) -> tuple[str, ...]:
    """The experiments that are asleep beyond their schedule's start: they have no first plan."""
    return tuple(name for name in state.asleep if _due(state.settings.experiments[name].schedule, now))


def _due(schedule: Schedule | None, now: float) -> bool:
    if schedule is None:
        return True
    start, end = _moment(schedule.start), _moment(schedule.end)
    return (start is None or start <= now) and (end is None or now < end)


def _moment(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()


def _progress(last: Progress | None, plan: Plan, now: float) -> Progress:
    """What is to be kept; the last, with its time, where the policy says the same again."""
    said = Progress(at=now, why=plan.why, notes=dict(plan.progress), findings=dict(plan.findings))
    return last if last is not None and replace(said, at=last.at) == last else said


def _drawn_by(settings: Settings, experiment: Experiment | None) -> tuple[Layer | Holdout | None, ...]:
    """What draws who takes part, beside the experiment itself."""
    if experiment is None:
        return ()
    audience = experiment.audience
    layer = None if audience.layer is None else settings.layers.get(audience.layer)
    return (layer, *(settings.holdouts.get(name) for name in audience.holdouts))


def _reasons(
    last: Epoch | None,
    was: Experiment | None,
    experiment: Experiment,
    plan: Plan,
    *,
    slept: bool,
    redrawn: bool,
) -> Iterator[str]:
    """Why a running experiment's evidence starts anew; nothing where it goes on."""
    if last is None:
        yield "first epoch"
        return
    if was is None:
        yield "experiment is back"
    elif not was.running:
        yield "experiment was started"
    elif slept:
        yield "experiment is due"
    if last.salt != plan.salt:
        yield f"salt {last.salt} -> {plan.salt}"
    for name in sorted({*last.weights, *plan.weights}):
        old, new = last.weights.get(name), plan.weights.get(name)
        if old is None:
            yield f"variant {name} is new, weight {new:g}"
        elif new is None:
            yield f"variant {name} is gone"
        elif old != new:
            yield f"weight of {name} {old:g} -> {new:g}"
    if last.copies != plan.copies:
        yield "copies changed"
    if last.draw != plan.draw:
        yield f"draw by {last.draw} -> by {plan.draw}"
    if last.rule != plan.rule:
        yield "rule changed"
    if was is not None:
        for name, variant in experiment.variants.items():
            if name in was.variants and was.variants[name].backend != variant.backend:
                yield f"backend of {name} {was.variants[name].backend} -> {variant.backend}"
        if was.unit != experiment.unit:
            yield "unit changed"
        if was.audience != experiment.audience:
            yield "audience changed"
        elif redrawn:
            yield "layer or hold-out changed"
