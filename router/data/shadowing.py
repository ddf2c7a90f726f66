"""Which shadows has a worker, and who tells them of requests?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Protocol

from policies.shadow.compare import Rules
from policies.shadow.json_difference import Tolerance
from policies.shadow.pointers import paths, tokens
from router.data.exchange import Exchange
from router.data.mirroring import Mirror
from router.data.pool import Clock
from router.data.shadow_ledger import Ledger
from router.data.shadow_pairs import Comparer, Terms
from router.data.shadow_pool import CopyPool
from router.data.shadow_starts import Starts
from router.data.shadow_targets import Nobody, Target
from router.settings import Settings
from router.shadow_identity import generation

if TYPE_CHECKING:
    from router.data.metering import Meter
    from router.data.upstream import BackendConnection

# More pairs than copies in flight: those that wait for a slice of time.
_PAIRS_BEYOND = 64


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The shadows of one configuration: their targets by name, and each route's by its path."""

    targets: Mapping[str, Target]
    mirrors: Mapping[str, Mirror]


class Host(Clock, Protocol):
    """What the shadows need of the plane."""

    turn: int

    @property
    def last_written(self) -> bytes: ...

    @property
    def call_soon(self) -> Callable[[Callable[[], object]], object]: ...

    @property
    def call_later(self) -> Callable[[float, Callable[[], object]], object]: ...


class Shadows:
    """A worker's shadows."""

    def __init__(self, host: Host, meter: Meter, ledger: Ledger) -> None:
        self._host = host
        self._meter = meter
        self.ledger = ledger
        self.starts = Starts(host)
        self._comparer = Comparer(ledger, asyncio.get_running_loop(), time)
        self._nobody = Nobody(host)
        self._followed: list[tuple[Mirror, Exchange, BackendConnection, bytes]] = []
        self._ensemble = Ensemble({}, {})
        self._retired: list[Target] = []

    # -- the request's path --------------------------------------------------------------------------------

    def follow_soon(self, mirror: Mirror, exchange: Exchange) -> None:
        """See to the copies of a request behind everything that is sent in this turn, itself included.

        At once where it is not sent, or not here whole: what comes next must find that seen to.
        """
        connection = exchange.connection
        if connection is None:
            self.starts.recent += 1
            mirror.follow(exchange, None, b"")
        elif not exchange.complete:
            self.starts.recent += 1
            mirror.follow(exchange, connection, self._host.last_written)
        else:
            if not self._followed:
                self._host.call_soon(self._follow_all)
            self._followed.append((mirror, exchange, connection, self._host.last_written))

    def _follow_all(self) -> None:
        followed, self._followed = self._followed, []
        self.starts.recent += len(followed)
        for mirror, exchange, connection, data in followed:
            mirror.follow(exchange, connection, data)

    # -- a change ------------------------------------------------------------------------------------------

    def build(self, settings: Settings) -> Ensemble:
        """The shadows of these settings; what is the same goes on. May fail; changes nothing."""
        targets = {name: self._target(settings, name) for name in settings.shadows}
        mirrors = {
            route.path: Mirror(tuple(targets[name] for name in route.shadows))
            for route in settings.routes
            if route.shadows
        }
        return Ensemble(targets, mirrors)

    def adopt(self, ensemble: Ensemble) -> None:
        """Go on with these."""
        before, self._ensemble = self._ensemble, ensemble
        for name, target in before.targets.items():
            if ensemble.targets.get(name) is not target:
                target.retire()
                self._retired.append(target)

    def close(self) -> None:
        """Give everything up: copies in flight, and all connections."""
        self.adopt(Ensemble({}, {}))
        self.starts.start_all()
        for target in self._retired:
            target.give_up()

    @property
    def connections(self) -> int:
        """How many are open to shadows, and for their noise."""
        targets = [*self._ensemble.targets.values(), *self._retired]
        return sum(address.open for target in targets for pool in target.pools for address in pool.addresses)

    @property
    def open_pairs(self) -> int:
        """How many pairs await an answer, or to be compared."""
        return sum(target.open_pairs for target in self._ensemble.targets.values())

    def _target(self, settings: Settings, name: str) -> Target:
        shadow = settings.shadows[name]
        served = (
            {} if not shadow.noise else {each: settings.backends[each] for each in _served(settings, name)}
        )
        about = (shadow, settings.backends[shadow.backend], served, generation(settings, name))
        present = self._ensemble.targets.get(name)
        if present is not None and present.about == about:
            return present
        compare = shadow.compare
        terms = Terms(
            place=(name, generation(settings, name)),
            rules=Rules(
                ignored=paths(compare.ignore),
                tolerance=Tolerance(compare.relative, compare.absolute),
                top=None if compare.top is None else tokens(compare.top),
                ranking=None if compare.ranking is None else tokens(compare.ranking),
            ),
            redacted=paths(compare.redact),
            largest=compare.max_body,
            most=shadow.max_in_flight + _PAIRS_BEYOND,
            counts=self._meter.shadow(name),
        )
        noise = {each: CopyPool(each, backend, shadow, self._host) for each, backend in served.items()}
        pool = CopyPool(shadow.backend, settings.backends[shadow.backend], shadow, self._host)
        return Target(about, pool, noise, terms, self._comparer, self._host, self._nobody)

    def sweep(self) -> None:
        """End the copies whose time is over, and start those that have waited long enough."""
        self.starts.sweep()
        for target in self._ensemble.targets.values():
            target.sweep()
        for target in self._retired:
            target.sweep()
        self._retired = [target for target in self._retired if not target.ended]


def _served(settings: Settings, name: str) -> set[str]:
    """The backends that may answer requests of the routes that a shadow follows."""
    found = set()
    for route in settings.routes:
        if name in route.shadows:
            found.add(route.backend)
            for experiment in route.experiments:
                found |= {variant.backend for variant in settings.experiments[experiment].variants.values()}
    return found
