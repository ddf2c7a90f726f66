"""Which edit of the state does each of an operator's wishes become?

Pure: each is given the state in force and says what shall be different, or raises and nothing is.

*Pause*: the weights stay, nobody is assigned, and the route's own backend serves. *Start* opens a new epoch.
*Stop* with a winner ends the experiment and makes the winner's backend that of every route that names it, so
that its traffic stays where the decision put it. *Archive* hides what is not running and takes it off its
routes; its definition and its evidence stay, and its report can be read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from msgspec.structs import replace

from router.config_file import read_settings
from router.control.changes import Edit
from router.control.difference import plain
from router.errors import TurnoutError
from router.problems import ABSENT, InvalidConfiguration, Path, Problem, listed, unknown
from router.settings import Experiment, Route, Settings
from router.state import Ending, State


class NotFound(TurnoutError):
    """There is no such thing."""

    status = 404


class Conflict(TurnoutError):
    """It cannot be done as things are."""

    status = 409


class InvalidBody(InvalidConfiguration):
    """A configuration that would be wrong with this part of it; ``prefix`` is the part's place in it."""

    def __init__(self, error: InvalidConfiguration, prefix: Path) -> None:
        super().__init__(error.problems)
        self.prefix = prefix
        if not any(problem.path[: len(prefix)] == prefix for problem in self.problems):
            # Nothing is wrong with the part: the rest of the configuration cannot be without what it was.
            self.status = 409


def found(kind: str, names: Mapping[str, Any], name: str) -> Any:
    """The thing of this name; `NotFound` with the names there are."""
    if name not in names:
        raise NotFound(f"there is no {kind} {name!r}; there are: {listed(list(names))}")
    return names[name]


def experiment_of(state: State, name: str) -> Experiment:
    """The experiment of this name, archived or not; `NotFound` else."""
    experiment: Experiment = found("experiment", state.settings.experiments, name)
    return experiment


def set_part(state: State, collection: str, name: str, value: object) -> Edit:
    """A backend or an experiment as this plain data says; what was ended before is so no more.

    An experiment that is paused stays so, unless the data says ``running``.
    """
    whole = plain(state.settings)
    created = name not in whole[collection]
    whole[collection][name] = value
    if collection == "experiments" and name not in state.endings:
        whole = _resting(whole, unspoken(state, whole))
    endings = state.endings
    if collection == "experiments":
        endings = {each: ending for each, ending in endings.items() if each != name}
    return Edit(_read(whole, (collection, name)), endings, created=created)


def remove_backend(state: State, name: str) -> Edit:
    """The settings without a backend; `InvalidBody` with status 409 while something uses it."""
    found("backend", state.settings.backends, name)
    whole = plain(state.settings)
    del whole["backends"][name]
    return Edit(_read(whole, ("backends", name)), state.endings)


def set_routes(state: State, data: object) -> Edit:
    """All routes at once, as this plain data, ``{"routes": [...]}``, says."""
    if not isinstance(data, dict) or data.keys() != {"routes"}:
        raise InvalidConfiguration([Problem((), ABSENT, "does not fit", "an object with routes alone")])
    return Edit(_read(plain(state.settings) | data, ()), state.endings)


def set_configuration(state: State, data: object, *, prune: bool) -> Edit:
    """The whole configuration; what it does not name stays as it is, unless ``prune``.

    Routes are the same when their paths are. What an operator has paused or ended stays so, unless the
    configuration says ``running`` of it; an experiment of which it does has no ending any more, if it is
    another than it was.
    """
    resting = unspoken(state, data)
    wanted = _resting(data, resting)
    if isinstance(wanted, dict) and not prune:
        wanted = _merged(plain(state.settings), wanted)
    settings = _read(wanted, ())
    endings = {
        name: ending
        for name, ending in state.endings.items()
        if name in resting or settings.experiments.get(name) == state.settings.experiments[name]
    }
    return Edit(settings, endings)


def unspoken(state: State, data: object) -> tuple[str, ...]:
    """The experiments that do not run, and that a configuration, as plain data, names without ``running``.

    A file that was written before a pause must not end it: by what it leaves out it says nothing.
    """
    named = data.get("experiments") if isinstance(data, dict) else None
    if not isinstance(named, dict):
        return ()
    return tuple(
        name
        for name, experiment in state.settings.experiments.items()
        if not experiment.running and isinstance(each := named.get(name), dict) and "running" not in each
    )


def _resting(data: Any, names: Collection[str]) -> Any:
    """The configuration, as plain data, in which these experiments do not run."""
    if not names:
        return data
    experiments = data["experiments"]
    resting = {name: {**experiments[name], "running": False} for name in names}
    return {**data, "experiments": {**experiments, **resting}}


