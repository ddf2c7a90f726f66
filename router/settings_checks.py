"""Which settings have the right types and still cannot be used?

One function for each kind of record; it is given the record, the data that it was read from (in which
nothing has been left out yet, so that positions and names are the file's), its path, and the names that the
file declares. It says what is wrong, and nothing where all is well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from re import fullmatch
from typing import Any
from urllib.parse import urlsplit

from router import audience_checks, metric_priors, shadow_checks
from router.experiment_policy import has_metrics, policy_of, policy_with_parameters
from router.handled_headers import names_no_unit
from router.problems import ABSENT, InvalidConfiguration, Path, Problem, unknown
from router.settings import (
    Analysis,
    Backend,
    Duration,
    Experiment,
    Limits,
    Metric,
    Route,
    Settings,
    Size,
    UnitCookie,
    UnitSource,
    Variant,
)

_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}"
_PATH = r"/[A-Za-z0-9/._~!$&'()*+,;=:@%-]*"
_POINTER = r"(/([^~/]|~0|~1)*)+"
_HOST = r"[A-Za-z0-9._:-]+"
_OWN_PATH = "/_turnout"
_REPORTED = frozenset({"error_share"}) | {
    f"{latency}_{figure}"
    for latency in ("first_byte", "last_byte")
    for figure in ("mean", "p50", "p90", "p95", "p99")
}
"""The report's own metrics: errors and latencies."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a file declares, also of what could not be read."""

    backends: tuple[str, ...]
    experiments: tuple[str, ...]

    @classmethod
    def of(cls, data: object) -> Names:
        """The names in a document of any shape."""
        return cls(tuple(_keys(data, "backends")), tuple(_keys(data, "experiments")))


def check(names: Names, record: object, raw: Mapping[str, Any], path: Path) -> Iterable[Problem]:
    """What is wrong with a record; nothing for those without rules."""
    rules = _RULES.get(type(record))
    return rules(names, record, raw, path) if rules else ()


