"""Which variant does a unit get, for an application that asks by OpenFeature's remote evaluation protocol?

A flag's key is an experiment's name, its value the variant's. The unit is the targeting key. A unit that was
told its variant is exposed: it counts among the variant's units, and since no request was served, no request
is counted, and no latency. So an outcome "per request" has only routed requests below the line.

Who takes part is asked as for a request, but that there is none: a condition finds what the client says of
the unit in ``context``, and everything of ``request`` empty. So is it for an experiment that decides by
features: those are the context's attributes of the same names.

These are the two paths of the protocol's version 0.3.0. ``GET /ofrep/v1/configuration`` was taken out of the
protocol in 2025: what a client caches and how often it asks is its own to set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2s
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from policies.assignment import BUCKETS, LONGEST_UNIT, assign, place
from router.data.context import Choice
from router.data.snapshot import Snapshot
from router.data.trial import Trial
from router.errors import TurnoutError
from router.problems import listed, shown
from router.store.decisions import LoggedDecision
from router.token import LOGGED

PATH: Final = "/ofrep/v1/evaluate/flags"
_LARGEST_BODY: Final = 64 * 1024

Reason = Literal["SPLIT", "STATIC", "TARGETING_MATCH", "DEFAULT", "DISABLED"]
Code = Literal["PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT"]


class Unevaluable(TurnoutError):
    """A request that names no unit; ``code`` is OpenFeature's."""

    status = 400

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One flag's value for one unit; ``trial`` and ``unit_place`` where a running experiment decided.

    ``choice`` where it decided by features, which are then the context's attributes of the same names.
    """

    key: str
    variant: str
    reason: Reason
    trial: Trial | None = None
    unit_place: int = 0
    choice: Choice | None = None


def evaluate(
    snapshot: Snapshot, key: str, unit: bytes, context: Mapping[str, Any] = MappingProxyType({})
) -> Evaluation | None:
    """What a unit gets; None where there is no such experiment.

    While an experiment runs, it decides for those who take part, and all others get the control. A unit whose
    variant was written down gets that, and is not counted. Once it was stopped with a winner, everybody gets
    that; while it does not run, everybody gets the control.
    """
    experiment = snapshot.state.settings.experiments.get(key)
    if experiment is None:
        return None
    trial = snapshot.trial(key)
    if trial is not None:
        audience = trial.audience
        if unit in audience.forced:
            return Evaluation(key, audience.forced[unit], "TARGETING_MATCH")
        rule = audience.rule
        if not audience.gate.admits(unit) or not (rule is None or rule.matches_context(context)):
            return Evaluation(key, experiment.control, "DEFAULT")
        decision = assign(trial.plan, unit)
        reason: Reason = "SPLIT" if decision.reason == "split" else "STATIC"
        choice = None if trial.context is None else trial.context.choose_by_name(context, unit)
        return Evaluation(
            key,
            decision.variant if choice is None else choice.variant,
            reason if rule is None else "TARGETING_MATCH",
            trial,
            place(trial.bucket_prefix, unit),
            choice,
        )
    ending = snapshot.state.endings.get(key)
    if ending is not None and ending.winner is not None:
        return Evaluation(key, ending.winner, "STATIC")
    return Evaluation(key, experiment.control, "DISABLED")


class Evaluator:
    """Answers evaluations, and records that units were exposed."""

    def __init__(
        self, live: Callable[[], Snapshot], decisions: Iterator[int], clock: Callable[[], float]
    ) -> None:
        """``decisions`` gives numbers that no other worker gives; ``clock`` unix seconds."""
        self._live = live
        self._decisions = decisions
        self._clock = clock

    def routes(self) -> list[Route]:
        """The protocol's paths."""
        return [
            Route(PATH, self.bulk, methods=["POST"]),
            Route(PATH + "/{key:path}", self.single, methods=["POST"]),
        ]

    async def single(self, request: Request) -> Response:
        """One flag."""
        key = request.path_params["key"]
        snapshot = self._live()
        try:
            unit, context = await _unit(request)
        except Unevaluable as error:
            return _failure(400, error.code, str(error), key)
        found = evaluate(snapshot, key, unit, context)
        if found is None:
            known = listed(sorted(snapshot.state.settings.experiments))
            return _failure(
                404, "FLAG_NOT_FOUND", f"{shown(key)} is no known experiment; allowed: {known}", key
            )
        return _json(200, self._exposed(snapshot, found))

    async def bulk(self, request: Request) -> Response:
        """Every flag; 304 where the client has this answer, and its tokens are still good for long enough."""
        snapshot = self._live()
        try:
            unit, context = await _unit(request)
        except Unevaluable as error:
            return _failure(400, error.code, str(error))
        found = [
            each
            for key in sorted(snapshot.state.settings.experiments)
            if (each := evaluate(snapshot, key, unit, context)) is not None
        ]
        tag = self._tag(snapshot, unit, found)
        known = [
            each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")
        ]
        if tag in known:
            return Response(status_code=304, headers={"etag": tag})
        flags = [self._exposed(snapshot, each) for each in found]
        return _json(200, {"flags": flags}, {"etag": tag})

    def _exposed(self, snapshot: Snapshot, evaluation: Evaluation) -> dict[str, Any]:
        metadata: dict[str, Any] = {"experiment": evaluation.key}
        trial = evaluation.trial
        if trial is not None:
            slot = trial.slots[evaluation.variant]
            slot.accumulator.expose(evaluation.unit_place)
            bucket, now = evaluation.unit_place % BUCKETS, int(self._clock())
            metadata["epoch"] = snapshot.state.epochs[evaluation.key].number
            decision, choice, flags = next(self._decisions), evaluation.choice, 0
            if choice is not None and slot.log is not None and slot.log.wanted():
                flags = LOGGED
                slot.log.add(LoggedDecision(decision, now, slot.variant, choice.propensity, choice.features))
            metadata["token"] = slot.signer.sign(bucket, decision, now, flags).decode()
        return {
            "key": evaluation.key,
            "value": evaluation.variant,
            "variant": evaluation.variant,
            "reason": evaluation.reason,
            "metadata": metadata,
        }

    def _tag(self, snapshot: Snapshot, unit: bytes, evaluations: list[Evaluation]) -> str:
        """Changes with the assignments, and twice within each attribution window: tokens grow old."""
        now = self._clock()
        parts: list[object] = [unit.hex()]
        for each in evaluations:
            window = snapshot.state.settings.experiments[each.key].attribution
            epoch = snapshot.state.epochs.get(each.key)
            age = int(now // (window / 2)) if window else 0
            parts.append((each.key, each.variant, each.reason, epoch and epoch.number, age))
        return f'"{blake2s(msgspec.json.encode(parts), digest_size=12).hexdigest()}"'


async def _unit(request: Request) -> tuple[bytes, Mapping[str, Any]]:
    """The unit that a body names, and its whole context; `Unevaluable` where it names none."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_BODY:
            raise Unevaluable("INVALID_CONTEXT", f"the body has more than {_LARGEST_BODY} bytes")
    try:
        document = msgspec.json.decode(bytes(body) or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unevaluable("PARSE_ERROR", f"the body is not JSON: {error}") from None
    if not isinstance(document, Mapping):
        raise Unevaluable("INVALID_CONTEXT", f"{shown(document)} is no object with a context")
    context = document.get("context", {})
    if not isinstance(context, Mapping):
        raise Unevaluable("INVALID_CONTEXT", f"context {shown(context)} is no object")
    key = context.get("targetingKey")
    if key is None or key == "":
        raise Unevaluable(
            "TARGETING_KEY_MISSING", "context.targetingKey is missing; allowed: the unit's text"
        )
    if not isinstance(key, str):
        raise Unevaluable("INVALID_CONTEXT", f"context.targetingKey {shown(key)} is no text")
    return key.encode("utf-8", "surrogatepass")[:LONGEST_UNIT], context


def _failure(status: int, code: str, detail: str, key: str | None = None) -> Response:
    named = {} if key is None else {"key": key}
    return _json(status, {**named, "errorCode": code, "errorDetails": detail})


def _json(status: int, body: object, headers: Mapping[str, str] | None = None) -> Response:
    extra = {"cache-control": "no-store"} | dict(headers or {})
    return Response(msgspec.json.encode(body), status, extra, "application/json")
