"""Who folds what ended epochs have summed up, and when?

The control process that leads, some epochs at a time: each a while after its end, and again from time to time
for what came since, less often the older it is. Folding loses nothing: whatever comes later is added beside
the fold, is read together with it, and is folded the next time. Each fold is one step in Redis that is done
only while there is exactly what was read; so one that ends in the middle, or two at once, do no harm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import inf
from typing import Final

from redis.asyncio import Redis

from router.control.leadership import Leadership
from router.errors import StoreUnavailable
from router.events import event
from router.settings import Experiment
from router.state import Epoch, State
from router.store import layout, states
from router.store.cells import Place, fold, is_loose, read_loose

# Requests that were under way when an epoch ended have been counted by then, nearly always.
SETTLING_SECONDS: Final = 60.0
_AGAIN_PART: Final = 0.1

# A tick folds some 300 kB for each variant of so many epochs at most, and looks at so many.
_EPOCHS_AT_ONCE: Final = 4
_LOOKS_AT_ONCE: Final = 100
TICK_SECONDS: Final = 5.0
_BUSY_SECONDS: Final = 0.5

log = logging.getLogger("turnout.control")


@dataclass(frozen=True, slots=True)
class Ended:
    """An epoch that ended at unix seconds; ``settled``: from when on no outcome of it is accepted any more.

    That is never where an operator ended the experiment, and may start it again in the same epoch.
    """

    experiment: str
    number: int
    variants: tuple[str, ...]
    at: float
    settled: float


class Folder:
    """Folds while ``leadership`` lasts; ``clock`` gives unix seconds."""

    def __init__(self, redis: Redis, leadership: Leadership, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._leadership = leadership
        self._clock = clock
        self._looked: dict[tuple[str, int], float] = {}
        self._known: dict[str, tuple[Epoch, list[Epoch]]] = {}

    async def keep(self) -> None:
        """Tick again and again, until cancelled; say once what else goes wrong, until it is another fault."""
        said = ""
        while True:
            more = False
            try:
                more = await self.tick()
                said = ""
            except StoreUnavailable:
                pass  # the watch says that it is away
            except Exception as error:  # that nothing is folded is no reason to end
                if said != repr(error):
                    said = repr(error)
                    event(log, "fold_failed", logging.ERROR, detail=said)
            await asyncio.sleep(_BUSY_SECONDS if more else TICK_SECONDS)

    async def tick(self) -> bool:
        """Fold what is due; whether there is more. `StoreUnavailable`."""
        if self._leadership.fence is None:
            return False
        state = await states.read(self._redis)
        if state is None:
            return False
        now = self._clock()
        ended = [each for name in state.epochs for each in await self._ended(state, name)]
        due = sorted((each for each in ended if self._due(each) <= now), key=self._due)

        folds = 0
        for each in due[:_LOOKS_AT_ONCE]:
            if folds == _EPOCHS_AT_ONCE or self._leadership.fence is None:
                return True
            folds += await self._look(each, state.settings.experiments[each.experiment], now)
        return len(due) > _LOOKS_AT_ONCE

    async def _ended(self, state: State, name: str) -> list[Ended]:
        """An experiment's epochs that have ended; none for one that is configured no more."""
        experiment, current = state.settings.experiments.get(name), state.epochs[name]
        if experiment is None:
            return []
        known = self._known.get(name)
        if known is None or known[0] != current:
            known = self._known[name] = (current, await states.read_epochs(self._redis, name))
        last = state.endings.get(name)
        return list(_ended(name, known[1], experiment.attribution, None if last is None else last.at))

    def _due(self, epoch: Ended) -> float:
        looked = self._looked.get((epoch.experiment, epoch.number))
        if looked is None:
            return epoch.at + SETTLING_SECONDS
        again = looked + max(SETTLING_SECONDS, _AGAIN_PART * (looked - epoch.at))
        return min(again, epoch.settled) if looked < epoch.settled else again

    async def _look(self, epoch: Ended, experiment: Experiment, now: float) -> bool:
        """Fold an epoch as far as there is anything to; whether there was. It is looked at again when due."""
        key = (epoch.experiment, epoch.number)
        last = self._looked.get(key, -inf) < epoch.settled <= now
        types = layout.array_types((each.name, each.kind) for each in experiment.metrics)
        folds = False
        for variant in epoch.variants:
            place = Place(epoch.experiment, epoch.number, variant)
            try:
                folds |= await self._fold(place, types, last=last, keep_bitmap=epoch.settled > now)
            except StoreUnavailable:
                raise
            except Exception as error:  # whatever is wrong with one epoch, the others are folded
                about = {"experiment": epoch.experiment, "epoch": epoch.number, "variant": variant}
                event(log, "fold_failed", logging.ERROR, **about, detail=repr(error))
        self._looked[key] = now
        return folds

    async def _fold(self, place: Place, types: Mapping[str, str], *, last: bool, keep_bitmap: bool) -> bool:
        """Whether there was anything to do; ``last`` looks even where nothing came since it was folded."""
        arrays = list(types)
        if not (last or await is_loose(self._redis, place, arrays)):
            return False
        loose = await read_loose(self._redis, place, arrays)
        folded = await asyncio.to_thread(partial(loose.together, types, keep_bitmap=keep_bitmap))
        if folded == loose.folded:
            return False
        # What changed in the meantime is folded at the next look.
        await fold(self._redis, place, arrays, loose, folded)
        return True


def _ended(name: str, known: list[Epoch], attribution: float, last: float | None) -> Iterator[Ended]:
    for one, following in pairwise(known):
        at = following.started
        yield Ended(name, one.number, tuple(one.weights), at, at + attribution + SETTLING_SECONDS)
    if known and last is not None:
        yield Ended(name, known[-1].number, tuple(known[-1].weights), last, inf)


async def keep_folding(redis: Redis, leadership: Leadership, clock: Callable[[], float]) -> None:
    """Fold while this process leads, until cancelled."""
    await Folder(redis, leadership, clock).keep()
