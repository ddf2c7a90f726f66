"""Are a canary's stored plans computed again to the same answer, also those of an earlier method?

The records in `canary_plans_of_method_1.json` were written before rollouts had a number for their method.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from policies.canary.methods import LATEST
from router.control.plan_records import replay, same
from router.store.plans import PlanRecord

_FILE = Path(__file__).with_name("canary_plans_of_method_1.json")
RECORDS = msgspec.json.decode(_FILE.read_bytes(), type=list[PlanRecord])


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.planned.why[:40])
def test_a_rollout_of_the_first_method_is_computed_again_by_it(record: PlanRecord) -> None:
    assert "method" not in record.given
    assert same(record, replay(record))


def test_by_the_latest_method_they_would_have_been_judged_otherwise() -> None:
    """So the records can tell one method from the other."""
    other = [msgspec.structs.replace(each, given={**each.given, "method": LATEST.number}) for each in RECORDS]
    assert not any(same(record, replay(record)) for record in other)


def test_a_method_that_is_not_known_is_refused() -> None:
    record = msgspec.structs.replace(RECORDS[0], given={**RECORDS[0].given, "method": 99})
    with pytest.raises(ValueError, match="judged by method 99; this version knows: 1, 2"):
        replay(record)