def set_weights(state: State, name: str, weights: Mapping[str, float]) -> Edit:
    """An experiment with these weights and no others: each of its variants has one."""
    experiment = experiment_of(state, name)
    problems = [
        unknown(("weights", each), ABSENT, "variant of this experiment", experiment.variants, each)
        for each in weights
        if each not in experiment.variants
    ]
    problems += [
        Problem(("weights", each), ABSENT, "is missing", "a weight for each variant; 0 pauses one")
        for each in experiment.variants
        if each not in weights
    ]
    if problems:
        raise InvalidConfiguration(problems)
    whole = plain(state.settings)
    for each, weight in weights.items():
        whole["experiments"][name]["variants"][each]["weight"] = weight
    return Edit(_read_weights(whole, name), state.endings)


def start(state: State, name: str) -> Edit:
    """An experiment that assigns again, from a new epoch on."""
    experiment = experiment_of(state, name)
    ending = state.endings.get(name)
    if ending is not None and ending.archived:
        raise Conflict(f"experiment {name!r} is archived, and no route names it; allowed: to replace it")
    others = {each: other for each, other in state.endings.items() if each != name}
    return Edit(_with(state.settings, name, replace(experiment, running=True)), others)


def pause(state: State, name: str) -> Edit:
    """An experiment that keeps its weights and assigns nobody."""
    experiment = experiment_of(state, name)
    return Edit(_with(state.settings, name, replace(experiment, running=False)), state.endings)


def stop(state: State, name: str, winner: str, now: float) -> Edit:
    """An experiment that has ended, and its routes served by the winner's backend."""
    experiment = experiment_of(state, name)
    if winner not in experiment.variants:
        raise InvalidConfiguration(
            [unknown(("winner",), winner, "variant of this experiment", experiment.variants)]
        )
    ending = state.endings.get(name)
    if not experiment.running and ending is not None and (ending.archived or ending.winner == winner):
        return Edit(state.settings, state.endings)
    backend = experiment.variants[winner].backend
    settings = _with(state.settings, name, replace(experiment, running=False))
    routes = tuple(
        replace(route, backend=backend) if name in route.experiments else route for route in settings.routes
    )
    return Edit(replace(settings, routes=routes), {**state.endings, name: Ending(at=now, winner=winner)})


def archive(state: State, name: str, now: float) -> Edit:
    """An experiment that is hidden from lists, and on no route; `Conflict` while it runs."""
    experiment = experiment_of(state, name)
    if experiment.running:
        raise Conflict(f"experiment {name!r} runs; allowed: to stop or pause it first")
    ending = state.endings.get(name) or Ending(at=now)
    routes = tuple(
        _without(route, name) if name in route.experiments else route for route in state.settings.routes
    )
    return Edit(
        replace(state.settings, routes=routes), {**state.endings, name: replace(ending, archived=True)}
    )


def _without(route: Route, name: str) -> Route:
    rest = tuple(each for each in route.experiments if each != name)
    return replace(route, experiment=rest[0] if len(rest) == 1 else rest or None)


def _with(settings: Settings, name: str, experiment: Experiment) -> Settings:
    return replace(settings, experiments={**settings.experiments, name: experiment})


def _merged(present: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """What is wanted, and after it what it does not name."""
    merged = {**present, **wanted}
    for collection in ("backends", "experiments", "layers", "holdouts", "shadows"):
        if isinstance(wanted.get(collection), dict):
            merged[collection] = {**present[collection], **wanted[collection]}
    routes = wanted.get("routes")
    if isinstance(routes, list):
        named = {str(route.get("path")).rstrip("/") for route in routes if isinstance(route, dict)}
        kept = [route for route in present["routes"] if route["path"].rstrip("/") not in named]
        merged["routes"] = [*routes, *kept]
    return merged


def _read(whole: object, part: Path) -> Settings:
    try:
        return read_settings(whole)
    except InvalidConfiguration as error:
        raise InvalidBody(error, part) from None


def _read_weights(whole: object, name: str) -> Settings:
    """A weight's problem is at ``/weights/VARIANT`` of the request."""
    prefix: Path = ("experiments", name, "variants")
    try:
        return read_settings(whole)
    except InvalidConfiguration as error:
        problems = [
            dataclasses.replace(problem, path=("weights", *problem.path[3:4]))
            for problem in error.problems
            if problem.path[:3] == prefix
        ]
        raise InvalidConfiguration(problems or error.problems) from None
