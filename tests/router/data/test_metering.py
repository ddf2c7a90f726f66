"""Are a worker's totals what its requests came to?"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from router.data.metering import Meter, add_log
from router.worker_totals import BACKEND_BOUNDS, OVERHEAD_BOUNDS, Series

# At the bounds, and around them.
seconds = st.sampled_from([0.0, *BACKEND_BOUNDS]) | st.floats(0, 100)
entries = st.builds(
    lambda beyond, own, status: (0, 0, round((beyond + own) * 1e6), status, 0, beyond),
    seconds,
    st.floats(0, 0.2),
    st.sampled_from([200, 204, 404, 502]),
)


@given(st.lists(st.lists(entries, min_size=1, max_size=20), max_size=4))
def test_a_series_is_the_naive_counts(
    logs: list[list[tuple[int, int, int, int, int, float]]],
) -> None:
    series = Series(route="/")
    statuses: Counter[int] = Counter()
    overhead, backend = [0] * (len(OVERHEAD_BOUNDS) + 1), [0] * (len(BACKEND_BOUNDS) + 1)
    for log in logs:
        add_log(series, log)
        for _, _, last, status, _, beyond in log:
            statuses[status] += 1
            overhead[bisect_left(OVERHEAD_BOUNDS, last * 1e-6 - beyond)] += 1
            if beyond > 0:
                backend[bisect_left(BACKEND_BOUNDS, beyond)] += 1
    assert series.statuses == statuses
    assert series.overhead.counts == overhead
    assert series.backend_time.counts == backend
    assert series.overhead.cumulative[-1] == sum(map(len, logs))


def test_what_has_nothing_to_count_is_not_told() -> None:
    meter = Meter()
    meter.series("/idle")
    busy = meter.series("/busy", "e", "v", "b", "split")
    assert meter.series("/busy", "e", "v", "b", "split") is busy
    add_log(busy, [(0, 1, 2, 200, 0, 0.0)])
    assert [each.route for each in meter.totals().series] == ["/busy"]
