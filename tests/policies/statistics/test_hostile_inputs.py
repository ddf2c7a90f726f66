"""Do methods keep their digits, or refuse, where numbers are tiny, huge, far off or not numbers at all?

Expected values without another source are mpmath's, 60 digits, from the formula in the function's docstring.
"""

from __future__ import annotations

from collections.abc import Callable
from math import expm1, inf, log, nan

import numpy as np
import pytest
from scipy.special import ndtr

from policies.statistics.adaptive.batched_ols import batched_ols, sequential_batched_ols
from policies.statistics.adaptive.bernoulli_indices import bernoulli_divergence, kl_ucb
from policies.statistics.adaptive.best_arm import Proportions, optimal_proportions
from policies.statistics.adaptive.off_policy import off_policy_value
from policies.statistics.adjustment.cuped import cuped, cuped_ratio
from policies.statistics.always_valid.beta_binomial import beta_binomial
from policies.statistics.always_valid.gamma_exponential import gamma_exponential_bound
from policies.statistics.always_valid.normal_mixture import normal_mixture_bound
from policies.statistics.bayes.beta import beta_posterior
from policies.statistics.bayes.normal import normal_posterior
from policies.statistics.bayes.thompson import thompson_weights, top_two_weights
from policies.statistics.difference.score import miettinen_nurminen, two_proportion
from policies.statistics.difference.single import clopper_pearson
from policies.statistics.evidence import Moments
from policies.statistics.health.skew import least_units
from policies.statistics.multiplicity.adjusted import ADJUSTMENTS, adjust
from policies.statistics.multiplicity.e_bh import e_bh
from policies.statistics.multiplicity.levels import LEVELLED, interval_alphas
from policies.statistics.quantile.anytime import anytime_quantile, anytime_quantile_test
from policies.statistics.quantile.order_statistic import order_statistic_interval
from policies.statistics.result import Estimate, NotEstimable

