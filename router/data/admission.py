"""Which of a route's experiments takes a request, if any?

The first one, in the route's order, whose audience the unit and the request are of. Of a layer's experiments
a unit can be in one at most, and that one is found by one hash and a search among the parts' bounds: a route
with fifty experiments of one layer asks as much as one with two.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from policies.assignment import draw
from router.data.audience_rule import Judged
from router.data.unit import Readable

if TYPE_CHECKING:
    from router.data.trial import Audience, Trial

MakeUnit = Callable[[], bytes]


class Asking(Readable, Judged, Protocol):
    """A request, with all that units and conditions may stand in."""


class Entrance(NamedTuple):
    """The experiment that takes the request, or none; ``variant`` where the unit's was written down.

    ``made``: the request had no unit, and this one was made; ``cookie`` are the lines by which it is kept.
    """

    trial: Trial | None
    unit: bytes = b""
    variant: str | None = None
    made: bool = False
    cookie: bytes = b""


@dataclass(frozen=True, slots=True)
class _Entrant:
    """One experiment at its place in the route; ``source`` numbers the kind of unit."""

    place: int
    source: int
    trial: Trial

    @property
    def audience(self) -> Audience:
        return self.trial.audience


@dataclass(frozen=True, slots=True)
class _Layer:
    """The experiments of one layer that have one kind of unit: ``starts`` is where their parts begin."""

    prefix: bytes
    source: int
    starts: Sequence[float]
    ends: Sequence[float]
    entrants: Sequence[_Entrant]


class _Units:
    """The units of one request, read or made when they are first asked for."""

    __slots__ = ("_found", "_make", "_request", "made")

    def __init__(self, request: Asking, make: MakeUnit) -> None:
        self._request = request
        self._make = make
        self._found: dict[int, bytes] = {}
        self.made: set[int] = set()

    def of(self, entrant: _Entrant) -> bytes:
        source = entrant.source
        unit = self._found.get(source)
        if unit is None:
            unit = entrant.trial.unit_of(self._request)
            if unit is None:
                unit = self._make()
                self.made.add(source)
            self._found[source] = unit
        return unit


class Admission:
    """A route's experiments in their order."""

    __slots__ = ("_entrants", "_forcing", "_free", "_layers", "_trials", "needs_body", "trials")

    def __init__(self, trials: Sequence[Trial], sources: Sequence[object]) -> None:
        """``sources``: for each experiment what its unit is; equal ones share what is read or made."""
        self.trials = tuple(trials)
        kinds: list[object] = []
        for source in sources:
            if source not in kinds:
                kinds.append(source)
        self._entrants = [
            _Entrant(place, kinds.index(source), trial)
            for place, (trial, source) in enumerate(zip(trials, sources, strict=True))
        ]
        self._trials = {entrant.trial.name: entrant for entrant in self._entrants}
        self._forcing = [entrant for entrant in self._entrants if entrant.audience.forced]
        self._free = [entrant for entrant in self._entrants if entrant.audience.gate.part is None]
        self._layers = _layers(self._entrants)
        self.needs_body = any(trial.needs_body for trial in trials)

    def admit(self, request: Asking, make: MakeUnit, forced: tuple[str, str] | None = None) -> Entrance:
        """Who takes the request; ``forced`` is the experiment and variant that a signed header names."""
        units = _Units(request, make)
        if forced is not None:
            named = self._trials.get(forced[0])
            if named is not None and forced[1] in named.trial.slots:
                return self._entrance(named, units, forced[1])
        for entrant in self._forcing:
            variant = entrant.audience.forced.get(units.of(entrant))
            if variant is not None:
                return self._entrance(entrant, units, variant)
        for entrant in self._candidates(units):
            audience = entrant.audience
            unit = units.of(entrant)
            for bound in audience.gate.others:
                if not bound.admits(unit):
                    break
            else:
                if audience.rule is None or audience.rule.matches(request):
                    return self._entrance(entrant, units, None)
        return Entrance(None, cookie=self._cookies(units))

    def _candidates(self, units: _Units) -> Sequence[_Entrant]:
        """Those that the layers' draws leave, in the route's order."""
        found = []
        for layer in self._layers:
            place = draw(layer.prefix, units.of(layer.entrants[0]))
            index = bisect_right(layer.starts, place) - 1
            if index >= 0 and place < layer.ends[index]:
                found.append(layer.entrants[index])
        if not found:
            return self._free
        if len(found) == 1 and not self._free:
            return found
        return sorted([*found, *self._free], key=lambda entrant: entrant.place)

    def _entrance(self, entrant: _Entrant, units: _Units, variant: str | None) -> Entrance:
        unit = units.of(entrant)
        return Entrance(entrant.trial, unit, variant, entrant.source in units.made, self._cookies(units))

    def _cookies(self, units: _Units) -> bytes:
        """A unit that was made decided who takes part, whoever does: it is kept where a cookie can."""
        lines = b""
        for source in units.made:
            for entrant in self._entrants:
                if entrant.source == source and entrant.trial.cookie is not None:
                    lines += entrant.trial.cookie(units.of(entrant))
                    break
        return lines


def _layers(entrants: Sequence[_Entrant]) -> list[_Layer]:
    grouped: dict[tuple[bytes, int], list[tuple[float, float, _Entrant]]] = {}
    for entrant in entrants:
        part = entrant.audience.gate.part
        if part is not None:
            grouped.setdefault((part.prefix, entrant.source), []).append((part.low, part.high, entrant))
    layers = []
    for (prefix, source), members in grouped.items():
        members.sort(key=lambda member: member[:2])
        starts, ends, within = zip(*members, strict=True)
        layers.append(_Layer(prefix, source, starts, ends, within))
    return layers
