"""``turnout get``: what does the router have?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isclose
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape

from router.cli.answers import Audit, Experiment, Experiments, Record, Variant, Versions, Workers
from router.cli.change_lines import change_lines, when
from router.cli.client import Answer, Client
from router.cli.contexts import Target
from router.cli.options import Output
from router.cli.reading_commands import Resource
from router.cli.showing import print_lines, rows, show, to_yaml
from router.errors import ConfigurationError
from router.problems import InvalidConfiguration, unknown


def get(
    target: Target, resource: Resource, name: str | None, *, limit: int, archived: bool, output: Output
) -> None:
    """Print all of them, or one; `ConfigurationError` for a name that there is not."""
    if name is not None and resource in (Resource.workers, Resource.audit, Resource.configuration):
        raise ConfigurationError(f"{resource} takes no name, and {name!r} is given")
    if resource is Resource.versions and name is not None and not name.isdecimal():
        raise ConfigurationError(f"{name!r} is no version; allowed: a number, see turnout history")
    query: dict[str, Any] = {}
    if resource in (Resource.audit, Resource.versions) and name is None:
        query["limit"] = limit
    if resource is Resource.experiments and archived and name is None:
        query["archived"] = "true"
    one = name is not None and resource is not Resource.routes
    steps = (resource.value, name) if one and name is not None else (resource.value,)
    with Client(target) as client:
        answer = client.get(*steps, **query)

    data = msgspec.json.decode(answer.body)
    if resource is Resource.routes and name is not None:
        data = _route(data, name)
    if answer.etag is not None and name is not None:
        data = {**data, "etag": answer.etag}
    if resource is Resource.configuration and output is Output.table:
        output = Output.yaml
    tables = ONE if name is not None else ALL
    show(output, data, lambda to: tables.get(resource, _plain)(to, answer, data))


def workers(target: Target, output: Output) -> None:
    """Print which version each worker runs."""
    get(target, Resource.workers, None, limit=0, archived=False, output=output)


def _route(data: Mapping[str, Any], path: str) -> dict[str, Any]:
    routes = {route["path"]: route for route in data["routes"]}
    if path not in routes:
        raise InvalidConfiguration([unknown((), path, "route", routes)])
    found: dict[str, Any] = routes[path]
    return found


def _experiments(to: Console, answer: Answer, data: Any) -> None:
    cells = [
        (
            each.name,
            each.status,
            ", ".join(f"{arm.name} {arm.weight:g} ({_shares(each.status, arm)})" for arm in each.variants),
            ", ".join(each.routes) or "none",
            "none" if each.epoch is None else f"{each.epoch.number}, since {when(each.epoch.started)}",
        )
        for each in answer.read(Experiments).experiments
    ]
    to.print(rows("", ("experiment", "status", "weights (shares)", "routes", "epoch"), cells))


def _shares(status: str, arm: Variant) -> str:
    """As written, and what a policy or a schedule has made of it."""
    now = f", now {arm.in_force:.2%}"
    same = isclose(arm.in_force, arm.share, abs_tol=1e-9)
    return f"{arm.share:.2%}{now if status == 'running' and not same else ''}"


def _experiment(to: Console, answer: Answer, data: Any) -> None:
    each = answer.read(Experiment)
    to.print(escape(f"{each.name}: {each.status}, version {each.version}"), soft_wrap=True)
    cells = [
        (arm.name, arm.backend, f"{arm.weight:g}", f"{arm.share:.2%}", f"{arm.in_force:.2%}")
        for arm in each.variants
    ]
    to.print(rows("", ("variant", "backend", "weight#", "share#", "in force#"), cells))
    to.print(escape(f"  routes: {', '.join(each.routes) or 'none'}"), soft_wrap=True)
    if each.epoch is not None:
        text = f"  epoch {each.epoch.number} since {when(each.epoch.started)}: {each.epoch.why}"
        to.print(escape(text), soft_wrap=True)
    if each.ending is not None:
        winner = f", won by {each.ending.winner}" if each.ending.winner else ""
        to.print(escape(f"  ended {when(each.ending.at)}{winner}"), soft_wrap=True)


def _backends(to: Console, answer: Answer, data: Any) -> None:
    cells = [
        (
            name,
            each["url"] if isinstance(each["url"], str) else ", ".join(each["url"]),
            str(each["max_connections"]),
            "none" if each["timeout"] is None else f"{each['timeout']:g} s",
        )
        for name, each in data["backends"].items()
    ]
    to.print(rows("", ("backend", "addresses", "connections#", "timeout#"), cells))


def _routes(to: Console, answer: Answer, data: Any) -> None:
    cells = [
        (each["path"], each["backend"], each["experiment"] or "none", "yes" if each["repeatable"] else "no")
        for each in data["routes"]
    ]
    to.print(rows("", ("path", "backend", "experiment", "repeatable"), cells))


def _versions(to: Console, answer: Answer, data: Any) -> None:
    listed = answer.read(Versions)
    cells = [
        (
            f"{each.version}{' *' if each.version == listed.current else ''}",
            when(each.at),
            each.who,
            each.why,
            str(len(each.difference)),
            ", ".join(each.opened),
        )
        for each in listed.versions
    ]
    to.print(rows("", ("version", "when", "who", "why", "places#", "new epochs"), cells))


def _version(to: Console, answer: Answer, data: Any) -> None:
    each = answer.read(Record)
    why = f": {each.why}" if each.why else ""
    to.print(escape(f"version {each.version}, {when(each.at)}, by {each.who}{why}"), soft_wrap=True)
    print_lines(to, change_lines(each.difference))


def _workers(to: Console, answer: Answer, data: Any) -> None:
    listed = answer.read(Workers)
    cells = [
        (
            each.host,
            str(each.pid),
            str(each.version),
            when(each.since),
            f"{each.behind_versions}, {each.behind_seconds:.1f} s" if each.behind_versions else "no",
            when(each.started),
        )
        for each in listed.workers
    ]
    columns = ("host", "process#", "version#", "since", "behind", "started")
    to.print(rows(f"Version {listed.version} is in force", columns, cells))


def _audit(to: Console, answer: Answer, data: Any) -> None:
    cells = [
        (
            when(entry.at),
            f"{entry.who} {entry.role}".strip(),
            entry.target,
            str(entry.status),
            "" if entry.version is None else str(entry.version),
            "; ".join(part for part in (entry.why, entry.detail) if part),
        )
        for entry in (logged.entry for logged in answer.read(Audit).entries)
    ]
    to.print(rows("", ("when", "who", "what", "status#", "version#", "why, detail"), cells))


def _plain(to: Console, answer: Answer, data: Any) -> None:
    to.print(escape(to_yaml(data)), end="", soft_wrap=True)


Table = Callable[[Console, Answer, Any], None]
ALL: Mapping[Resource, Table] = {
    Resource.experiments: _experiments,
    Resource.backends: _backends,
    Resource.routes: _routes,
    Resource.versions: _versions,
    Resource.workers: _workers,
    Resource.audit: _audit,
}
ONE: Mapping[Resource, Table] = {Resource.experiments: _experiment, Resource.versions: _version}
