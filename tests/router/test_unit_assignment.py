"""Is a unit's assignment the one that a worker makes?"""

from __future__ import annotations

from msgspec.structs import replace

from policies.assignment import LONGEST_UNIT
from router import unit_assignment as assignments
from router.settings import Audience, Backend, Experiment, Holdout, Layer, Settings, UnitSource, Variant
from router.state import Epoch

EXPERIMENT = Experiment(
    unit=(UnitSource(header="x-user-id"),),
    variants={"a": Variant(backend="one", weight=1), "b": Variant(backend="two", weight=1)},
    control="a",
)
AUDIENCE = Audience()


def settings_of(audience: Audience = AUDIENCE) -> Settings:
    """One experiment with this audience."""
    return Settings(
        backends={name: Backend(url="http://127.0.0.1:1") for name in ("one", "two")},
        routes=(),
        experiments={"e": replace(EXPERIMENT, audience=audience)},
        layers={"l": Layer()},
        holdouts={"h": Holdout(share=0.25)},
    )


def test_as_many_bytes_of_a_unit_count() -> None:
    longer = assignments.assignment_of(settings_of(), "e", None, "x" * (LONGEST_UNIT + 1))
    same = assignments.assignment_of(settings_of(), "e", None, "x" * LONGEST_UNIT)
    assert (longer.variant, longer.position) == (same.variant, same.position)


def test_the_plan_in_force_counts_and_not_the_written_weights() -> None:
    epoch = Epoch(number=3, started=1.0, salt="e", weights={"a": 0.0, "b": 1.0}, why="planned")
    found = assignments.assignment_of(settings_of(), "e", epoch, "user-1")
    assert (found.variant, found.propensity, found.epoch, found.reason) == ("b", 1.0, 3, "static")
    assert [each.score is None for each in found.candidates] == [True, False]


def test_who_takes_part_is_said_with_the_draws() -> None:
    audience = Audience(layer="l", part=(0.0, 0.5), share=0.5, holdouts=("h",))
    units = [f"user-{number}" for number in range(2000)]
    found = [assignments.assignment_of(settings_of(audience), "e", None, unit) for unit in units]
    assert [each.what for each in found[0].draws] == ["layer l", "outside of hold-out h", "share"]
    for each in found:
        assert each.takes_part == all(one.low <= one.draw < one.high for one in each.draws)
        assert each.reason == ("split" if each.takes_part else "default")
    inside = sum(each.takes_part for each in found)
    expected = 2000 * 0.5 * 0.75 * 0.5
    assert abs(inside - expected) < 5 * expected**0.5


def test_a_unit_that_is_written_down_takes_part_whatever_is_drawn() -> None:
    audience = Audience(share=0.0, forced={"b": ("user-1",)}, when="request.path == '/'")
    found = assignments.assignment_of(settings_of(audience), "e", None, "user-1")
    assert (found.variant, found.forced, found.takes_part, found.propensity) == ("b", True, True, 1.0)
    assert (found.reason, found.condition) == ("targeting_match", "request.path == '/'")
    other = assignments.assignment_of(settings_of(audience), "e", None, "user-2")
    assert (other.forced, other.takes_part) == (False, False)
