"""Do the laws hold that every comparison must obey, whatever the numbers?

Swapping control and treatment flips the sign and keeps p; scaling the metric scales the interval; an interval
leaves out zero exactly when its p-value is below alpha.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isclose

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policies.statistics.adjustment.ancova import ancova
from policies.statistics.adjustment.cuped import cuped, cuped_ratio
from policies.statistics.difference.means import clustered, difference, ratio_of_sums, student, welch
from policies.statistics.difference.proportions import agresti_caffo, newcombe, wald_proportions
from policies.statistics.difference.score import miettinen_nurminen, two_proportion
from policies.statistics.evidence import BucketSums, Moments
from policies.statistics.guardrail.equivalence import equivalence
from policies.statistics.kernel import critical
from policies.statistics.lift.delta import delta_lift
from policies.statistics.lift.fieller import fieller
from policies.statistics.lift.log_ratio import log_lift
from policies.statistics.means import Mean
from policies.statistics.result import Estimate, NotEstimable
from policies.statistics.strata.clustered import stratified_clustered
from policies.statistics.strata.inverse_variance import inverse_variance
from policies.statistics.strata.stratified import stratified

SEEDS = st.integers(0, 2**32 - 1)
ALPHAS = st.sampled_from([0.001, 0.01, 0.05, 0.2])
Compare = Callable[[np.ndarray, np.ndarray, float], Estimate | NotEstimable]


def _sums(rows: np.ndarray) -> BucketSums:
    return BucketSums(np.ones(len(rows), np.int64), rows[:, 0])


def _pairs(a: np.ndarray, b: np.ndarray) -> list[tuple[BucketSums, BucketSums]]:
    half = len(a) // 2
    pairs = []
    for part in (slice(0, half), slice(half, None)):
        rows = [np.zeros((2, len(a))) for _ in range(2)]
        for out, sample in zip(rows, (a, b), strict=True):
            out[0, part], out[1, part] = 1.0, sample[part, 0]
        pairs.append((BucketSums(*rows[0]), BucketSums(*rows[1])))
    return pairs


# Rows are (outcome, a positive second quantity, covariate); each compares treatment b with control a.
LINEAR: dict[str, Compare] = {
    "welch": lambda a, b, alpha: welch(Moments.from_values(a[:, 0]), Moments.from_values(b[:, 0]), alpha),
    "student": lambda a, b, alpha: student(Moments.from_values(a[:, 0]), Moments.from_values(b[:, 0]), alpha),
    "ratio": lambda a, b, alpha: ratio_of_sums(
        Moments.from_values(a[:, :2]), Moments.from_values(b[:, :2]), alpha
    ),
    "clustered": lambda a, b, alpha: clustered(_sums(a), _sums(b), alpha),
    "cuped": lambda a, b, alpha: cuped(
        Moments.from_values(a[:, [0, 2]]), Moments.from_values(b[:, [0, 2]]), alpha
    ),
    "cuped_ratio": lambda a, b, alpha: cuped_ratio(
        *(Moments.from_values(each[:, [0, 1, 2, 1]]) for each in (a, b)), alpha
    ),
    "ancova": lambda a, b, alpha: ancova(a[:, 0], a[:, 2], b[:, 0], b[:, 2], alpha),
    "stratified": lambda a, b, alpha: stratified(
        [
            (Mean.of(Moments.from_values(a[i::2, 0])), Mean.of(Moments.from_values(b[i::2, 0])))
            for i in (0, 1)
        ],
        alpha,
    ),
    "stratified_clustered": lambda a, b, alpha: stratified_clustered(_pairs(a, b), alpha),
    "difference": lambda a, b, alpha: difference(Mean.of_buckets(_sums(a)), Mean.of_buckets(_sums(b)), alpha),
}
LIFTS = {"fieller": fieller, "delta": delta_lift, "log": log_lift}
RATES = {
    "two_proportion": two_proportion,
    "newcombe": newcombe,
    "wald": wald_proportions,
    "agresti_caffo": agresti_caffo,
    "miettinen_nurminen": miettinen_nurminen,
}


def samples(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two samples of equal size with an effect that is sometimes nothing and sometimes large."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(8, 60))
    shift = rng.choice([0.0, 0.3, 1.0, 5.0])
    rows = []
    for effect in (0.0, shift):
        covariate = rng.normal(3.0, 1.0, n)
        outcome = rng.normal(10.0 + effect, 1.0, n) + 0.7 * covariate
        rows.append(np.column_stack([outcome, rng.uniform(1.0, 2.0, n), covariate]))
    return rows[0], rows[1]


def agrees(result: Estimate, alpha: float) -> bool:
    """Zero is outside the interval exactly when p < alpha, but for the last digits at the edge itself."""
    assert result.p_value is not None
    assume(not isclose(result.p_value, alpha, rel_tol=1e-9))
    return (result.low > 0.0 or result.high < 0.0) == (result.p_value < alpha)


@pytest.mark.parametrize("name", LINEAR)
@given(seed=SEEDS, alpha=ALPHAS)
@settings(max_examples=40, deadline=None)
def test_means(name: str, seed: int, alpha: float) -> None:
    compare, (a, b) = LINEAR[name], samples(seed)
    result, swapped = compare(a, b, alpha), compare(b, a, alpha)
    scaled = compare(a * [1000.0, 1.0, 1.0], b * [1000.0, 1.0, 1.0], alpha)
    assert isinstance(result, Estimate)
    assert isinstance(swapped, Estimate)
    assert isinstance(scaled, Estimate)
    near = {"rel": 1e-7, "abs": 1e-9}
    assert swapped.estimate == pytest.approx(-result.estimate, **near)
    assert (swapped.low, swapped.high) == pytest.approx((-result.high, -result.low), **near)
    assert swapped.p_value == pytest.approx(result.p_value, rel=1e-6, abs=1e-300)
    assert (scaled.estimate, scaled.low, scaled.high) == pytest.approx(
        tuple(1000.0 * x for x in (result.estimate, result.low, result.high)), rel=1e-7, abs=1e-6
    )
    assert scaled.p_value == pytest.approx(result.p_value, rel=1e-6, abs=1e-300)
    assert agrees(result, alpha)


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int, int, int]:
    n_a, n_b = draw(st.integers(1, 500)), draw(st.integers(1, 500))
    return draw(st.integers(0, n_a)), n_a, draw(st.integers(0, n_b)), n_b


@pytest.mark.parametrize("name", RATES)
@given(given_counts=counts(), alpha=ALPHAS)
@settings(max_examples=60, deadline=None)
def test_rates(name: str, given_counts: tuple[int, int, int, int], alpha: float) -> None:
    x_a, n_a, x_b, n_b = given_counts
    compare = RATES[name]
    result, swapped = compare(x_a, n_a, x_b, n_b, alpha), compare(x_b, n_b, x_a, n_a, alpha)
    failures = compare(n_a - x_a, n_a, n_b - x_b, n_b, alpha)
    if isinstance(result, NotEstimable):
        assert swapped == result == failures or "rates are" in result.reason
        return
    assert isinstance(swapped, Estimate)
    assert isinstance(failures, Estimate)
    for mirrored in (swapped, failures):
        assert mirrored.estimate == pytest.approx(-result.estimate, abs=1e-12)
        assert (mirrored.low, mirrored.high) == pytest.approx((-result.high, -result.low), abs=1e-9)
        if result.p_value is not None:
            assert mirrored.p_value == pytest.approx(result.p_value, rel=1e-6)
    assert (result.low >= -1.0 - 1e-12 and result.high <= 1.0 + 1e-12) or name in ("wald", "agresti_caffo")
    assert result.low <= result.estimate + 1e-12 or name == "agresti_caffo"
    if result.p_value is not None:
        assert agrees(result, alpha)


@pytest.mark.parametrize("name", LIFTS)
@given(seed=SEEDS, alpha=ALPHAS)
@settings(max_examples=40, deadline=None)
def test_lifts(name: str, seed: int, alpha: float) -> None:
    a, b = (Mean.of(Moments.from_values(each[:, 0])) for each in samples(seed))
    result = LIFTS[name](a, b, alpha)
    assert isinstance(result, Estimate)
    bigger = LIFTS[name](*(Mean(m.value * 7, m.variance * 49, m.df, m.n) for m in (a, b)), alpha)
    assert (bigger.low, bigger.high) == pytest.approx((result.low, result.high), rel=1e-9, abs=1e-12)
    assert agrees(result, alpha)
    if name == "log":
        swapped = log_lift(b, a, alpha)
        assert (1 + swapped.low) * (1 + result.high) == pytest.approx(1.0)
        assert swapped.p_value == pytest.approx(result.p_value)


@given(control=st.floats(-3.0, 3.0), treatment=st.floats(-3.0, 3.0), error=st.floats(0.05, 2.0), alpha=ALPHAS)
@settings(deadline=None)
def test_fieller_leaves_out_a_lift_of_zero_when_the_difference_is_significant(
    control: float, treatment: float, error: float, alpha: float
) -> None:
    assume(abs(control) > 1e-3)
    a, b = Mean(control, error**2, 99.0, 100), Mean(treatment, 0.5 * error**2, 99.0, 100)
    result = fieller(a, b, alpha)
    assert isinstance(result, Estimate)
    significant = result.p_value < alpha
    assume(not isclose(result.p_value, alpha, rel_tol=1e-6))
    shape, gap = result.detail("shape"), result.detail("gap")
    if shape == "bounded":
        assert (result.low > 0.0 or result.high < 0.0) == significant
        assert result.low - 1e-9 <= result.estimate <= result.high + 1e-9
    else:
        assert (result.low, result.high) == (float("-inf"), float("inf"))
        assert result.detail("g") >= 1.0
        assert (shape == "unbounded" and gap[0] < 0.0 < gap[1]) == significant
    # By its definition: each end is a ratio at which the contrast is exactly at its critical value.
    for end in (result.low, result.high) if shape == "bounded" else gap:
        ratio = 1.0 + end if control > 0 else 1.0 - end
        contrast = treatment - ratio * control
        spread = 0.5 * error**2 + ratio**2 * error**2
        assert contrast**2 == pytest.approx(critical(alpha) ** 2 * spread, rel=1e-5)


@given(
    values=st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 4.0)), min_size=1, max_size=8), alpha=ALPHAS
)
@settings(deadline=None)
def test_inverse_variance(values: list[tuple[float, float]], alpha: float) -> None:
    d, v = zip(*values, strict=True)
    result, swapped = inverse_variance(d, v, alpha), inverse_variance([-x for x in d], v, alpha)
    assert isinstance(result, Estimate)
    assert swapped.estimate == pytest.approx(-result.estimate, abs=1e-12)
    assert swapped.p_value == pytest.approx(result.p_value)
    assert min(d) - 1e-9 <= result.estimate <= max(d) + 1e-9
    assert agrees(result, alpha)


@given(seed=SEEDS, margin=st.floats(0.05, 3.0), alpha=ALPHAS)
@settings(deadline=None)
def test_equivalence_is_the_interval_inside_the_margin(seed: int, margin: float, alpha: float) -> None:
    a, b = (Mean.of(Moments.from_values(each[:, 0])) for each in samples(seed))
    result = equivalence(a, b, margin, alpha=alpha)
    assert isinstance(result, Estimate)
    assume(not isclose(result.p_value, alpha, rel_tol=1e-9))
    assert (result.p_value < alpha) == (-margin < result.low and result.high < margin)
