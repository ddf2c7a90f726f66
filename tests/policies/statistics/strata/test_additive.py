"""Is the additive fit that of least squares with a column for every variant and for every epoch?"""

from __future__ import annotations

from itertools import combinations
from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.statistics.means import Mean
from policies.statistics.result import NotEstimable
from policies.statistics.strata.additive import Information, additive_means, linear_map, pooled_variances
from policies.statistics.strata.additive_fit import AdditiveFit, quasi_variances

Rows = list[list[Mean | None]]


def mean(value: float, variance: float = 1.0) -> Mean:
    return Mean(value, variance, 99.0, 100)


def rows(seed: int, epochs: int, variants: int, gaps: float = 0.3) -> Rows:
    """Epochs of drifting level, some variants missing, variances over two orders of magnitude."""
    rng = np.random.default_rng(seed)
    level, effect = rng.normal(0.0, 5.0, epochs), rng.normal(0.0, 1.0, variants)
    value = level[:, None] + effect + rng.normal(0.0, 0.1, (epochs, variants))
    variance = 10.0 ** rng.uniform(-2.0, 0.0, value.shape)
    here = rng.random(value.shape) >= gaps
    return [
        [mean(float(value[e, k]), float(variance[e, k])) if here[e, k] else None for k in range(variants)]
        for e in range(epochs)
    ]


