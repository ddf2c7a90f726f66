"""Which variant does a request get by its own features, and with which probability?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

from policies.assignment import score
from policies.contextual.features import Encoder, Feature, features_of
from policies.contextual.scoring import Scorer
from policies.plan import Plan
from router.data.decision_log import DecisionLog
from router.data.prefix import steps_of, value_at
from router.data.unit import Readable, query_value
from router.data.wire import CAPTURE

Read = Callable[[Readable], object]


class Choice(NamedTuple):
    """The variant, the probability with which a request with these features gets it, and the features."""

    variant: str
    propensity: float
    features: Sequence[float]


class Context:
    """Chooses by the rule of one plan."""

    __slots__ = ("_encoder", "_features", "_names", "_prefixes", "_readers", "_scorer", "log")

    def __init__(
        self, plan: Plan, kinds: Mapping[bytes, int], json_prefix: int, decisions: DecisionLog
    ) -> None:
        assert plan.rule is not None
        features = features_of(plan.rule)
        self.log = decisions
        self._features = [feature.name for feature in features]
        self._encoder = Encoder(features)
        self._scorer = Scorer(plan.rule, plan.weights)
        self._names = self._scorer.names
        self._prefixes = [f"{plan.salt}.{name}.".encode() for name in self._names]
        self._readers = [_reader(feature, kinds, json_prefix) for feature in features]

    def choose(self, request: Readable, key: bytes) -> Choice:
        """The choice by weighted rendezvous (`policies.assignment`), the weights being the probabilities."""
        return self._choice([read(request) for read in self._readers], key)

    def choose_by_name(self, values: Mapping[str, object], key: bytes) -> Choice:
        """As `choose`, for who gives the features by their names instead of a request."""
        return self._choice([values.get(name) for name in self._features], key)

    def _choice(self, raw: Sequence[object], key: bytes) -> Choice:
        features = self._encoder.encode(raw)
        probabilities = self._scorer.probabilities(features)
        best, chosen = -inf, 0
        for place, probability in enumerate(probabilities):
            if probability > 0.0:
                value = score(self._prefixes[place], probability, key)
                if value > best:
                    best, chosen = value, place
        return Choice(self._names[chosen], probabilities[chosen], features)


def read_headers(rule: Mapping[str, Any]) -> list[str]:
    """The headers that a rule's features stand in."""
    return [feature.header for feature in features_of(rule) if feature.header is not None]


def reads_body(rule: Mapping[str, Any]) -> bool:
    """Whether any of a rule's features stands in the body."""
    return any(feature.json is not None for feature in features_of(rule))


def _reader(feature: Feature, kinds: Mapping[bytes, int], json_prefix: int) -> Read:
    if feature.header is not None:
        return _from_header(kinds[feature.header.lower().encode()])
    if feature.query is not None:
        return _from_query(feature.query.encode())
    assert feature.json is not None
    steps = steps_of(feature.json)
    return lambda request: value_at(b"".join(request.body)[:json_prefix], steps)


def _from_header(kind: int) -> Read:
    assert kind >= CAPTURE

    def read(request: Readable) -> object:
        value = request.captured.get(kind)
        return None if value is None else value.strip().decode("utf-8", "replace")

    return read


def _from_query(name: bytes) -> Read:
    def read(request: Readable) -> object:
        value = query_value(request.target, name)
        return None if value is None else value.decode("utf-8", "replace")

    return read
