"""Do always-valid and planned tests hold their error when looked at again and again, and keep their power?"""

from __future__ import annotations

import runpy
from pathlib import Path

_SIMULATIONS = Path(__file__).parents[3] / "bench" / "simulations"
peeking = runpy.run_path(str(_SIMULATIONS / "peeking.py"))["peeking"]
_splits = runpy.run_path(str(_SIMULATIONS / "splits.py"))
sample_ratio, canary = _splits["sample_ratio"], _splits["canary"]


def test_two_hundred_looks_fool_the_z_test_and_not_the_sequences() -> None:
    found = peeking(4000, seed=1)
    assert found.peeked_200 >= 0.35
    assert 0.04 <= found.one_look <= 0.06
    assert found.asymptotic_5000 <= 0.03
    assert found.asymptotic_20000 <= 0.03
    assert found.one_sided_20000 <= 0.03
    assert found.msprt <= 0.03


def test_ten_planned_looks_err_as_often_as_they_may() -> None:
    found = peeking(12_000, seed=2)
    assert found.peeked_10 >= 0.15
    assert 0.04 <= found.obrien_fleming_10 <= 0.055
    assert 0.04 <= found.pocock_10 <= 0.055


def test_a_lift_of_ten_percent_is_found_with_the_stated_power() -> None:
    found = peeking(4000, seed=3, lift=0.1)
    assert 0.65 <= found.asymptotic_20000 <= 0.72
    assert found.asymptotic_20000 < found.one_sided_20000 < found.obrien_fleming_10 < found.one_look
    assert found.mean_stop < 15_000


def test_fair_streams_stay_silent_and_a_wrong_split_is_found() -> None:
    fair, skewed = sample_ratio(20_000, seed=4), sample_ratio(2_000, seed=5, treatment=0.493)
    assert fair.sequential[10_000.0] <= 0.001
    assert fair.chi_square_every_look > 0.01
    assert skewed.chi_square_once >= 0.8
    assert skewed.sequential[10_000.0] >= 0.5


def test_the_split_of_507_to_493_is_found_by_both_tests() -> None:
    for name in ("srm", "sequential_srm"):
        assert _splits[name]([50_700, 49_300], [0.5, 0.5]).p_value < 0.001


def test_a_swinging_error_rate_rolls_no_sound_canary_back() -> None:
    sound, worse = canary(400, seed=6), canary(400, seed=7, ratio=1.5)
    assert sound.rolled_back <= 0.05
    assert sound.two_sided <= 0.05
    assert worse.rolled_back >= 0.9
    assert worse.rolled_back >= worse.two_sided
    assert worse.median_requests < 20_000


def test_the_same_seed_gives_the_same_answer() -> None:
    assert peeking(50, seed=8) == peeking(50, seed=8)


def test_the_one_sided_sequence_calls_no_loss_a_gain() -> None:
    assert peeking(400, seed=9, lift=-0.1).one_sided_20000 <= 0.005