def by_least_squares(means: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Values (K,) that sum to 0 and their covariance, from a dummy column for each variant and each epoch."""
    epochs, variants = len(means), len(means[0])
    design, value, weight = [], [], []
    for e, epoch in enumerate(means):
        for k, each in enumerate(epoch):
            if each is not None:
                design.append(
                    [float(k == j) for j in range(variants)] + [float(e == d) for d in range(epochs)]
                )
                value.append(each.value)
                weight.append(each.variance**-0.5)
    root = np.array(weight)[:, None] * np.array(design)
    found = np.linalg.lstsq(root, np.array(weight) * np.array(value), rcond=None)[0][:variants]
    covariance = np.linalg.pinv(root.T @ root)[:variants, :variants]
    centre = np.eye(variants) - 1.0 / variants
    return centre @ found, centre @ covariance @ centre


def fit(means: Rows) -> AdditiveFit:
    found = additive_means(means)
    assert isinstance(found, AdditiveFit)
    return found


def apart(covariance: np.ndarray) -> np.ndarray:
    diagonal = np.diag(covariance)
    return diagonal[:, None] + diagonal - 2.0 * covariance


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("variants", [2, 3, 5])
def test_it_is_weighted_least_squares(seed: int, variants: int) -> None:
    means = rows(seed, 12, variants)
    found = fit(means)
    values, covariance = by_least_squares(means)
    assert found.values == pytest.approx(values.tolist(), rel=1e-9, abs=1e-12)
    assert np.allclose(found.covariance, covariance, rtol=1e-8, atol=1e-14)
    assert found.not_estimable == ()


@pytest.mark.parametrize("variants", [2, 3])
def test_quasi_variances_are_exact_for_two_and_three(variants: int) -> None:
    found = fit(rows(1, 10, variants))
    between = apart(np.array(found.covariance))
    for j, k in combinations(range(variants), 2):
        assert found.quasi_variances[j] + found.quasi_variances[k] == pytest.approx(between[j, k], rel=1e-9)
    assert found.worst_error < 1e-9


def test_quasi_variances_are_the_nearest_for_more() -> None:
    """No step away from them brings the relative errors' squares down."""
    between = apart(np.array(fit(rows(4, 8, 6, gaps=0.5)).covariance))
    best, worst = quasi_variances(between)
    first, second = np.triu_indices(6, 1)

    def misfit(v: np.ndarray) -> float:
        return float((((v[first] + v[second]) / between[first, second] - 1.0) ** 2).sum())

    least = misfit(best)
    assert least > 1e-6
    assert 0.0 < worst < 0.5
    for step in np.vstack((np.eye(6), -np.eye(6))) * best.min() * 1e-3:
        assert misfit(np.maximum(best + step, 0.0)) >= least - 1e-12


def test_independent_means_have_their_own_variances() -> None:
    """All in one epoch: the differences' variances are sums, so the quasi-variances are the variances."""
    found = fit([[mean(float(k), 0.1 * (k + 1)) for k in range(4)]])
    assert found.quasi_variances == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert np.diff(found.values) == pytest.approx([1.0, 1.0, 1.0])


def test_a_variant_between_two_others_keeps_a_variance_above_zero() -> None:
    """A chain: all that is uncertain about the middle one is in its neighbours."""
    found = fit([[mean(1.0), mean(2.0), None], [None, mean(5.0), mean(9.0)]])
    assert np.diff(found.values) == pytest.approx([1.0, 4.0])
    assert found.quasi_variances == pytest.approx([2.0, 0.0, 2.0], abs=1e-5)
    assert min(found.quasi_variances) > 0.0


def test_what_nothing_joins_is_named() -> None:
    one, other = mean(1.0), mean(3.0)
    found = fit(
        [[one, other, None, None, None], [None, None, one, other, one], [one, None, None, None, None]]
    )
    assert found.not_estimable == (0, 1)
    assert [isnan(value) for value in found.values] == [True, True, False, False, False]
    assert found.quasi_variances[:2] == (inf, inf)
    assert np.isnan(np.array(found.covariance)[:2]).all()
    assert found.values[2:] == pytest.approx([-2 / 3, 4 / 3, -2 / 3])


@pytest.mark.parametrize(
    "means", [[], [[mean(1.0), None]], [[None, None]], [[mean(1.0), mean(1.0, float("nan"))]]]
)
def test_no_two_variants_together_is_not_estimable(means: Rows) -> None:
    found = additive_means(means)
    assert isinstance(found, NotEstimable)
    assert found.reason == "no two variants share an epoch"


def test_a_variance_of_zero_is_not_left_out_in_silence() -> None:
    means = [[mean(0.1), mean(0.0, 0.0)], [mean(0.1), mean(0.2)]]
    found = additive_means(means)
    assert isinstance(found, NotEstimable)
    assert "variant 1 in epoch 0" in found.reason
    with pytest.raises(ValueError, match=r"variant 1: variance must be > 0, got 0\.0"):
        Information.none(2).add(means[0])
    assert isinstance(additive_means(pooled_variances(means, [[10, 10], [10, 10]])), AdditiveFit)


def test_pooled_variances_go_by_size_alone() -> None:
    pooled = pooled_variances([[mean(1.0, 0.4), None], [mean(2.0, 0.1), mean(1.0, 0.3)]], [[5, 0], [20, 8]])
    (first, absent), (second, other) = pooled
    assert absent is None
    assert first.variance * 5 == pytest.approx(second.variance * 20)
    assert first.variance * 5 == pytest.approx((0.4 * 25 + 0.1 * 400) / 25)
    assert other == mean(1.0, 0.3)


def test_weights_from_pooled_variances_are_unbiased_where_single_ones_are_not() -> None:
    """Thin binary epochs: an epoch that happened to be low has a small variance and would count for more."""
    rng = np.random.default_rng(8)
    won = rng.binomial(40, [0.05, 0.30], size=(4000, 2))
    means = [[Mean.of_rate(int(x), 40) for x in pair] for pair in won]
    seen = [[each if each.variance > 0.0 else None for each in pair] for pair in means]
    pooled = fit(pooled_variances(means, [[40, 40]] * len(means)))
    assert np.diff(pooled.values) == pytest.approx(0.25, abs=0.005)
    assert abs(np.diff(fit(seen).values)[0] - 0.25) > 0.005


@given(st.integers(0, 1000), st.integers(1, 9))
def test_information_folds(seed: int, cut: int) -> None:
    means = rows(seed, 10, 4)
    parts = []
    for some in (means[:cut], means[cut:]):
        part = Information.none(4)
        for epoch in some:
            part = part.add(epoch)
        parts.append(part)
    folded, whole = parts[0].merge(parts[1]).fit(), additive_means(means)
    if isinstance(whole, NotEstimable):
        assert folded == whole
    else:
        assert isinstance(folded, AdditiveFit)
        assert folded.not_estimable == whole.not_estimable
        assert np.allclose(folded.values, whole.values, rtol=1e-9, atol=1e-9, equal_nan=True)


def test_a_drift_of_the_level_changes_nothing() -> None:
    means = rows(5, 8, 3)
    moved = [
        [None if each is None else mean(each.value + 1e3 * e, each.variance) for each in epoch]
        for e, epoch in enumerate(means)
    ]
    assert fit(moved).values == pytest.approx(fit(means).values, abs=1e-9)


def test_small_variances_beside_large_ones_are_kept() -> None:
    found = fit([[mean(0.0, 1e-10), mean(1e-5, 1e-10), mean(0.0, 1e4)]])
    assert sum(found.quasi_variances[:2]) == pytest.approx(2e-10, rel=1e-6)
    assert found.quasi_variances[0] == pytest.approx(1e-10, rel=0.1)


def test_the_linear_map_is_the_fit() -> None:
    means = rows(6, 9, 4)
    precision = np.array([[0.0 if each is None else 1.0 / each.variance for each in row] for row in means])
    value = np.array([[0.0 if each is None else each.value for each in row] for row in means])
    found = linear_map(precision)
    assert not isinstance(found, NotEstimable)
    rows_of, variants = found
    by_map = np.einsum("cek,ek->c", rows_of, value)
    assert variants == (0, 1, 2, 3)
    assert by_map - by_map.mean() == pytest.approx(np.array(fit(means).values), abs=1e-9)
    variance = np.where(precision > 0, 1.0 / np.where(precision > 0, precision, 1.0), 0.0)
    covariance = np.einsum("cek,ek,dek->cd", rows_of, variance, rows_of)
    assert np.allclose(apart(covariance), apart(np.array(fit(means).covariance)), rtol=1e-8)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="a mean for each of 3 variants, got 2"):
        Information.none(3).add([None, None])
    with pytest.raises(ValueError, match=r"shapes \(K, K\) and \(K,\)"):
        Information(np.zeros((2, 3)), np.zeros(2))
    with pytest.raises(ValueError, match="cannot merge information on 2 and 3"):
        Information.none(2).merge(Information.none(3))
