"""Does what shadows answered reach the store once, whatever becomes of a batch?"""

from __future__ import annotations

import pytest

from policies.shadow.compare import Compared
from router.data.shadow_ledger import Ledger
from router.errors import StoreUnavailable
from router.store.shadows import ShadowBatch

PLACE = ("next", "g1")
SAME, DIFFERS = (
    Compared(differs=False, seconds=0.5),
    Compared(differs=True, body=True, top=False, overlap=0.25),
)


class Store:
    """A store that may be away, before or after it has counted."""

    def __init__(self) -> None:
        self.counted: dict[tuple[str, str], ShadowBatch] = {}
        self.tries = 0
        self.away = False
        self.silent = False

    async def send(self, batch: ShadowBatch) -> bool:
        self.tries += 1
        if self.away:
            raise StoreUnavailable("away")
        self.counted[batch.generation, str(batch.number)] = batch
        if self.silent:
            raise StoreUnavailable("it was counted, and nobody heard of it")
        return True

    def total(self, name: str) -> int:
        return sum(sum(batch.sums.get(name, {}).values()) for batch in self.counted.values())


async def test_pairs_add_up_by_bucket() -> None:
    store = Store()
    ledger = Ledger("w", store.send)
    ledger.add(PLACE, 3, SAME, None)
    ledger.add(PLACE, 3, DIFFERS, SAME)
    ledger.add(PLACE, 4, DIFFERS, DIFFERS)
    ledger.add(PLACE, 5, SAME, DIFFERS)
    await ledger.flush()
    (batch,) = store.counted.values()
    assert batch.sums["candidate.pairs"] == {3: 2, 4: 1, 5: 1}
    assert batch.sums["candidate.differs"] == {3: 1, 4: 1}
    assert (batch.sums["both"], batch.sums["candidate_only"]) == ({3: 1, 4: 1, 5: 1}, {3: 1})
    assert batch.sums["noise_only"] == {5: 1}
    assert batch.sums["candidate.overlap"] == {3: 250_000, 4: 250_000}
    assert batch.sums["candidate.seconds"] == {3: 500_000, 5: 500_000}
    assert (batch.sums["candidate.top_pairs"], "candidate.top_same" in batch.sums) == ({3: 1, 4: 1}, False)


@pytest.mark.parametrize("counted", [True, False])
async def test_a_batch_in_doubt_is_sent_again_under_its_number(counted: bool) -> None:
    store = Store()
    ledger = Ledger("w", store.send)
    store.silent, store.away = counted, not counted
    ledger.add(PLACE, 1, SAME, None)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await ledger.flush()
        ledger.add(PLACE, 1, SAME, None)
    assert ledger.pending == 2
    store.silent = store.away = False
    await ledger.flush()
    assert (store.total("candidate.pairs"), sorted(number for _, number in store.counted)) == (4, ["1", "2"])
    assert ledger.pending == 0


async def test_generations_are_numbered_apart() -> None:
    store = Store()
    ledger = Ledger("w", store.send)
    for generation in ("g1", "g2", "g1"):
        ledger.add(("next", generation), 1, SAME, None)
        await ledger.flush()
    assert sorted(store.counted) == [("g1", "1"), ("g1", "2"), ("g2", "1")]


async def test_examples_are_bounded_between_batches() -> None:
    ledger = Ledger("w", Store().send)
    kept = 0
    while ledger.wants_example(PLACE):
        ledger.add_example(PLACE, {"at": kept})
        kept += 1
    assert kept == 5
    await ledger.flush()
    assert ledger.wants_example(PLACE)
