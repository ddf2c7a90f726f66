"""Do margins hold in both directions, at one look and at many?"""

from __future__ import annotations

import numpy as np
import pytest

from policies.statistics.guardrail.equivalence import equivalence, equivalence_always_valid
from policies.statistics.guardrail.noninferiority import noninferiority, noninferiority_always_valid
from policies.statistics.means import Mean


def test_lower_is_better_is_the_mirror_of_higher_is_better() -> None:
    good = Mean.of_rate(900, 1000), Mean.of_rate(880, 1000)
    bad = Mean.of_rate(100, 1000), Mean.of_rate(120, 1000)
    up, down = noninferiority(*good, 0.05), noninferiority(*bad, 0.05, sign=-1)
    assert (down.low, down.p_value) == pytest.approx((up.low, up.p_value))


def test_harm_of_the_whole_margin_is_called_safe_in_five_per_cent() -> None:
    rng, runs, n = np.random.default_rng(1), 4000, 2000
    x_a, x_b = rng.binomial(n, 0.30, runs), rng.binomial(n, 0.25, runs)
    safe = sum(
        noninferiority(Mean.of_rate(a, n), Mean.of_rate(b, n), 0.05).p_value < 0.05
        for a, b in zip(x_a.tolist(), x_b.tolist(), strict=True)
    )
    assert 0.04 < safe / runs < 0.06


def test_watched_at_every_moment_harm_is_still_not_called_safe() -> None:
    """The same harm, looked at 40 times: at most 5 % ever; the one-look test errs far more often."""
    rng, runs, looks, step = np.random.default_rng(2), 800, 40, 100
    a = rng.binomial(step, 0.30, (runs, looks)).cumsum(axis=1)
    b = rng.binomial(step, 0.25, (runs, looks)).cumsum(axis=1)
    watched = peeked = 0
    for row_a, row_b in zip(a.tolist(), b.tolist(), strict=True):
        pairs = [
            (Mean.of_rate(x, n), Mean.of_rate(y, n), 2 * n)
            for x, y, n in zip(row_a, row_b, range(step, step * looks + 1, step), strict=True)
        ]
        watched += any(
            noninferiority_always_valid(p, q, 0.05, n=n, n_star=8000).p_value < 0.05 for p, q, n in pairs
        )
        peeked += any(noninferiority(p, q, 0.05).p_value < 0.05 for p, q, _ in pairs)
    assert watched / runs <= 0.05
    assert peeked / runs > 0.15


def test_always_valid_margins_agree_with_their_bounds() -> None:
    for b in range(820, 960, 4):
        pair = Mean.of_rate(9000, 10_000), Mean.of_rate(b * 10, 10_000)
        one = noninferiority_always_valid(*pair, 0.03, n=20_000, n_star=20_000)
        assert (one.low > -0.03) == (one.p_value < 0.05)
        both = equivalence_always_valid(*pair, 0.03, n=20_000, n_star=20_000)
        assert (both.low > -0.03 and both.high < 0.03) == (both.p_value < 0.05)
        assert both.high - both.low > equivalence(*pair, 0.03).high - equivalence(*pair, 0.03).low