EVEN = [[0.5, 0.5]] * 4
ACTIONS, HALVES = [0, 1, 0, 1], [0.5] * 4
FINE = Moments(9, (1.0,), ((4.0,),))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: off_policy_value(ACTIONS, [1, nan, 0, 1], HALVES, EVEN),
            r"reward\[1\] must be finite, got nan",
        ),
        (
            lambda: off_policy_value(ACTIONS, [1, 0, inf, 1], HALVES, EVEN),
            r"reward\[2\] must be finite, got inf",
        ),
        (
            lambda: off_policy_value([0.7, 1, 0, 1], [1, 0, 0, 1], HALVES, EVEN),
            "action must hold whole numbers",
        ),
        (
            lambda: off_policy_value(ACTIONS, [1, 0, 0, 1], [0.5, 0.0, 0.5, 0.5], EVEN),
            r"logged_probability\[1\] must be in \(0, 1\], got 0.0",
        ),
        (
            lambda: off_policy_value(ACTIONS, [1, 0, 0, 1], [0.5, 0.5, nan, 0.5], EVEN),
            r"logged_probability\[2\] must be in \(0, 1\], got nan",
        ),
        (
            lambda: off_policy_value(ACTIONS, [1, 0, 0, 1], HALVES, EVEN, [[0, nan]] * 4, estimator="dr"),
            r"predicted\[0, 1\] must be finite, got nan",
        ),
        (lambda: order_statistic_interval([1.0, 2.0, nan], 0.5), r"data\[2\] must be finite"),
        (lambda: anytime_quantile([nan] * 200, 0.5), r"values\[0\] must be finite"),
        (lambda: anytime_quantile_test([1.0, inf], [1.0], 0.5), r"a\[1\] must be finite, got inf"),
        (lambda: anytime_quantile_test([1.0], [1.0, nan], 0.5), r"b\[1\] must be finite"),
        (lambda: least_units([1.0, 2.0, nan]), r"values\[2\] must be finite"),
        (lambda: kl_ucb(0.5, 10, 1.0, 3.0), "t must be > 1 for c > 0, got 1.0"),
    ],
)
def test_what_is_not_a_number_is_refused_by_its_place(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("estimator", ["ips", "snips"])
@pytest.mark.parametrize("tiny", [5e-324, 1e-300, 1e-150])
def test_a_logged_probability_near_zero_has_no_estimate_unless_clipped(estimator: str, tiny: float) -> None:
    logged = ACTIONS, [1.0, 0.0, 0.0, 1.0], [tiny, 0.5, 0.5, 0.5], EVEN
    found = off_policy_value(*logged, estimator=estimator)
    assert isinstance(found, NotEstimable)
    assert "weight is too large" in found.reason
    clipped = off_policy_value(*logged, estimator=estimator, clip=2.0)
    assert isinstance(clipped, Estimate)
    assert clipped.detail("max_weight") == 2.0


def test_batches_that_are_not_finite_are_left_out() -> None:
    for broken in (
        Moments(9, (nan,), ((4.0,),)),
        Moments(9, (1.0,), ((nan,),)),
        Moments(9, (inf,), ((4.0,),)),
    ):
        found = batched_ols([(FINE, FINE), (FINE, broken)])
        assert isinstance(found, Estimate)
        assert found.detail("left_out") == 1.0
        assert isinstance(sequential_batched_ols([(broken, FINE)], planned_batches=9), NotEstimable)


def test_a_covariate_that_only_tells_the_variants_apart_is_no_covariate() -> None:
    # Theta would be the effect over the covariate's gap, and take the whole effect out.
    y, ones = np.arange(9.0), np.ones(9)
    a, b = Moments.from_values(np.c_[y, ones]), Moments.from_values(np.c_[y + 1.0, 2.0 * ones])
    found = cuped(a, b)
    assert isinstance(found, NotEstimable)
    assert "does not vary within" in found.reason
    ratios = [Moments.from_values(np.c_[y + s, ones, s * (1.0 + y), 1.0 + y]) for s in (1.0, 2.0)]
    found = cuped_ratio(*ratios)
    assert isinstance(found, NotEstimable)
    assert "does not vary within" in found.reason


def test_kl_ucb_of_no_success_in_many_tries() -> None:
    assert kl_ucb(0.0, 1e9, 100) == pytest.approx(-expm1(-log(100) / 1e9), rel=1e-12)


@pytest.mark.parametrize(("p", "gap"), [(0.5, 1e-9), (1e-3, 1e-10), (1e-9, 1e-12)])
def test_the_divergence_of_near_rates_keeps_its_digits(p: float, gap: float) -> None:
    q = p + gap
    assert bernoulli_divergence(p, q) == pytest.approx(
        (q - p) ** 2 / (2 * p * (1 - p)), rel=3 * gap / p + 1e-12
    )


def test_gaussian_proportions_do_not_depend_on_an_offset() -> None:
    near, far = (optimal_proportions([m + 1.0, m, m - 5.0], "gaussian") for m in (0.0, 1e9))
    assert isinstance(near, Proportions)
    assert isinstance(far, Proportions)
    assert far.shares == pytest.approx(near.shares, rel=1e-9)


@pytest.mark.parametrize(("offset", "gap"), [(1e9, 2.0**-10), (1e12, 2.0**-10), (-1e12, 2.0**-10)])
def test_the_best_of_means_far_from_zero(offset: float, gap: float) -> None:
    means, errors = [offset, offset + gap], [gap, gap / 8]
    expected = float(ndtr(gap / np.hypot(*errors)))
    posterior = normal_posterior(means, errors)
    assert not isinstance(posterior, NotEstimable)
    assert posterior.probability_best[1] == pytest.approx(expected, rel=1e-9)
    assert thompson_weights(means, errors)[1] == pytest.approx(expected, rel=1e-9)
    assert top_two_weights(means, errors)[1] == pytest.approx(0.5, rel=1e-9)


@pytest.mark.parametrize("n", [10**6, 10**9, 10**12])
def test_the_better_of_two_rates_at_any_size(n: int) -> None:
    # So near to normal that the difference of the posteriors is: skewness is of the order 1 / sqrt(n).
    wins = [n // 10, n // 10 + round(0.1 * n**0.5)]
    found = beta_posterior(wins, [n, n])
    assert not isinstance(found, NotEstimable)
    z = (found.mean[1] - found.mean[0]) / np.hypot(*found.deviation)
    assert found.probability_best[1] == pytest.approx(float(ndtr(z)), abs=2.0 / n**0.5 + 1e-7)


def test_beta_binomial_of_rare_events_and_of_very_many() -> None:
    rare = beta_binomial(3, 10**9, t_opt=1e6)
    assert isinstance(rare, Estimate)
    assert rare.low == pytest.approx(3.555350697494648e-12, rel=1e-9)
    assert rare.high == pytest.approx(1.6959837434452538e-08, rel=1e-9)
    far = beta_binomial(90_000, 100_000, rate=0.1)
    assert isinstance(far, Estimate)
    assert far.e_value == pytest.approx(np.exp(700.0))
    assert far.detail("log_e_value") > 1e5


def test_score_intervals_of_events_of_one_in_a_hundred_million() -> None:
    counts = 10, 10**9, 25, 10**9
    mee, mn = two_proportion(*counts), miettinen_nurminen(*counts)
    assert isinstance(mee, Estimate)
    assert isinstance(mn, Estimate)
    assert (mee.low, mee.high) == pytest.approx((3.6080136026963546e-09, 2.78984125582461e-08), rel=1e-9)
    assert (mn.low, mn.high) == pytest.approx((3.6080135997287672e-09, 2.7898412561900847e-08), rel=1e-9)


def test_clopper_pearson_at_a_level_that_is_one_but_for_rounding() -> None:
    found = clopper_pearson(3, 1000, 1e-18)
    assert isinstance(found, Estimate)
    assert found.high == pytest.approx(0.051007440465958426, rel=1e-9)


@pytest.mark.parametrize("method", LEVELLED)
def test_nothing_tested_needs_no_level(method: str) -> None:
    assert interval_alphas([], 0.05, method) == ()


@pytest.mark.parametrize("method", ADJUSTMENTS)
def test_nothing_tested_is_adjusted_to_nothing(method: str) -> None:
    assert adjust([], method) == ()


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("m", range(1, 30))
def test_e_values_exactly_at_their_thresholds_are_rejected(alpha: float, m: int) -> None:
    at = [m / (alpha * rank) for rank in range(1, m + 1)]
    assert all(e_bh([log(value) for value in at], alpha))
    assert not any(e_bh([log(value * 0.999) for value in at], alpha))


@pytest.mark.parametrize("c", [1e-3, 1e-5, 1e-7])
def test_a_sum_that_is_hardly_heavy_tailed_has_the_sub_gaussian_boundary(c: float) -> None:
    found = gamma_exponential_bound(1e4, 0.05, 1e4, c)
    assert found == pytest.approx(normal_mixture_bound(1e4, 0.05, 1e4, sides=1), rel=3e-2 * c + 1e-8)
