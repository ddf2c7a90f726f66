"""Which state follows, when the settings or the plans change?

A version is opened when anything changed, an epoch when what an experiment's evidence means has changed: who
is randomised, into what, and with which weights. Both are decided here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from router.settings import Experiment, Settings
from router.state import Epoch, State


def advance(
    previous: State | None,
    settings: Settings,
    now: float,
    *,
    key: bytes | None = None,
    planned: Mapping[str, Mapping[str, float]] | None = None,
) -> State:
    """The next state; ``previous`` itself where nothing changed.

    ``planned`` holds the weights that policies decided, by experiment; an experiment that is not named there
    has the weights of its settings. ``key`` signs tokens; without one the previous state's is kept. A running
    experiment whose weights, variants, salt or unit changed, or that was started, gets a new epoch from
    ``now`` (unix seconds) on. One that was stopped or removed keeps the record of its last epoch, closed:
    late outcomes still belong there, and when it comes back its numbers go on, so that new evidence never
    falls into an old epoch. Raises `ValueError` where there is neither ``previous`` nor ``key``, and where
    planned weights are not those of the experiment's variants.
    """
    if key is None:
        if previous is None:
            raise ValueError("the first state needs a key; allowed: the bytes that sign tokens")
        key = previous.key
    epochs = dict(previous.epochs) if previous else {}
    for name, experiment in settings.experiments.items():
        if not experiment.running:
            continue
        own = {variant: arm.weight for variant, arm in experiment.variants.items()}
        weights = dict((planned or {}).get(name, own))
        if weights.keys() != own.keys():
            raise ValueError(f"plan of {name!r} has weights for {sorted(weights)}; allowed: {sorted(own)}")
        last = epochs.get(name)
        was = previous.settings.experiments.get(name) if previous else None
        why = "; ".join(_reasons(last, was, experiment, experiment.salt or name, weights))
        if why:
            number = last.number + 1 if last else 1
            salt = experiment.salt or name
            epochs[name] = Epoch(number=number, started=now, salt=salt, weights=weights, why=why)

    if previous is not None and (settings, epochs, key) == (previous.settings, previous.epochs, previous.key):
        return previous
    if previous is None:
        return State(version=1, settings=settings, epochs=epochs, key=key)
    return replace(previous, version=previous.version + 1, settings=settings, epochs=epochs, key=key)


def _reasons(
    last: Epoch | None,
    was: Experiment | None,
    experiment: Experiment,
    salt: str,
    weights: Mapping[str, float],
) -> Iterator[str]:
    """Why a running experiment's evidence starts anew; nothing where it goes on."""
    if last is None:
        yield "first epoch"
        return
    if was is None:
        yield "experiment is back"
    elif not was.running:
        yield "experiment was started"
    if last.salt != salt:
        yield f"salt {last.salt} -> {salt}"
    for name in sorted({*last.weights, *weights}):
        old, new = last.weights.get(name), weights.get(name)
        if old is None:
            yield f"variant {name} is new, weight {new:g}"
        elif new is None:
            yield f"variant {name} is gone"
        elif old != new:
            yield f"weight of {name} {old:g} -> {new:g}"
    if was is not None:
        for name, variant in experiment.variants.items():
            if name in was.variants and was.variants[name].backend != variant.backend:
                yield f"backend of {name} {was.variants[name].backend} -> {variant.backend}"
        if was.unit != experiment.unit:
            yield "unit changed"
