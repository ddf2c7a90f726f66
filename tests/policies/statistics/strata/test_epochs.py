"""Does the effect over epochs stay what it is in each, when pooling would turn it around?"""

from __future__ import annotations

import numpy as np
import pytest

from policies.statistics.difference.means import clustered, difference
from policies.statistics.evidence import BucketSums
from policies.statistics.means import Mean
from policies.statistics.strata.clustered import Counts, Panel, stratified_clustered
from policies.statistics.strata.inverse_variance import inverse_variance
from policies.statistics.strata.mantel_haenszel import cochran_mantel_haenszel, mantel_haenszel
from policies.statistics.strata.stratified import stratified, stratum_weights

RAMP = [(20_000, 990_000, 230, 10_000), (5000, 500_000, 6000, 500_000)]


def test_simpson() -> None:
    strata = [(Mean.of_rate(xc, nc), Mean.of_rate(xt, nt)) for xc, nc, xt, nt in RAMP]
    xc, nc, xt, nt = (sum(column) for column in zip(*RAMP, strict=True))
    assert difference(Mean.of_rate(xc, nc), Mean.of_rate(xt, nt)).high < 0.0
    for weighting in ("traffic", "cmh"):
        assert stratified(strata, weighting=weighting).low > 0.0


def rows(rng: np.random.Generator, shift: float = 0.0) -> BucketSums:
    n = rng.poisson(5.0, 64)
    return BucketSums(n, rng.binomial(n, 0.3 + shift))


def test_one_epoch_is_the_difference_within_it() -> None:
    rng = np.random.default_rng(1)
    a, b = rows(rng), rows(rng, 0.1)
    one, alone = stratified_clustered([(a, b)]), clustered(a, b)
    assert one.estimate == pytest.approx(alone.estimate)
    # They differ by the sample covariance of the variants' buckets only, which one epoch knows to be none.
    covariance = float(a.influence() @ b.influence())
    assert one.standard_error**2 == pytest.approx(alone.standard_error**2 - 2.0 * covariance)


def test_the_panel_agrees_with_bucket_sums() -> None:
    rng = np.random.default_rng(2)
    cells = [[rows(rng) for _ in range(3)] for _ in range(4)]
    denominator, numerator = (
        np.array([[getattr(c, name) for c in row] for row in cells], float)
        for name in ("denominator", "numerator")
    )
    panel = Panel.of(Counts.of(denominator), numerator)
    for e, row in enumerate(cells):
        for v, sums in enumerate(row):
            assert panel.mean[e, v] == pytest.approx(sums.mean)
            assert panel.variance[e, v] == pytest.approx(sums.variance_of_mean())
            assert panel.cross[e, v] == pytest.approx(float(sums.influence() @ row[0].influence()))
    weights = np.array([[0.1, 0.2, 0.0, 0.7], [0.25, 0.25, 0.25, 0.25]])
    maps = rng.normal(size=(3, 2, 4))
    found = panel.combine(weights, maps)
    means = np.array([[sums.mean for sums in row] for row in cells])
    pulls = np.array([[sums.influence() for sums in row] for row in cells])
    assert np.allclose(found.value, (weights @ means).T)
    assert np.allclose(found.influence, np.einsum("re,evb->vrb", weights, pulls))
    assert np.allclose(found.variance, np.square(found.influence).sum(axis=2))
    assert np.allclose(found.mapped, np.einsum("vce,evb->cb", maps, pulls))


def test_what_varies_only_by_rounding_does_not_vary() -> None:
    """One value in all buckets of a cell: sums of fractions are inexact, and their spread is no variance."""
    rng = np.random.default_rng(5)
    n = rng.poisson(5.0, (50, 2, 64)).astype(float)
    panel = Panel.of(Counts.of(n), n * rng.random((50, 2, 1)))
    assert not panel.variance.any()
    assert not panel.cross.any()
    found = panel.combine(np.full((1, 50), 0.02), np.ones((2, 1, 50)))
    assert not found.variance.any()
    assert not found.influence.any()
    assert not found.mapped.any()