def _settings(names: Names, settings: Settings, raw: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    yield from _named(names.backends, ("backends",), "A-Za-z0-9_.-", 64)
    yield from _named(names.experiments, ("experiments",), "A-Za-z0-9_-", 32)
    yield from _unique(raw.get("routes"), ("routes",), "path", lambda route: route.rstrip("/"))
    yield from shadow_checks.check(settings, raw)
    yield from audience_checks.check(settings, raw)


def _backend(names: Names, backend: Backend, raw: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    many = not isinstance(backend.url, str)
    if not backend.addresses:
        yield Problem((*path, "url"), [], "is empty", "at least one address")
    for index, address in enumerate(backend.addresses):
        here = (*path, "url", index) if many else (*path, "url")
        yield from _address(address, here)
        if address in backend.addresses[:index]:
            yield Problem(here, address, "is there twice", "each address once")
    yield from _positive(backend, path)
    yield from _at_least(backend, path, {"max_connections": 1, "max_waiting": 0})


def _address(address: str, path: Path) -> Iterator[Problem]:
    allowed = "http://HOST or http://HOST:PORT"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        yield Problem(path, address, f"is no address: {error}", allowed)
        return
    if parts.scheme != "http":
        yield Problem(path, address, f"has the scheme {parts.scheme!r}, which is not supported", allowed)
    elif not parts.hostname or not fullmatch(r"[!-~]+", address) or not fullmatch(_HOST, parts.hostname):
        yield Problem(path, address, "has no usable host", allowed)
    elif port == 0:
        yield Problem(path, address, "has the port 0", allowed)
    elif parts.username is not None:
        yield Problem(path, address, "has a user name or password, which is not supported", allowed)
    elif parts.path not in ("", "/") or parts.query or parts.fragment or address.endswith(("?", "#")):
        wrong = "has a path, but the client's own path is what the backend gets"
        yield Problem(path, address, wrong, allowed)


def _route(names: Names, route: Route, raw: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    here = (*path, "path")
    if not fullmatch(_PATH, route.path):
        allowed = "a path that starts with '/', of letters, digits and ._~!$&'()*+,;=:@%-"
        yield Problem(here, route.path, "is no path", allowed)
    elif route.path == _OWN_PATH or route.path.startswith(_OWN_PATH + "/"):
        yield Problem(here, route.path, "is the service's own", f"a path that is not under {_OWN_PATH}/")
    yield from _reference(names.backends, (*path, "backend"), route.backend, "backend")
    many = not isinstance(route.experiment, str)
    for index, name in enumerate(route.experiments):
        here = (*path, "experiment", index) if many else (*path, "experiment")
        yield from _reference(names.experiments, here, name, "experiment")


def _unit_source(names: Names, source: UnitSource, raw: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    given = [name for name in source.__struct_fields__ if getattr(source, name) is not None]
    if len(given) != 1:
        wrong = f"gives {' and '.join(given) or 'nothing'}"
        yield Problem(path, ABSENT, wrong, f"exactly one of {', '.join(source.__struct_fields__)}")
        return
    if source.header is not None:
        yield from _token(source.header, (*path, "header"), "header's name")
        if names_no_unit(source.header):
            allowed = "a header that the router only passes on; for a cookie write {cookie: NAME}"
            yield Problem((*path, "header"), source.header, "is handled by the router itself", allowed)
    if source.cookie is not None:
        yield from _token(source.cookie, (*path, "cookie"), "cookie's name")
    if source.query == "":
        yield Problem((*path, "query"), "", "is empty", "the name of a query parameter")
    if source.json is not None and not fullmatch(_POINTER, source.json):
        allowed = "a JSON pointer (RFC 6901) that starts with '/', with ~0 for ~ and ~1 for / in a name"
        yield Problem((*path, "json"), source.json, "is no JSON pointer", allowed)


def _cookie(names: Names, cookie: UnitCookie, raw: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    yield from _token(cookie.name, (*path, "name"), "cookie's name")
    yield from _positive(cookie, path)


def _variant(names: Names, variant: Variant, raw: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    yield from _reference(names.backends, (*path, "backend"), variant.backend, "backend")
    if not 0 <= variant.weight < float("inf"):
        yield Problem((*path, "weight"), variant.weight, "is no weight", "a finite number, 0 or more")


def _metric(names: Names, metric: Metric, raw: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    yield from _named([metric.name], path, "A-Za-z0-9_-", 48, "name")
    if metric.name in _REPORTED:
        wrong = "is what the report itself calls one of its figures"
        yield Problem((*path, "name"), metric.name, wrong, f"other names than {', '.join(sorted(_REPORTED))}")
    if metric.margin is not None and not metric.margin > 0:
        yield Problem((*path, "margin"), metric.margin, "is not above 0", "more than 0")
    if metric.guardrail and metric.margin is None:
        yield Problem((*path, "margin"), ABSENT, "is missing", "for a guardrail, the harm that it tolerates")
    bounds = (metric.minimum, metric.maximum, metric.cap)
    if metric.kind == "binary" and bounds != (None, None, None):
        yield Problem(path, ABSENT, "bounds a binary metric", "minimum, maximum and cap for kind mean only")
    elif metric.minimum is not None and metric.maximum is not None and metric.minimum >= metric.maximum:
        wrong = f"is not above the minimum, {metric.minimum:g}"
        yield Problem((*path, "maximum"), metric.maximum, wrong, "a maximum above the minimum")
    elif metric.cap is not None:
        low, high = metric.minimum, metric.maximum
        if (low is not None and metric.cap <= low) or (high is not None and metric.cap >= high):
            wrong = "cuts all values or none"
            yield Problem((*path, "cap"), metric.cap, wrong, "a cap between minimum and maximum")
    yield from metric_priors.check(metric, path)


def _analysis(names: Names, analysis: Analysis, raw: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    for name in ("alpha", "srm_alpha"):
        level = getattr(analysis, name)
        if not 0 < level < 0.5:
            yield Problem((*path, name), level, "is no level", "a number above 0 and below 0.5")
    share = analysis.max_immature_share
    if not 0 <= share <= 1:
        yield Problem((*path, "max_immature_share"), share, "is no share", "a number from 0 to 1")
    yield from _at_least(analysis, path, {"planned_units": 1, "tuning_units": 1})


def _experiment(
    names: Names, experiment: Experiment, raw: Mapping[str, Any], path: Path
) -> Iterator[Problem]:
    variants = tuple(_keys(raw, "variants"))
    yield from _named(variants, (*path, "variants"), "A-Za-z0-9_-", 24)
    yield from _unique(raw.get("metrics"), (*path, "metrics"), "name")
    if not raw["unit"]:
        yield Problem((*path, "unit"), ABSENT, "is empty", "at least one of header, cookie, json, query")
    if not variants:
        yield Problem((*path, "variants"), ABSENT, "is empty", "at least one variant")
        return
    yield from _reference(variants, (*path, "control"), experiment.control, "variant of this experiment")
    if experiment.salt is not None and not fullmatch(r"[A-Za-z0-9_.:-]{1,64}", experiment.salt):
        yield Problem((*path, "salt"), experiment.salt, "is no salt", "1 to 64 of A-Za-z0-9_.:-")
    yield from _positive(experiment, path)
    yield from _covariates(raw.get("metrics"), (*path, "metrics"))

    usable = [variant.weight for variant in experiment.variants.values() if variant.weight >= 0]
    complete = len(usable) == len(variants)
    positive = 0 < sum(usable) < float("inf")
    if complete and not positive:
        wrong = f"have weights that add up to {sum(usable):g}"
        yield Problem((*path, "variants"), ABSENT, wrong, "at least one positive weight, and a finite sum")
    try:
        if complete and positive and has_metrics(experiment):
            policy_of(str(path[-1]), experiment)
        else:
            policy_with_parameters(experiment.policy, (*path, "policy"))
    except InvalidConfiguration as error:
        yield from error.problems


def _covariates(items: object, path: Path) -> Iterator[Problem]:
    items = items if isinstance(items, list) else []
    names = [item.get("name") for item in items if isinstance(item, dict)]
    for index, item in enumerate(items):
        covariate = item.get("covariate") if isinstance(item, dict) else None
        if isinstance(covariate, str):
            others = [str(name) for name in names if name != item.get("name")]
            yield from _reference(others, (*path, index, "covariate"), covariate, "other metric")


def _limits(names: Names, limits: Limits, raw: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    yield from _positive(limits, path)
    yield from _at_least(limits, path, {"headers": 1, "pipelined": 1, "outcome_items": 1})


def _positive(record: Any, path: Path) -> Iterator[Problem]:
    """Durations and sizes are above 0, all of them."""
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, Duration | Size) and not value > 0:
            yield Problem((*path, name), value, "is not above 0", "more than 0")


def _at_least(record: Any, path: Path, least: Mapping[str, int]) -> Iterator[Problem]:
    for name, bound in least.items():
        value = getattr(record, name)
        if value is not None and value < bound:
            yield Problem((*path, name), value, "is too small", f"{bound} or more")


def _named(
    names: Sequence[str], path: Path, alphabet: str, length: int, field: str = ""
) -> Iterator[Problem]:
    for name in names:
        if not fullmatch(f"[{alphabet}]{{1,{length}}}", name):
            here = (*path, field or name)
            yield Problem(here, name, "is no usable name", f"1 to {length} of {alphabet}")


def _reference(known: Sequence[str], path: Path, name: str, what: str) -> Iterator[Problem]:
    if name not in known:
        yield unknown(path, name, what, known)


def _token(name: str, path: Path, what: str) -> Iterator[Problem]:
    if not fullmatch(_TOKEN, name):
        yield Problem(path, name, f"is no {what}", "letters, digits and !#$%&'*+.^_`|~-")


def _unique(items: object, path: Path, field: str, same: Callable[[str], str] = str) -> Iterator[Problem]:
    """Items of a list in the document that have the same name; ``same`` is equal for equal ones."""
    first: dict[str, int] = {}
    for index, item in enumerate(items if isinstance(items, list) else ()):
        name = item.get(field) if isinstance(item, dict) else None
        if isinstance(name, str) and first.setdefault(same(name), index) != index:
            wrong = f"is there twice, first in {path[-1]}[{first[same(name)]}]"
            yield Problem((*path, index, field), name, wrong, f"each {field} once")


def _keys(data: object, name: str) -> Iterator[str]:
    inner = data.get(name) if isinstance(data, Mapping) else None
    return (str(key) for key in inner) if isinstance(inner, Mapping) else iter(())


_Rules = Callable[[Names, Any, Mapping[str, Any], Path], Iterator[Problem]]
_RULES: dict[type, _Rules] = {
    Settings: _settings,
    Backend: _backend,
    Route: _route,
    UnitSource: _unit_source,
    UnitCookie: _cookie,
    Variant: _variant,
    Metric: _metric,
    Analysis: _analysis,
    Experiment: _experiment,
    Limits: _limits,
}
