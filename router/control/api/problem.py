"""How does an error become a problem document (RFC 9457)?"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from router.control.edits import InvalidBody
from router.control.preconditions import PreconditionFailed
from router.errors import TurnoutError
from router.problems import InvalidConfiguration, Problem, pointer_of
from router.state import flatten
from router.store.versions import Change, Made, versions_after

MEDIA_TYPE = "application/problem+json"


class FieldError(Struct, frozen=True, kw_only=True):
    """One thing that is wrong: at ``pointer`` in the request's body, or at ``place`` in the configuration."""

    detail: str
    pointer: str | None = None
    place: str | None = None


class ChangedBy(Struct, frozen=True, kw_only=True):
    """A version that was made since, as far as it is about the same thing."""

    version: int
    at: float
    who: str
    why: str
    difference: tuple[Change, ...]


class ProblemDocument(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong; ``errors`` for what was sent, ``changed`` and ``etag`` for a lost race."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()
    changed: tuple[ChangedBy, ...] = ()
    etag: str = ""


async def problem_of(error: TurnoutError, redis: Redis) -> ProblemDocument:
    """The document of an error; for a lost race with what changed, if Redis can say it."""
    errors: tuple[FieldError, ...] = ()
    changed: tuple[ChangedBy, ...] = ()
    etag = ""
    if isinstance(error, InvalidConfiguration):
        prefix = error.prefix if isinstance(error, InvalidBody) else ()
        errors = tuple(_field(problem, prefix) for problem in error.problems)
    if isinstance(error, PreconditionFailed):
        etag = error.current
        if error.since is not None:
            records = await versions_after(redis, error.since)
            changed = tuple(found for record in records if (found := _about(record, error.pointers)))
    return problem(type(error).__name__, error.status, str(error), errors, changed, etag)


def problem(
    title: str,
    status: int,
    detail: str,
    errors: tuple[FieldError, ...] = (),
    changed: tuple[ChangedBy, ...] = (),
    etag: str = "",
) -> ProblemDocument:
    """A document; its type is named after the title."""
    return ProblemDocument(
        type=f"urn:turnout:error:{title}",
        title=title,
        status=status,
        detail=detail,
        errors=errors,
        changed=changed,
        etag=etag,
    )


def encode(value: Any) -> bytes:
    """JSON of whatever an endpoint answers."""
    return msgspec.json.encode(value, enc_hook=flatten)


def _field(problem: Problem, prefix: tuple[str | int, ...]) -> FieldError:
    if problem.path[: len(prefix)] == prefix:
        return FieldError(detail=str(problem), pointer=pointer_of(problem.path[len(prefix) :]))
    return FieldError(detail=str(problem), place=problem.pointer)


def _about(record: Made, pointers: tuple[str, ...]) -> ChangedBy | None:
    difference = tuple(
        change
        for change in record.difference
        if any(change.pointer == each or change.pointer.startswith(f"{each}/") for each in pointers)
    )
    if not difference:
        return None
    return ChangedBy(
        version=record.version, at=record.at, who=record.who, why=record.why, difference=difference
    )
