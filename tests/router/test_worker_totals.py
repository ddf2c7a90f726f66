"""Do workers' totals add up?"""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from router.worker_totals import (
    BACKEND_BOUNDS,
    OVERHEAD_BOUNDS,
    Histogram,
    OutcomeCount,
    PoolCounts,
    Series,
    Totals,
    merge,
    replace_file,
)

counts = st.integers(0, 1000)
names = st.sampled_from(["", "a", "b"])


def histograms(bounds: int) -> st.SearchStrategy[Histogram]:
    return st.builds(Histogram, st.lists(counts, min_size=bounds + 1, max_size=bounds + 1), counts.map(float))


serieses = st.builds(
    Series,
    route=names,
    experiment=names,
    statuses=st.dictionaries(st.sampled_from([200, 503]), counts),
    overhead=histograms(len(OVERHEAD_BOUNDS)),
    backend_time=histograms(len(BACKEND_BOUNDS)),
    unidentified=counts,
    exposures=counts,
)
totals = st.builds(
    Totals,
    st.lists(serieses, max_size=4),
    st.dictionaries(names, st.builds(PoolCounts, counts, counts, counts, counts, counts, counts)),
    st.lists(st.builds(OutcomeCount, names, names, names, counts), max_size=4),
    st.dictionaries(names, counts),
)


def sums(parts: list[Totals]) -> list[float]:
    """Every kind of count, summed over everything."""
    series = [one for part in parts for one in part.series]
    pools = [pool for part in parts for pool in part.pools.values()]
    return [
        sum(sum(one.statuses.values()) for one in series),
        sum(sum(one.overhead.counts) for one in series),
        sum(one.backend_time.cumulative[-1] for one in series),
        sum(one.backend_time.seconds for one in series),
        sum(one.unidentified + 7 * one.exposures for one in series),
        sum(pool.waits + 3 * pool.full + 5 * pool.retries for pool in pools),
        sum(one.count for part in parts for one in part.outcomes),
        sum(sum(part.refusals.values()) for part in parts),
    ]


@given(st.lists(totals, max_size=3))
def test_nothing_is_lost_or_counted_twice_and_no_label_stands_twice(parts: list[Totals]) -> None:
    before = sums(parts)
    whole = merge(parts)
    assert sums([whole]) == before == sums(parts)
    assert len({one.key for one in whole.series}) == len(whole.series)
    assert merge([merge(parts[:1]), merge(parts[1:])]) == whole


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("a.json", b"two")]
