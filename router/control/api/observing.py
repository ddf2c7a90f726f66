"""What may be seen of the service at work: workers, assignments, reports, the audit log?"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

from msgspec import Struct

from router.control import edits
from router.control.api.endpoint import Answer, Call, Endpoint
from router.control.api.queries import Newest, OfUnit
from router.control.changes import read_state
from router.store import states
from router.store.audit import Logged, read_entries
from router.store.versions import list_versions, versions_after
from router.store.workers import WorkerReport, list_workers
from router.unit_assignment import Assignment, assignment_of


class WorkerView(Struct, frozen=True, kw_only=True):
    """A worker: the version that it runs and ``since`` when (unix seconds), and how far it is behind.

    ``behind_versions`` counts versions, ``behind_seconds`` the time since the next one was made.
    """

    worker: str
    host: str
    pid: int
    started: float
    version: int
    since: float
    behind_versions: int
    behind_seconds: float


class WorkerList(Struct, frozen=True, kw_only=True):
    """The workers that reported in the last seconds, and the version in force."""

    version: int
    workers: tuple[WorkerView, ...]


class AuditLog(Struct, frozen=True, kw_only=True):
    """What was done and what was refused, the newest first."""

    entries: tuple[Logged, ...]


async def workers(call: Call) -> Answer:
    """Who runs what; also where Redis has no state."""
    redis = call.desk.redis
    version = await states.version(redis)
    reports = await list_workers(redis)
    oldest = min((report.version for report in reports), default=version)
    made: dict[int, float] = {}
    if oldest < version:
        records = [*await versions_after(redis, oldest), *await list_versions(redis, limit=1)]
        made = {record.version: record.at for record in records}
    now = call.desk.clock()
    views = tuple(_view(report, version, made, now) for report in reports)
    return Answer(WorkerList(version=version, workers=views))


def _view(report: WorkerReport, version: int, made: dict[int, float], now: float) -> WorkerView:
    behind = max(version - report.version, 0)
    later = [at for number, at in made.items() if number > report.version]
    return WorkerView(
        worker=report.worker,
        host=report.host,
        pid=report.pid,
        started=report.started,
        version=report.version,
        since=report.since,
        behind_versions=behind,
        behind_seconds=max(now - min(later), 0.0) if behind and later else 0.0,
    )


async def assignment(call: Call) -> Answer:
    """What a unit gets."""
    name = call.path["name"]
    state = await read_state(call.desk.redis)
    edits.experiment_of(state, name)
    return Answer(assignment_of(state.settings, name, state.epochs.get(name), call.query.unit))


async def report(call: Call) -> Answer:
    """What is known about an experiment."""
    name = call.path["name"]
    state = await read_state(call.desk.redis)
    edits.experiment_of(state, name)
    # numpy and scipy take a second to import: not on the loop, and not before somebody asks.
    reports = await asyncio.to_thread(import_module, "router.control.reports")
    return Answer(await reports.report_of(call.desk.redis, state, name, call.desk.clock()))


async def audit_log(call: Call) -> Answer:
    """What was done and refused."""
    return Answer(AuditLog(entries=tuple(await read_entries(call.desk.redis, call.query.limit))))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/workers",
        name="list_workers",
        summary="Which version does each worker run, since when, and how far behind is it?",
        handler=workers,
        answers={200: WorkerList},
    ),
    Endpoint(
        method="GET",
        path="/api/v1/experiments/{name}/assignment",
        name="read_assignment",
        summary="Which variant does a unit get, and by which scores?",
        handler=assignment,
        answers={200: Assignment},
        query=OfUnit,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/experiments/{name}/report",
        name="read_report",
        summary="Traffic, effects with their intervals, and health checks",
        handler=report,
        answers={200: dict[str, Any]},
    ),
    Endpoint(
        method="GET",
        path="/api/v1/audit",
        name="read_audit_log",
        summary="Every change and every refused attempt, the newest first",
        handler=audit_log,
        answers={200: AuditLog},
        query=Newest,
    ),
)
