"""What would the service do with these settings?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from msgspec import Struct

from router.audience_words import audience_lines, audience_warnings
from router.experiment_policy import allocation_of
from router.settings import Experiment, Metric, Settings, UnitSource

# A policy that goes by steps of its own, and does not read the weights.
_BY_STEPS = "canary"


class RouteLine(Struct, frozen=True, kw_only=True):
    """A route, in the order in which routes are tried: ``served`` is where its requests go."""

    path: str
    served: str


class VariantLine(Struct, frozen=True, kw_only=True):
    """A variant; ``share`` of the units, from 0 to 1, and what its policy's first plan makes of it."""

    name: str
    backend: str
    weight: float
    share: float
    control: bool
    begins: float | None = None


class ExperimentLine(Struct, frozen=True, kw_only=True):
    """An experiment, in words where a table has no column for it."""

    name: str
    running: bool
    policy: str
    salt: str
    unit: tuple[str, ...]
    without_unit: str
    variants: tuple[VariantLine, ...]
    metrics: tuple[str, ...]
    audience: tuple[str, ...] = ()


class Description(Struct, frozen=True, kw_only=True):
    """Routes in matching order, experiments, and what is allowed but was perhaps not meant."""

    routes: tuple[RouteLine, ...]
    experiments: tuple[ExperimentLine, ...]
    warnings: tuple[str, ...]


def describe(settings: Settings) -> Description:
    """The description of settings that `router.config_file` accepted."""
    longest_first = sorted(settings.routes, key=lambda route: (-len(route.path.rstrip("/")), route.path))
    return Description(
        routes=tuple(
            RouteLine(path=route.path, served=_served(settings, route.experiments, route.backend))
            for route in longest_first
        ),
        experiments=tuple(_experiment(name, each) for name, each in settings.experiments.items()),
        warnings=tuple(_warnings(settings)),
    )


def _served(settings: Settings, experiments: tuple[str, ...], backend: str) -> str:
    running = [name for name in experiments if settings.experiments[name].running]
    stopped = [name for name in experiments if name not in running]
    if not experiments:
        return f"backend {backend}"
    noun = "experiment" if len(experiments) == 1 else "experiments"
    if not running:
        return (
            f"backend {backend} ({noun} {', '.join(stopped)} {'is' if len(stopped) == 1 else 'are'} stopped)"
        )
    rest = f"{', '.join(stopped)} stopped; " if stopped else ""
    everybody = not any(audience_lines(settings.experiments[name]) for name in experiments)
    alone = "it is stopped" if everybody else "it is stopped, or for those who do not take part"
    when = alone if len(experiments) == 1 else "none takes part"
    return f"{noun} {', '.join(running)} ({rest}backend {backend} when {when})"


def _experiment(name: str, experiment: Experiment) -> ExperimentLine:
    allocation = allocation_of(name, experiment)
    total = sum(allocation.weights.values())
    return ExperimentLine(
        name=name,
        running=experiment.running,
        policy=str(experiment.policy["kind"]),
        salt=allocation.salt,
        unit=tuple(_source(source) for source in experiment.unit),
        without_unit=_without_unit(experiment),
        variants=tuple(
            VariantLine(
                name=variant,
                backend=arm.backend,
                weight=arm.weight,
                share=arm.weight / total,
                control=variant == experiment.control,
            )
            for variant, arm in experiment.variants.items()
        ),
        metrics=tuple(_metric(metric) for metric in experiment.metrics),
        audience=audience_lines(experiment),
    )


def _source(source: UnitSource) -> str:
    return next(
        f"{name} {value}" for name in source.__struct_fields__ if (value := getattr(source, name)) is not None
    )


def _without_unit(experiment: Experiment) -> str:
    if experiment.cookie is None:
        return "assigned at random, anew for each request, and marked as having no unit"
    days = experiment.cookie.max_age / 86400
    return (
        f"assigned at random, marked as having no unit, and given the cookie {experiment.cookie.name} "
        f"for {days:g} days, which is its unit from the next request on"
    )


def _metric(metric: Metric) -> str:
    parts = [f"{metric.name}: {metric.kind} per {metric.per}, goal {metric.goal}"]
    if metric.minimum is not None:
        parts.append(f"from {metric.minimum:g}")
    if metric.maximum is not None:
        parts.append(f"to {metric.maximum:g}")
    if metric.margin is not None:
        parts.append(f"margin {metric.margin:g}")
    if metric.guardrail:
        parts.append("guardrail")
    return ", ".join(parts)


def _warnings(settings: Settings) -> Iterator[str]:
    if not settings.routes:
        yield "there are no routes: every request is answered with 404"
    for name, experiment in settings.experiments.items():
        yield from _experiment_warnings(name, experiment)
        if all(name not in route.experiments for route in settings.routes):
            yield f"experiment {name}: no route names it, so no request takes part"
    yield from audience_warnings(settings)
    used = {each.backend for each in settings.routes} | {each.backend for each in settings.shadows.values()}
    used |= {variant.backend for each in settings.experiments.values() for variant in each.variants.values()}
    for name in settings.shadows:
        if all(name not in route.shadows for route in settings.routes):
            yield f"shadow {name}: no route names it, so it gets no copies"
    for name in settings.backends:
        if name not in used:
            yield f"backend {name}: no route, variant or shadow uses it"
    for (one, first), (other, second) in combinations(settings.experiments.items(), 2):
        if (first.salt or one) == (second.salt or other):
            yield f"experiments {one} and {other} have the same salt: their assignments are not independent"


def _experiment_warnings(name: str, experiment: Experiment) -> Iterator[str]:
    if not experiment.running:
        yield f"experiment {name}: is stopped; its routes are served by their own backends"
    steps = experiment.policy["kind"] == _BY_STEPS
    alive = [variant for variant, arm in experiment.variants.items() if steps or arm.weight > 0]
    for variant in experiment.variants:
        if variant in alive:
            continue
        extra = ", so there is nothing to compare with" if variant == experiment.control else ""
        control = "the control " if variant == experiment.control else ""
        yield f"experiment {name}: {control}{variant} has weight 0 and gets no request{extra}"
    if len(alive) == 1:
        yield f"experiment {name}: every request goes to {alive[0]}"
    if not experiment.metrics:
        yield f"experiment {name}: has no metrics; only errors and latency will be compared"
