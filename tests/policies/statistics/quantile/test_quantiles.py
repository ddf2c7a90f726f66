"""Do sketches keep their error, and quantile intervals their laws?"""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.latency_cells import CELLS, GAMMA, RELATIVE_ERROR, cell
from policies.statistics.always_valid.asymptotic import critical_value
from policies.statistics.kernel import critical
from policies.statistics.quantile.anytime import (
    anytime_quantile,
    anytime_quantile_test,
    empirical_process_lil_bound,
)
from policies.statistics.quantile.clustered import clustered_quantile, clustered_quantile_difference
from policies.statistics.quantile.normal import QuantileInterval, quantile_difference
from policies.statistics.quantile.order_statistic import Ranks, order_statistic_interval, quantile_ranks
from policies.statistics.quantile.over_epochs import over_epochs
from policies.statistics.quantile.sketch import Sketch, sketched_quantile
from policies.statistics.result import Estimate, NotEstimable
from policies.statistics.result import Test as Verdict

VALUES = st.lists(st.floats(1e-6, 1e9), max_size=200)
SHARES = st.floats(0.01, 0.99)


@given(VALUES.filter(bool), SHARES, st.floats(0.001, 0.1))
def test_a_sketched_quantile_is_within_its_relative_error(
    values: list[float], q: float, error: float
) -> None:
    exact = sorted(values)[int(q * (len(values) - 1))]
    found = sketched_quantile(values, q, error)
    assert isinstance(found, float)
    assert abs(found - exact) <= error * exact * (1 + 1e-9)


@given(VALUES, VALUES, VALUES)
def test_merging_is_associative_order_free_and_the_sketch_of_all(a: list, b: list, c: list) -> None:
    x, y, z = (Sketch.from_values(part, 0.01) for part in (a, b, c))
    assert (
        x.merge(y).merge(z)
        == x.merge(y.merge(z))
        == z.merge(y).merge(x)
        == Sketch.from_values(a + b + c, 0.01)
    )
    assert len({x.merge(y), y.merge(x)}) == 1


def test_zeros_are_counted_apart_and_read_back() -> None:
    sketch = Sketch.from_values([0.0, 0.0, 5.0], 0.01).merge(Sketch.from_values([0.0], 0.01))
    assert (sketch.total, sketch.zeros, sketch.quantile(0.5)) == (4, 3, 0.0)
    assert sketch.at_rank(3) == pytest.approx(5.0, rel=0.01)
    assert Sketch.from_values([], 0.01).merge(sketch) == sketch


def test_the_routers_cells_are_a_sketch_in_seconds() -> None:
    latencies = np.random.default_rng(1).lognormal(11.0, 1.0, 2000).astype(int)
    counts = np.bincount([cell(int(us)) for us in latencies], minlength=CELLS)
    found = Sketch.from_latency_cells(counts).quantile(0.95)
    exact = float(np.quantile(latencies, 0.95, method="lower")) * 1e-6
    assert found == pytest.approx(exact, rel=RELATIVE_ERROR)


@pytest.mark.parametrize("call", [
    lambda: Sketch.from_values([-1.0]), lambda: Sketch.from_values([inf]),
    lambda: Sketch.from_values([1.0], 1.0),
    lambda: Sketch.from_values([1.0], 0.01).merge(Sketch.from_values([1.0], 0.02)),
    lambda: Sketch.from_latency_cells([1, 2]), lambda: Sketch.from_values([1.0]).at_rank(1),
    lambda: Sketch(0.01, 0, np.array([-1])),
])  # fmt: skip
def test_a_sketch_refuses_what_it_cannot_hold(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=r"must|cannot|none negative"):
        call()


def test_nothing_counted_is_not_estimable() -> None:
    assert isinstance(Sketch.from_values([]).quantile(0.5), NotEstimable)
    assert isinstance(order_statistic_interval([], 0.5), NotEstimable)
    assert isinstance(quantile_ranks(0, 0.5), NotEstimable)
    assert isinstance(anytime_quantile(np.arange(10.0), 0.5), NotEstimable)
    assert isinstance(anytime_quantile_test([], [1.0], 0.5), NotEstimable)


@given(st.integers(1, 20_000), SHARES, st.floats(0.001, 0.3))
def test_ranks_cover_at_least_their_level(n: int, q: float, alpha: float) -> None:
    found = quantile_ranks(n, q, alpha)
    assert isinstance(found, Ranks)
    assert 0 <= found.lower < found.upper <= n + 1
    assert found.coverage >= 1 - alpha - 1e-9


