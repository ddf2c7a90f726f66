"""Are the pieces of a comparison exact: levels, tuning, slack, denominators, histograms over epochs?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf, sqrt

import numpy as np
import pytest
from scipy.optimize import brentq

from policies.metric import MetricSpec
from policies.statistics.always_valid import asymptotic
from policies.statistics.means import Mean
from policies.statistics.quantile.over_epochs import over_epochs
from policies.statistics.report import AnalysisSettings
from policies.statistics.reporting.compare import Difference
from policies.statistics.reporting.judge import units_needed
from policies.statistics.reporting.latency import Latency
from policies.statistics.reporting.result import Interval
from policies.statistics.reporting.traffic import Traffic

WON = MetricSpec("won", "binary")
EVEN = {"a": 1.0, "b": 1.0}
SETTINGS = AnalysisSettings(n_star=4000)


def by_z(z: float, df: float) -> Difference:
    a, b = Mean(1.0, 0.5, df, 500), Mean(1.0 + z, 0.5, df, 500)
    return Difference(a, b, 0.0, df, 3000.0, np.ones(1, bool), None)


@pytest.mark.parametrize("df", [30.0, 800.0, inf])
@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.05 / 7, 1e-5])
def test_at_any_level_the_interval_touches_zero_where_p_is_alpha(alpha: float, df: float) -> None:
    def beyond(z: float) -> float:
        return by_z(z, df).always_valid(SETTINGS).p_value - alpha

    z = float(brentq(beyond, 0.5, 30.0, xtol=1e-12))
    assert by_z(z, df).always_valid(SETTINGS, alpha).low == pytest.approx(0.0, abs=1e-6)
    assert by_z(-z, df).always_valid(SETTINGS, alpha).high == pytest.approx(0.0, abs=1e-6)


def test_slack_is_what_all_missing_outcomes_could_add(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    evidence = world(users=8000, late={"a": 0.03, "b": 0.045}).run([EVEN])
    found = effect_of(judged(evidence, replace(WON, per="request")))
    shares = [each.immature_requests / each.requests.sum() for each in evidence.epochs[0].variants.values()]
    worst = max(
        m * s / (1 - s) for m, s in zip((found.control_mean, found.variant_mean), shares, strict=True)
    )
    assert found.maturity_slack == pytest.approx(worst, rel=1e-12)


def test_safety_must_hold_with_the_slack(world: Callable, judged: Callable, effect_of: Callable) -> None:
    evidence = world(users=8000, late={"a": 0.04, "b": 0.04}).run([EVEN])
    spec = replace(WON, per="request", margin=0.5)
    found = effect_of(judged(evidence, spec))
    one_sided = asymptotic.critical_value(found.units, 0.05, SETTINGS.n_star, sides=1)
    bound = found.difference - one_sided * found.standard_error
    for margin, safe in (
        (-bound + 0.5 * found.maturity_slack, False),
        (-bound + 1.5 * found.maturity_slack, True),
    ):
        assert effect_of(judged(evidence, replace(spec, margin=margin))).non_inferior is safe


@pytest.mark.parametrize("per", ["outcome", "request"])
def test_means_are_per_what_the_metric_says(
    world: Callable, judged: Callable, effect_of: Callable, per: str
) -> None:
    evidence = world(lost={"a": 0.3, "b": 0.1}).run([EVEN])
    found = effect_of(judged(evidence, replace(WON, per=per)))
    for name, mean in (("a", found.control_mean), ("b", found.variant_mean)):
        each = evidence.epochs[0].variants[name]
        below = each.requests if per == "request" else each.outcomes["won"].denominator
        assert mean == pytest.approx(each.outcomes["won"].numerator.sum() / below.sum())


def test_histograms_over_epochs_are_standardised_as_by_the_quantile_family(world: Callable) -> None:
    evidence = world(users=500).run([{"a": 9.0, "b": 1.0}, {"a": 1.0, "b": 9.0}, EVEN])
    latency, kept = Latency(Traffic.of(evidence), "first_byte"), np.ones(3, bool)
    rows = [[epoch.variants[name].first_byte_histogram for epoch in evidence.epochs] for name in "ab"]
    for mine, expected in zip(
        (latency.standardised(v, kept) for v in (0, 1)), over_epochs(*rows), strict=True
    ):
        assert np.allclose(mine, expected)


def test_units_needed_end_at_zero_or_inside_the_margin_whichever_is_nearer(
    world: Callable, judged: Callable, effect_of: Callable
) -> None:
    effect = effect_of(judged(world(users=1500).run([EVEN])))
    half = 3.0 * effect.standard_error

    def needed(difference: float, margin: float | None) -> int | None:
        moved = replace(effect, difference=difference)
        return units_needed(
            moved, Interval(difference - half, difference + half, 0.95, 1.0), margin, 0.05, SETTINGS
        )

    one, two = half / 5.0, half / 2.0
    assert needed(one, None) == needed(-one, None) == needed(one, 2 * one)
    assert needed(0.0, None) is None
    assert needed(0.0, two) == needed(two, None)
    assert needed(one, one + two) == needed(two, None)
    assert needed(0.0, one) > needed(0.0, two)


def test_noise_of_the_unit_counter_is_allowed_for(world: Callable, judged: Callable) -> None:
    epoch = world(users=4000).run([EVEN]).epochs[0]

    def counted(variance: float) -> list[str]:
        pair = zip("ab", (2400.0, 1600.0), strict=True)
        variants = {
            name: replace(epoch.variants[name], units=units, units_variance=variance) for name, units in pair
        }
        found = judged(replace(world().run([EVEN]), epochs=(replace(epoch, variants=variants),)))
        return [check.status for check in found.checks if check.name.startswith("sample_ratio")]

    assert counted(0.0) == ["alarm", "warning"]
    assert counted(40_000.0) == ["ok", "ok"]


def test_the_combined_variance_follows_from_the_parts() -> None:
    a, b = Mean(1.0, 0.4, 99.0, 100), Mean(2.0, 0.9, 99.0, 100)
    difference = Difference(a, b, 0.25, 198.0, 4000.0, np.ones(1, bool), None)
    fixed = difference.fixed(0.05)
    assert (fixed.high - fixed.low) / 2.0 == pytest.approx(1.972017 * sqrt(0.4 + 0.9 - 0.5), rel=1e-5)
