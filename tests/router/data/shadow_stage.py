"""What does a test of shadows stand on? A plane whose only route has shadows, and what its ledger sent."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.data.shadow_ledger import Ledger
from router.store.shadows import ShadowBatch
from router.worker_totals import ShadowCounts
from tests.router.data.backend import Backend
from tests.router.data.conftest import experiment
from tests.router.data.inprocess import Client, Running, eventually, running, state_of


@dataclass(frozen=True, slots=True)
class Stage:
    """A plane with one shadow, and what its ledger sent."""

    running: Running
    batches: list[ShadowBatch]

    @property
    def counts(self) -> ShadowCounts:
        return self.running.plane.meter.shadow("next")

    @property
    def sent(self) -> int:
        return self.counts.copies["sent"]

    @property
    def eligible(self) -> int:
        """All that has become of copies."""
        return sum(self.counts.copies.values())

    async def connect(self) -> Client:
        return await self.running.connect()

    async def settled(self, copies: int) -> None:
        """Until so many copies have met their fate, and nothing is in flight or waits to be compared."""
        await eventually(lambda: self.eligible == copies)
        await eventually(lambda: sum(self.counts.answers.values()) == self.sent)
        await eventually(lambda: not self.running.plane.shadows.open_pairs)

    async def sums(self) -> dict[str, int]:
        """What the ledger sent, over all buckets."""
        await self.running.plane.shadows.ledger.flush()
        found: dict[str, int] = {}
        for batch in self.batches:
            for name, by_bucket in batch.sums.items():
                found[name] = found.get(name, 0) + sum(by_bucket.values())
        return found


def mirrored(main: Backend, candidate: Backend, *, split: bool = False, **shadow: Any) -> dict[str, Any]:
    """The configuration of one route, ``/``, whose requests are copied to ``candidate``."""
    backends = {"main": {"url": main.url}, "next": {"url": candidate.url}, "challenger": {"url": main.url}}
    route = {"path": "/", "backend": "main", "repeatable": True, "shadows": ["next"]}
    config: dict[str, Any] = {"backends": backends, "routes": [route]}
    config["shadows"] = {"next": {"backend": "next"} | shadow}
    if split:
        config["experiments"] = {"ranker": experiment()}
        route["experiment"] = "ranker"
    return config


@contextlib.asynccontextmanager
async def staged(
    folder: Path, main: Backend, candidate: Backend, *, split: bool = False, **shadow: Any
) -> AsyncIterator[Stage]:
    """A plane whose only route has a shadow."""
    async with configured(folder, mirrored(main, candidate, split=split, **shadow)) as stage:
        yield stage


@contextlib.asynccontextmanager
async def configured(folder: Path, config: dict[str, Any]) -> AsyncIterator[Stage]:
    """A plane with this configuration, which has a shadow ``next``."""
    batches: list[ShadowBatch] = []

    async def take(batch: ShadowBatch) -> bool:
        batches.append(batch)
        return True

    async with running(state_of(config), folder, Ledger("w", take)) as found:
        yield Stage(found, batches)
        assert found.faults == []