def test_a_quantile_beyond_all_observations_has_an_open_end() -> None:
    found = order_statistic_interval([1.0, 2.0, 3.0], 0.99)
    assert isinstance(found, Estimate)
    assert found.high == inf
    sketched = order_statistic_interval(Sketch.from_values(np.arange(1.0, 1001.0), 0.01), 0.5)
    plain = order_statistic_interval(np.arange(1.0, 1001.0), 0.5)
    assert isinstance(sketched, Estimate)
    assert isinstance(plain, Estimate)
    assert sketched.low <= plain.low <= plain.high <= sketched.high


def histogram(
    seed: int, shift: float = 0.0, groups: int = 32, users: int = 200, user_sd: float = 0.5
) -> np.ndarray:
    """Counts (groups, CELLS) of users with ten requests each."""
    rng = np.random.default_rng(seed)
    latency = np.exp(rng.normal(11.0 + shift, user_sd, (users, 1)) + rng.normal(0, 0.3, (users, 10)))
    cells = np.searchsorted(np.floor(GAMMA ** np.arange(CELLS - 1)), latency.astype(int))
    group = np.broadcast_to(rng.integers(0, groups, (users, 1)), cells.shape)
    return np.bincount((group * CELLS + cells).ravel(), minlength=groups * CELLS).reshape(groups, CELLS)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(-1, 1), SHARES)
def test_swapping_the_variants_flips_the_difference_and_keeps_p(
    one: int, two: int, shift: float, q: float
) -> None:
    a, b = histogram(one), histogram(two, shift)
    found, swapped = clustered_quantile_difference(a, b, q), clustered_quantile_difference(b, a, q)
    assert isinstance(found, Estimate)
    assert isinstance(swapped, Estimate)
    assert (found.estimate, found.low, found.high) == pytest.approx(
        (-swapped.estimate, -swapped.high, -swapped.low), rel=1e-9
    )
    assert found.p_value == pytest.approx(swapped.p_value)
    assert found.p_value is not None
    assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), SHARES, st.integers(1, 100))
def test_moving_all_cells_scales_the_interval(seed: int, q: float, cells: int) -> None:
    one = histogram(seed)
    found, moved = clustered_quantile(one, q), clustered_quantile(np.roll(one, cells, axis=1), q)
    assert isinstance(found, Estimate)
    assert isinstance(moved, Estimate)
    assert (moved.estimate, moved.high) == pytest.approx(
        (found.estimate * GAMMA**cells, found.high * GAMMA**cells)
    )
    assert found.low <= found.estimate <= found.high


def test_many_requests_of_a_user_widen_the_interval_and_independent_ones_do_not() -> None:
    together, apart = (clustered_quantile(histogram(4, user_sd=sd), 0.9) for sd in (1.0, 0.0))
    naive = np.sqrt(0.9 * 0.1 / 2000)
    assert isinstance(together, Estimate)
    assert isinstance(apart, Estimate)
    assert together.detail("share_error") > 2.0 * naive
    assert naive <= apart.detail("share_error") < 1.5 * naive


def test_an_always_valid_multiplier_widens_it_and_leaves_out_the_p_value() -> None:
    a, b = histogram(5), histogram(6, 0.5)
    multiplier = critical_value(400, 0.05, 400)
    fixed, anytime = (clustered_quantile_difference(a, b, 0.5, multiplier=m) for m in (None, multiplier))
    assert isinstance(fixed, Estimate)
    assert isinstance(anytime, Estimate)
    assert anytime.low < fixed.low < fixed.high < anytime.high
    assert anytime.p_value is None
    same = clustered_quantile_difference(a, b, 0.5, multiplier=critical(0.05, df=31))
    assert isinstance(same, Estimate)
    assert (same.low, same.high) == (fixed.low, fixed.high)


def test_one_cell_of_latencies_is_known_to_that_cell() -> None:
    one = np.zeros((32, CELLS))
    one[:, 250] = 40
    found = clustered_quantile(one, 0.5)
    assert isinstance(found, Estimate)
    assert found.high / found.low == pytest.approx(GAMMA)
    equal = clustered_quantile_difference(one, one, 0.5)
    assert isinstance(equal, Estimate)
    assert (equal.estimate, equal.p_value) == (0.0, 1.0)
    assert equal.low < 0.0 < equal.high


