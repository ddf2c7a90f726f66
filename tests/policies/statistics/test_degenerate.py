"""Is evidence that cannot carry a result answered with a reason, never with p = 1 or a width of 0?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from policies.statistics.adjustment.ancova import ancova
from policies.statistics.adjustment.cuped import cuped, cuped_ratio
from policies.statistics.catalog import methods
from policies.statistics.difference.contingency import chi_square, g_test
from policies.statistics.difference.means import clustered, difference, ratio_of_sums, student, welch
from policies.statistics.difference.proportions import agresti_caffo, newcombe, wald_proportions
from policies.statistics.difference.score import miettinen_nurminen, two_proportion
from policies.statistics.difference.single import clopper_pearson, wilson
from policies.statistics.evidence import BucketSums, Moments
from policies.statistics.guardrail.equivalence import equivalence, equivalence_always_valid
from policies.statistics.guardrail.noninferiority import noninferiority, noninferiority_always_valid
from policies.statistics.health.outcome_rate import homogeneity, outcome_rate, outcome_rate_by_bucket
from policies.statistics.health.sequential_srm import sequential_srm, sequential_srm_over_epochs
from policies.statistics.health.skew import least_units
from policies.statistics.health.srm import srm, srm_from_probabilities, srm_over_epochs
from policies.statistics.lift.delta import delta_lift
from policies.statistics.lift.fieller import fieller
from policies.statistics.lift.log_ratio import log_lift, risk_ratio
from policies.statistics.means import Mean
from policies.statistics.multiplicity.adjusted import adjust
from policies.statistics.multiplicity.e_bh import e_bh
from policies.statistics.multiplicity.levels import interval_alphas
from policies.statistics.result import Estimate, NotEstimable
from policies.statistics.strata.additive import additive_means
from policies.statistics.strata.clustered import stratified_clustered
from policies.statistics.strata.inverse_variance import inverse_variance
from policies.statistics.strata.mantel_haenszel import cochran_mantel_haenszel, mantel_haenszel
from policies.statistics.strata.stratified import stratified, stratum_weights

GOOD = Moments.from_values([1.0, 2.0, 4.0, 3.0])
EMPTY, ONE, CONSTANT = Moments.empty(), Moments.from_values([2.0]), Moments.from_values([0.1] * 9)
ZERO = Moments.from_values([-1.0, 1.0])
PAIRS = Moments.from_values([[1.0, 2.0], [2.0, 3.0], [3.0, 5.0]])
FOURS = Moments.from_values([[1.0, 2.0, 1.0, 1.0], [2.0, 3.0, 3.0, 2.0], [3.0, 5.0, 2.0, 2.0]])
FLAT_X = Moments.from_values([[1.0, 2.0], [2.0, 2.0], [3.0, 2.0]])
NO_DENOMINATOR = Moments.from_values([[1.0, 0.0], [2.0, 0.0]])
RATE, FULL, NONE = Mean.of_rate(3, 10), Mean.of_rate(10, 10), Mean.of_rate(0, 0)
SUMS = BucketSums(np.array([2, 2, 2]), np.array([0, 1, 2]))
NOTHING = BucketSums.empty(3)
SAME = BucketSums(np.array([2, 2, 2]), np.array([1, 1, 1]))

CASES: list[tuple[str, Callable[[], object], str]] = [
    ("welch", lambda: welch(EMPTY, GOOD), "control is empty"),
    ("welch", lambda: welch(GOOD, EMPTY), "treatment is empty"),
    ("welch", lambda: welch(GOOD, ONE), "one unit"),
    ("welch", lambda: welch(CONSTANT, CONSTANT), "zero variance"),
    ("student", lambda: student(ONE, GOOD), "one unit"),
    ("student", lambda: student(CONSTANT, CONSTANT), "zero variance"),
    ("difference_of_means", lambda: difference(NONE, RATE), "control is empty"),
    ("difference_of_means", lambda: difference(FULL, FULL), "zero variance"),
    ("ratio_of_sums", lambda: ratio_of_sums(PAIRS, NO_DENOMINATOR), "not finite"),
    ("ratio_of_sums", lambda: ratio_of_sums(Moments.empty(2), PAIRS), "empty"),
    ("clustered", lambda: clustered(NOTHING, SUMS), "empty"),
    ("clustered", lambda: clustered(SAME, SAME), "zero variance"),
    ("two_proportion", lambda: two_proportion(0, 0, 1, 5), "control is empty"),
    ("two_proportion", lambda: two_proportion(0, 9, 0, 5), "both rates are 0"),
    ("two_proportion", lambda: two_proportion(9, 9, 5, 5), "both rates are 1"),
    ("miettinen_nurminen", lambda: miettinen_nurminen(0, 9, 0, 5), "both rates are 0"),
    ("newcombe", lambda: newcombe(1, 5, 0, 0), "treatment is empty"),
    ("agresti_caffo", lambda: agresti_caffo(0, 0, 0, 5), "control is empty"),
    ("wald_proportions", lambda: wald_proportions(0, 9, 5, 5), "zero variance"),
    ("wald_proportions", lambda: wald_proportions(0, 0, 5, 5), "empty"),
    ("chi_square", lambda: chi_square([[0, 5], [0, 9]]), "empty"),
    ("g_test", lambda: g_test([[0, 0], [3, 9]]), "empty"),
    ("wilson", lambda: wilson(0, 0), "no trials"),
    ("clopper_pearson", lambda: clopper_pearson(0, 0), "no trials"),
    ("fieller_lift", lambda: fieller(Mean.of(ZERO), Mean.of(GOOD)), "mean is zero"),
    ("fieller_lift", lambda: fieller(NONE, RATE), "empty"),
    ("fieller_lift", lambda: fieller(RATE, RATE, covariance=RATE.variance), "zero variance"),
    ("delta_lift", lambda: delta_lift(Mean.of(ZERO), Mean.of(GOOD)), "mean is zero"),
    ("log_lift", lambda: log_lift(Mean.of(ZERO), Mean.of(GOOD)), "above zero"),
    ("risk_ratio", lambda: risk_ratio(0, 10, 3, 10), "above zero"),
    ("risk_ratio", lambda: risk_ratio(10, 10, 10, 10), "zero variance"),
    ("stratified", lambda: stratified([]), "no epoch"),
    ("stratified", lambda: stratified([(RATE, NONE), (NONE, RATE)]), "no epoch"),
    ("stratified", lambda: stratified([(FULL, FULL)]), "zero variance"),
    ("stratified", lambda: stratified([(RATE, Mean.of(ONE))]), "two units"),
    ("stratified_clustered", lambda: stratified_clustered([]), "no epoch"),
    ("stratified_clustered", lambda: stratified_clustered([(SUMS, NOTHING)]), "no epoch"),
    ("stratified_clustered", lambda: stratified_clustered([(SAME, SAME)]), "zero variance"),
    ("inverse_variance", lambda: inverse_variance([], []), "no epoch"),
    ("inverse_variance", lambda: inverse_variance([float("nan")], [1.0]), "no epoch"),
    ("inverse_variance", lambda: inverse_variance([1.0, 2.0], [0.0, 0.0]), "zero variance"),
    ("additive_means", lambda: additive_means([]), "no two variants"),
    ("additive_means", lambda: additive_means([[RATE, NONE], [None, RATE]]), "no two variants"),
    ("additive_means", lambda: additive_means([[RATE, FULL]]), "zero variance of variant 1 in epoch 0"),
    ("mantel_haenszel", lambda: mantel_haenszel([(0, 5, 0, 5)]), "successes and failures"),
    ("mantel_haenszel", lambda: mantel_haenszel([(1, 5, 0, 0)]), "successes and failures"),
    ("mantel_haenszel", lambda: mantel_haenszel([]), "successes and failures"),
    ("cochran_mantel_haenszel", lambda: cochran_mantel_haenszel([(0, 5, 0, 5)]), "no epoch"),
    ("cochran_mantel_haenszel", lambda: cochran_mantel_haenszel([(1, 5, 0, 0)]), "no epoch"),
    ("cuped", lambda: cuped(Moments.empty(2), PAIRS), "empty"),
    ("cuped", lambda: cuped(FLAT_X, FLAT_X), "does not vary"),
    ("cuped_ratio", lambda: cuped_ratio(Moments.empty(4), FOURS), "empty"),
    ("cuped_ratio", lambda: cuped_ratio(Moments.from_values(np.zeros((4, 4))), FOURS), "denominator"),
    ("ancova", lambda: ancova([], [], [1.0, 2.0], [1.0, 2.0]), "empty"),
    ("ancova", lambda: ancova([1.0, 2.0, 4.0], [1.0] * 3, [1.0, 2.0], [1.0] * 2), "does not vary"),
    ("ancova", lambda: ancova([1.0], [1.0], [1.0], [2.0]), "rows"),
    ("ancova", lambda: ancova([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0], [1.0, 2.0]), "explains"),
    ("srm", lambda: srm([10, 0], [1, 0]), "fewer than two"),
    ("srm", lambda: srm([3, 2], [1, 1]), "below 5"),
    ("srm_over_epochs", lambda: srm_over_epochs([srm([3, 2], [1, 1])]), "no epoch"),
    ("srm_from_probabilities", lambda: srm_from_probabilities(5, 5.0, 0.0), "zero variance"),
    ("sequential_srm", lambda: sequential_srm([10, 0], [1, 0]), "fewer than two"),
    ("sequential_srm_over_epochs", lambda: sequential_srm_over_epochs([]), "no epoch"),
    ("outcome_rate", lambda: outcome_rate([5, 0], [9, 0]), "fewer than two"),
    ("outcome_rate", lambda: outcome_rate([5, 9], [5, 9]), "all units or none"),
    ("homogeneity", lambda: homogeneity([RATE, FULL]), "fewer than two"),
    (
        "outcome_rate_by_bucket",
        lambda: outcome_rate_by_bucket(np.zeros((1, 2, 3)), np.zeros((1, 2, 3))),
        "no epoch",
    ),
    (
        "outcome_rate_by_bucket",
        lambda: outcome_rate_by_bucket(np.ones((1, 2, 3)), np.ones((1, 2, 3))),
        "zero variance",
    ),
    ("least_units", lambda: least_units([1.0, 2.0]), "3 are needed"),
    ("least_units", lambda: least_units([2.0] * 5), "zero variance"),
    ("noninferiority", lambda: noninferiority(NONE, RATE, 0.1), "empty"),
    ("noninferiority", lambda: noninferiority(FULL, FULL, 0.1), "zero variance"),
    (
        "noninferiority_always_valid",
        lambda: noninferiority_always_valid(RATE, RATE, 0.1, n=20, n_star=99),
        "20 units",
    ),
    ("equivalence", lambda: equivalence(RATE, NONE, 0.1), "empty"),
    (
        "equivalence_always_valid",
        lambda: equivalence_always_valid(FULL, FULL, 0.1, n=99, n_star=99),
        "zero variance",
    ),
]
FAMILIES = ("difference", "lift", "strata", "adjustment", "health", "guardrail")


@pytest.mark.parametrize(
    ("name", "call", "reason"), CASES, ids=[f"{name}-{i}" for i, (name, *_) in enumerate(CASES)]
)
def test_not_estimable(name: str, call: Callable[[], object], reason: str) -> None:
    result = call()
    assert isinstance(result, NotEstimable), result
    assert reason in result.reason
    assert result.method


def test_every_method_of_these_families_has_a_case() -> None:
    of_family = {name for name, f in methods().items() if f.__module__.split(".")[2] in FAMILIES}
    assert of_family - {name for name, *_ in CASES} == set()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: welch(GOOD, GOOD, 0.0), "alpha must be in"),
        (lambda: student(GOOD, GOOD, 1.0), "alpha must be in"),
        (lambda: newcombe(-1, 5, 1, 5), "successes must be in"),
        (lambda: two_proportion(6, 5, 1, 5), "successes must be in"),
        (lambda: wilson(6, 5), "x must be in"),
        (lambda: chi_square([[1, 2]]), "at least 2 x 2"),
        (lambda: chi_square([[1, -2], [3, 4]]), "counts >= 0"),
        (lambda: fieller(RATE, RATE, 2.0), "alpha must be in"),
        (lambda: stratified([(RATE, RATE)], weighting="traffik"), "did you mean 'traffic'"),
        (lambda: stratified([], weighting="traffik"), "did you mean 'traffic'"),
        (lambda: stratum_weights([(0, 5), (3, 0)], "cmh"), "sizes must be above 0"),
        (lambda: stratum_weights([(1, -5)]), "size must be finite and >= 0"),
        (lambda: inverse_variance([1.0], [1.0, 2.0]), "1 differences but 2 variances"),
        (lambda: inverse_variance([1.0], [-1.0]), "variances must be >= 0"),
        (lambda: mantel_haenszel([(6, 5, 1, 5)]), "0 <= x <= n"),
        (lambda: ancova([1.0], [1.0, 2.0], [1.0], [1.0]), "do not fit"),
        (lambda: srm([1, 2], [1, 1, 1]), "differ"),
        (lambda: srm([1, -2], [1, 1]), "counts must be finite"),
        (lambda: srm([1, 2], [0, 0]), "weights must not all be 0"),
        (lambda: sequential_srm([1, 2], [1, 1], concentration=0.0), "concentration must be"),
        (lambda: outcome_rate([5], [4]), "outcomes must be in"),
        (lambda: noninferiority(RATE, RATE, 0.0), "margin must be"),
        (lambda: noninferiority(RATE, RATE, 0.1, sign=0), "sign must be one of 1, -1"),
        (lambda: adjust([0.1], "bonferoni"), "did you mean 'bonferroni'"),
        (lambda: adjust([1.1]), "numbers in"),
        (lambda: interval_alphas([0.1], 0.05, "hommel"), "method must be one of"),
        (lambda: e_bh([float("nan")]), "NaN"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_far_tails_do_not_underflow() -> None:
    a, b = Mean(0.0, 1.0, 1e6, 10**6), Mean(35.0, 1.0, 1e6, 10**6)
    result = difference(a, b)
    assert isinstance(result, Estimate)
    assert 0.0 < result.p_value < 1e-100
    rates = two_proportion(1000, 100_000, 3000, 100_000)
    assert isinstance(rates, Estimate)
    assert 0.0 < rates.p_value < 1e-200
    split = sequential_srm([600_000, 400_000], [1, 1])
    assert split.log_e_value > 10_000


def test_nobody_failed_in_either_variant_still_has_an_interval() -> None:
    result = newcombe(0, 100, 0, 200)
    assert isinstance(result, Estimate)
    assert result.low < 0.0 < result.high
    assert result.p_value is None


def test_paused_and_absent_variants_carry_no_weight_over_epochs() -> None:
    with_gap = stratified([(RATE, RATE), (RATE, NONE), (NONE, NONE)])
    assert with_gap.detail("strata_left_out") == 2.0
    assert with_gap.estimate == stratified([(RATE, RATE)]).estimate
    assert srm([100, 110, 0], [1, 1, 0]).p_value == srm([100, 110], [1, 1]).p_value
    assert srm([100, 110, 7], [1, 1, 0]).detail("strays") == 7.0
    assert (
        sequential_srm([100, 110, 7], [1, 1, 0]).log_e_value == sequential_srm([100, 110], [1, 1]).log_e_value
    )
    table = [(10, 100, 20, 100), (5, 50, 0, 0)]
    assert mantel_haenszel(table).estimate == mantel_haenszel(table[:1]).estimate
