"""Is a unit's assignment the one that a worker makes?"""

from __future__ import annotations

from policies.assignment import LONGEST_UNIT
from router import unit_assignment as assignments
from router.settings import Experiment, UnitSource, Variant
from router.state import Epoch

EXPERIMENT = Experiment(
    unit=(UnitSource(header="x-user-id"),),
    variants={"a": Variant(backend="one", weight=1), "b": Variant(backend="two", weight=1)},
    control="a",
)


def test_as_many_bytes_of_a_unit_count() -> None:
    longer = assignments.assignment_of("e", EXPERIMENT, None, "x" * (LONGEST_UNIT + 1))
    same = assignments.assignment_of("e", EXPERIMENT, None, "x" * LONGEST_UNIT)
    assert (longer.variant, longer.position) == (same.variant, same.position)


def test_the_plan_in_force_counts_and_not_the_written_weights() -> None:
    epoch = Epoch(number=3, started=1.0, salt="e", weights={"a": 0.0, "b": 1.0}, why="planned")
    found = assignments.assignment_of("e", EXPERIMENT, epoch, "user-1")
    assert (found.variant, found.propensity, found.epoch, found.reason) == ("b", 1.0, 3, "static")
    assert [each.score is None for each in found.candidates] == [True, False]