def test_a_quantile_beyond_all_requests_is_open_and_so_is_a_difference() -> None:
    few = np.zeros((32, CELLS))
    few[:4, 250] = 1
    found = clustered_quantile(few, 0.99)
    assert isinstance(found, Estimate)
    assert found.high == inf
    pair = clustered_quantile_difference(few, few, 0.99)
    assert isinstance(pair, Estimate)
    assert (pair.low, pair.high, pair.p_value) == (-inf, inf, 1.0)


def test_one_group_or_none_is_not_estimable() -> None:
    empty, single = np.zeros((32, CELLS)), np.zeros((32, CELLS))
    single[3, 100] = 50
    for thin in (empty, single):
        assert isinstance(clustered_quantile(thin, 0.5), NotEstimable)
        lacking = clustered_quantile_difference(histogram(1), thin, 0.5)
        assert isinstance(lacking, NotEstimable)
        assert lacking.reason.startswith("treatment")


@pytest.mark.parametrize("wrong", [np.zeros(CELLS), np.zeros((2, 5)), np.full((2, CELLS), -1.0)])
def test_a_wrong_histogram_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="histogram"):
        clustered_quantile(wrong, 0.5)


def test_epochs_of_other_weights_and_speeds_do_not_fake_a_difference() -> None:
    fast, slow = histogram(7), histogram(8, 1.0)
    control, treatment = [fast * 9, slow], [fast, slow * 9]
    summed = clustered_quantile_difference(sum(control), sum(treatment), 0.5)
    pair = over_epochs(control, treatment)
    assert not isinstance(pair, NotEstimable)
    standard = clustered_quantile_difference(*pair, 0.5)
    assert isinstance(summed, Estimate)
    assert isinstance(standard, Estimate)
    assert summed.low > 0
    assert standard.estimate == 0.0
    assert standard.low < 0 < standard.high


def test_one_epoch_is_itself_and_epochs_without_both_count_in_neither() -> None:
    a, b = histogram(1), histogram(2)
    alone = over_epochs([a], [b])
    assert not isinstance(alone, NotEstimable)
    assert np.allclose(alone[0], a)
    more = over_epochs([a, np.zeros_like(a)], [b, b])
    assert not isinstance(more, NotEstimable)
    assert np.allclose(more[1], b)
    assert isinstance(over_epochs([a], [np.zeros_like(b)]), NotEstimable)
    with pytest.raises(ValueError, match="as many epochs"):
        over_epochs([a], [])


def test_intervals_of_no_width_or_one_observation_are_not_estimable() -> None:
    wide, none = QuantileInterval(100, 5.0, 4.0, 6.0, 100), QuantileInterval(100, 5.0, 5.0, 5.0, 100)
    assert isinstance(quantile_difference(none, none), NotEstimable)
    assert isinstance(quantile_difference(QuantileInterval(1, 5.0, 4.0, 6.0, 1), wide), NotEstimable)
    with pytest.raises(ValueError, match="low must be"):
        QuantileInterval(10, 5.0, 6.0, 4.0, 10)
    found, swapped = quantile_difference(wide, none), quantile_difference(none, wide)
    assert isinstance(found, Estimate)
    assert isinstance(swapped, Estimate)
    assert found.p_value == swapped.p_value


@given(st.floats(100, 1e9), st.floats(100, 1e9))
def test_the_lil_bound_shrinks_and_is_void_before_its_start(one: float, other: float) -> None:
    early, late = sorted((one, other))
    assert empirical_process_lil_bound(late) <= empirical_process_lil_bound(early)
    assert empirical_process_lil_bound(99.9) == inf


def test_the_anytime_bands_refuse_wrong_shapes() -> None:
    with pytest.raises(ValueError, match="sqrt"):
        empirical_process_lil_bound(1000, a=0.5)
    found = anytime_quantile(np.arange(200.0), 0.99)
    assert isinstance(found, Estimate)
    assert found.high == inf


def test_the_anytime_test_is_symmetric_and_sees_ties() -> None:
    rng = np.random.default_rng(9)
    a, b = rng.integers(0, 30, 800), rng.integers(10, 40, 700)
    one, other = anytime_quantile_test(a, b, 0.5), anytime_quantile_test(b, a, 0.5)
    assert isinstance(one, Verdict)
    assert isinstance(other, Verdict)
    assert one.p_value == other.p_value
    assert one.p_value is not None
    assert one.p_value < 1e-6
    same = anytime_quantile_test(np.full(500, 3.0), np.full(500, 3.0), 0.5)
    assert isinstance(same, Verdict)
    assert same.p_value == 1.0
