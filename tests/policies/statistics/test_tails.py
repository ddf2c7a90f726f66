"""Do tails, and quantiles in them, keep their digits beyond the least double?

Expected logarithms are mpmath's, 50 digits, of the incomplete beta function and of erfc.
"""

from __future__ import annotations

from math import exp, inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.statistics.difference.means import welch
from policies.statistics.difference.score import two_proportion
from policies.statistics.evidence import Moments
from policies.statistics.guardrail.noninferiority import noninferiority
from policies.statistics.kernel import critical, normalised, studentised, two_sided, upper_tail, wald
from policies.statistics.lift.fieller import fieller
from policies.statistics.means import Mean
from policies.statistics.tails import log_two_sided, log_upper_tail, quantile_above

FAR = [
    (1e200, 2.5, -1151.621968041578),
    (1e100, 10.0, -2293.167357427723),
    (60, 300.0, -388.4743211173075),
    (50, 1000.0, -630.586713106949),
    (100000.0, 30.0, -296.9976722839782),
    (50.0, inf, -1254.83136113942),
    (1000.0, inf, -500007.8266948122),
]


@pytest.mark.parametrize(("statistic", "df", "expected"), FAR)
def test_logarithms_of_far_tails(statistic: float, df: float, expected: float) -> None:
    assert log_upper_tail(statistic, df) == pytest.approx(expected, rel=1e-12)
    assert log_two_sided(-statistic, df) == pytest.approx(expected + log(2.0), rel=1e-12)
    assert quantile_above(expected, df) == pytest.approx(statistic, rel=1e-9)


@given(st.floats(-8.0, 30.0), st.sampled_from([1.0, 2.5, 10.0, 1e6, inf]))
def test_they_are_the_logarithms_of_the_tails(statistic: float, df: float) -> None:
    assert exp(log_upper_tail(statistic, df)) == pytest.approx(upper_tail(statistic, df), rel=1e-12)
    assert exp(log_two_sided(statistic, df)) == pytest.approx(two_sided(statistic, df), rel=1e-12)


@given(st.floats(0.1, 60.0), st.sampled_from([3.0, 10.0, 300.0, 1e6]))
def test_students_quantile_is_undone_by_the_normals(quantile: float, df: float) -> None:
    wider = studentised(quantile, df)
    assert wider >= quantile * (1.0 - 1e-12)
    assert normalised(wider, df) == pytest.approx(quantile, rel=1e-9)
    assert normalised(-wider, df) == -normalised(wider, df)


def test_a_quantile_beyond_the_doubles_is_infinite_not_the_normals() -> None:
    assert studentised(45.0, 1.0) == inf
    assert critical(1e-290, df=3.0) == pytest.approx(6.044e96, rel=1e-3)


def test_results_that_are_surer_than_the_least_double_can_be_told_apart() -> None:
    one, more = (wald("example", each, 1.0, 0.05) for each in (40.0, 50.0))
    assert one.p_value == more.p_value == 0.0
    assert more.detail("log_p_value") < one.detail("log_p_value") < -700.0


def test_the_logarithm_is_that_of_the_p_value() -> None:
    a, b = Moments.from_values([1.0, 2.0, 3.0, 9.0]), Moments.from_values([4.0, 5.0, 7.0])
    rates = Mean.of_rate(100, 1000), Mean.of_rate(130, 1000)
    for found in (
        welch(a, b), two_proportion(100, 1000, 130, 1000), fieller(*rates), noninferiority(*rates, 0.01),
    ):  # fmt: skip
        assert exp(found.detail("log_p_value")) == pytest.approx(found.p_value, rel=1e-12)