def test_clusters_are_the_buckets_that_hold_anything_in_any_kept_epoch() -> None:
    n = np.zeros((3, 2, 8))
    n[0, 0, :3] = n[1, 0, 2:5] = n[2, 1, 7] = 1.0
    counts = Counts.of(n)
    assert counts.clusters_over(np.array([True, True, True])).tolist() == [5, 1]
    assert counts.clusters_over(np.array([True, False, True])).tolist() == [3, 1]


def test_large_offsets_do_not_cancel() -> None:
    """Values near 1e7 that differ in the first decimal: the spread is seen, not rounded away."""
    n = np.full(256, 3)
    noise = np.random.default_rng(3).normal(0.0, 0.1, (2, 256))
    near, far = (
        stratified_clustered([tuple(BucketSums(n, n * offset + each) for each in noise)])
        for offset in (0.0, 1e7)
    )
    assert far.standard_error == pytest.approx(near.standard_error, rel=1e-6)
    assert far.estimate == pytest.approx(near.estimate, rel=1e-5)


def test_weights() -> None:
    assert stratum_weights([(10, 30), (50, 10)]) == pytest.approx([0.4, 0.6])
    assert stratum_weights([(10, 30), (50, 10)], "cmh") == pytest.approx(
        [7.5 / (7.5 + 25 / 3), 25 / 3 / (7.5 + 25 / 3)]
    )
    assert stratum_weights([(10, 30), (9, 0), (0, 9), (50, 10)]) == pytest.approx([0.4, 0.0, 0.0, 0.6])


GOOD = [(30, 100, 45, 100), (20, 80, 30, 90)]
# One variant empty, one unit only, nobody, everybody.
EMPTY, SINGLE, NOBODY, EVERYBODY = (3, 9, 0, 0), (3, 9, 1, 1), (0, 9, 0, 7), (9, 9, 7, 7)


def of(tables: list) -> list[tuple[Mean, Mean]]:
    return [(Mean.of_rate(x, n), Mean.of_rate(y, m)) for x, n, y, m in tables]


@pytest.mark.parametrize("thin", [EMPTY, SINGLE])
@pytest.mark.parametrize("weighting", ["traffic", "cmh"])
def test_an_epoch_of_unknown_variance_is_left_out_and_the_others_count(thin: tuple, weighting: str) -> None:
    found, without = (stratified(of(tables), weighting=weighting) for tables in ([*GOOD, thin], GOOD))
    assert (found.estimate, found.low, found.p_value) == (without.estimate, without.low, without.p_value)
    assert found.detail("strata_left_out") == 1.0
    assert without.detail("strata_left_out") == 0.0


@pytest.mark.parametrize("thin", [EMPTY, NOBODY, EVERYBODY])
def test_epochs_that_say_nothing_of_an_odds_ratio_are_left_out(thin: tuple) -> None:
    for method, value in ((mantel_haenszel, "estimate"), (cochran_mantel_haenszel, "statistic")):
        found, without = method([*GOOD, thin]), method(GOOD)
        assert getattr(found, value) == getattr(without, value)
        assert found.p_value == without.p_value
        assert (found.detail("strata_left_out"), without.detail("strata_left_out")) == (1.0, 0.0)


def test_a_single_unit_counts_for_an_odds_ratio_which_needs_no_variance_of_it() -> None:
    for method in (mantel_haenszel, cochran_mantel_haenszel):
        assert method([*GOOD, SINGLE]).detail("strata_left_out") == 0.0
        assert method([*GOOD, SINGLE]).p_value != method(GOOD).p_value


@pytest.mark.parametrize("thin", [EMPTY, SINGLE, NOBODY])
def test_an_epoch_without_a_weight_is_left_out_of_the_inverse_variance(thin: tuple) -> None:
    means = of([*GOOD, thin])
    d, v = [b.value - a.value for a, b in means], [a.variance + b.variance for a, b in means]
    if thin is SINGLE:
        v[2] = float("nan")  # as a sample variance of one unit is
    found, without = inverse_variance(d, v), inverse_variance(d[:2], v[:2])
    assert (found.estimate, found.p_value) == (without.estimate, without.p_value)
    assert found.detail("q_p") == without.detail("q_p")
    assert found.detail("strata_left_out") == 1.0
