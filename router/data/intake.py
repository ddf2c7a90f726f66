"""Which outcome does a posted item stand for, and if for none, why not?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from hashlib import blake2s
from math import ceil, isfinite
from typing import Any, Final, Literal

import msgspec

from router.errors import TokenError, TurnoutError
from router.problems import listed, shown
from router.settings import Metric
from router.state import State
from router.store.outcomes import Outcome
from router.token import FORCED, LOGGED, Token, read_token

FIELDS: Final = ("token", "metric", "value", "id")
LONGEST_ID: Final = 256

# The square of a bucket's sum must stay finite.
LARGEST: Final = 1e100

# An identity is remembered for longer than any of its tokens is accepted, by what clocks may differ.
_MARGIN_SECONDS = 3600


class NotJson(TurnoutError):
    """A body of which nothing can be read as JSON."""

    status = 400


class TooMany(TurnoutError):
    """More items in one body than are allowed."""

    status = 413


class Refused(TurnoutError):
    """An item that is no outcome of this service; its text is the reason that the client is told."""

    status = 422


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is not JSON, among others that are."""

    reason: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An outcome in order that is not counted, because its traffic is left out of analysis."""

    reason: str


def parse(body: bytes, most: int) -> list[object]:
    """The items of a body: one JSON document, an array's elements, or one for each line (NDJSON).

    NaN and Infinity, which are not JSON but which common encoders write, are read as such, so that they
    refuse one item and not the whole body. Raises `NotJson` and, above ``most`` items, `TooMany`.
    """
    text = body.strip()
    try:
        document = _decode(text)
    except ValueError as error:
        if text[:1] == b"[" or b"\n" not in text:
            raise NotJson(f"the body is not JSON: {error}; allowed: {_FORMS}") from None
        return _lines(text, most)
    items = document if isinstance(document, list) else [document]
    _bound(len(items), most)
    return items


def judge(item: object, state: State, now: float) -> Outcome | LeftOut:
    """The outcome that an item stands for at ``now`` (unix seconds); `Refused` where it stands for none."""
    fields = _fields(item)
    token = _token(fields["token"], state)
    experiment = state.settings.experiments.get(token.experiment)
    if experiment is None:
        raise Refused(_unknown("experiment", token.experiment, tuple(state.settings.experiments)))
    age = now - token.time
    if age > experiment.attribution:
        late = age - experiment.attribution
        raise Refused(
            f"the token expired {late:.0f} s ago; allowed: within {experiment.attribution:g} s of the answer"
        )
    metric = _metric(fields["metric"], experiment.metrics)
    value = _value(fields["value"], metric)
    cap = metric.cap
    given = fields.get("id")
    identity = _decision(token, metric.name) if given is None else _event(given, metric.name)
    if token.flags & FORCED:
        return LeftOut("not counted: the variant was forced, and forced traffic is left out of analysis")
    epoch = state.epochs.get(token.experiment)
    rule = None if epoch is None or not token.flags & LOGGED else epoch.rule
    reward = rule is not None and rule["metric"] == metric.name
    return Outcome(
        experiment=token.experiment,
        epoch=token.epoch,
        variant=token.variant,
        bucket=token.bucket,
        dedupe=identity,
        metric=metric.name,
        kind=metric.kind,
        value=value if cap is None else min(value, cap),
        ttl_seconds=ceil(experiment.attribution) + _MARGIN_SECONDS,
        decision=token.decision if reward else None,
        keep_rewards=rule["keep"] if reward and rule is not None else 1,
        capped=None if cap is None else value > cap,
    )


_FORMS = "an object, an array of objects, or one object a line"


def _decode(text: bytes) -> Any:
    """One JSON document; ValueError where it is none."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        try:
            return json.loads(text)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None


def _lines(text: bytes, most: int) -> list[object]:
    lines = [line for line in text.split(b"\n") if line.strip()]
    _bound(len(lines), most)
    items: list[object] = []
    for line in lines:
        try:
            items.append(_decode(line))
        except ValueError as error:
            items.append(Unreadable(f"the line is not JSON: {error}"))
    if all(isinstance(item, Unreadable) for item in items):
        raise NotJson(f"no line of the body is JSON; allowed: {_FORMS}")
    return items


def _bound(count: int, most: int) -> None:
    if count > most:
        raise TooMany(f"the body has {count} items; allowed: at most {most}")


def _fields(item: object) -> dict[str, object]:
    if isinstance(item, Unreadable):
        raise Refused(item.reason)
    if not isinstance(item, dict):
        raise Refused(f"{shown(item)} is no outcome; allowed: an object with token, metric and value")
    for name in item:
        if name not in FIELDS:
            raise Refused(_unknown("field", name, FIELDS))
    for name in FIELDS[:3]:
        if name not in item:
            raise Refused(f"{name} is missing; allowed: an object with token, metric and value")
    return item


def _token(text: object, state: State) -> Token:
    if not isinstance(text, str):
        raise Refused(f"token {shown(text)} is no text; allowed: what x-turnout-token held")
    try:
        return read_token(text, state.key)
    except TokenError as error:
        raise Refused(str(error)) from None


def _metric(name: object, metrics: tuple[Metric, ...]) -> Metric:
    for metric in metrics:
        if metric.name == name:
            return metric
    names = tuple(metric.name for metric in metrics)
    raise Refused(_unknown("metric", name if isinstance(name, str) else shown(name), names))


def _value(value: object, metric: Metric) -> float:
    """The value as a number; `Refused` where it does not fit its metric's kind or its bounds."""
    what = f"value {shown(value)} of metric {metric.name!r}"
    if metric.kind == "binary":
        if isinstance(value, int | float) and value in (0, 1):
            return int(value)
        raise Refused(f"{what} does not fit its kind, binary; allowed: 0 or 1")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{what} does not fit its kind, mean; allowed: a number")
    if not abs(value) <= LARGEST or not isfinite(value):
        raise Refused(f"{what} is out of range; allowed: finite, at most {LARGEST:g} in size")
    low, high = metric.minimum, metric.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = [
            f"{word} {bound:g}" for word, bound in (("at least", low), ("at most", high)) if bound is not None
        ]
        raise Refused(f"{what} is out of its bounds; allowed: {' and '.join(bounds)}")
    return float(value)


def _decision(token: Token, metric: str) -> bytes:
    """The identity of a decision's outcome of one metric."""
    numbers = f"{token.epoch}.{token.bucket}.{token.decision}.{token.time}"
    return _digest("decision", metric, f"{token.variant}.{numbers}")


def _event(given: object, metric: str) -> bytes:
    """The identity of an outcome that the client has named itself."""
    if not isinstance(given, str) or not 1 <= len(given) <= LONGEST_ID:
        raise Refused(f"id {shown(given)} cannot be used; allowed: text of 1 to {LONGEST_ID} characters")
    return _digest("id", metric, given)


def _digest(kind: Literal["decision", "id"], metric: str, rest: str) -> bytes:
    # Neither a kind nor a metric's name holds a NUL, so the three parts cannot be confused.
    return blake2s(f"{kind}\0{metric}\0{rest}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


@lru_cache(maxsize=256)
def _unknown(what: str, name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{shown(name)} is no known {what}; allowed: {listed(known)}{hint}"
