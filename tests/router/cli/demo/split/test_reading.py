"""What is read is what a real report says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policies.metric import MetricSpec
from policies.statistics.evidence import BucketSums, EpochEvidence, ExperimentEvidence, VariantEvidence
from policies.statistics.report import AnalysisSettings, report, to_json
from router.cli.demo.counting import Counted
from router.cli.demo.split.reading import Reading, read_report

BUCKETS = 1024
METRICS = [MetricSpec("correct", "binary")]


def variant(units: int, outcomes: int, right: int) -> VariantEvidence:
    """Outcomes spread over the buckets one by one, the right ones first."""
    counts, ones = (np.bincount(np.arange(n) % BUCKETS, minlength=BUCKETS) for n in (outcomes, right))
    empty = np.zeros((32, 600), dtype=np.int64)
    return VariantEvidence(
        requests=counts,
        errors=np.zeros(BUCKETS, dtype=np.int64),
        first_byte=counts * 0.01,
        last_byte=counts * 0.01,
        units=float(units),
        units_variance=0.0,
        first_byte_histogram=empty,
        last_byte_histogram=empty,
        outcomes={"correct": BucketSums(counts, ones)},
        immature_requests=0,
    )


def document(**variants: VariantEvidence) -> dict:
    weights = {"champion": 50.0, "challenger": 50.0}
    epoch = EpochEvidence(1, 0.0, None, weights, variants)
    evidence = ExperimentEvidence("digits", "champion", (epoch,))
    return to_json(report(evidence, METRICS, AnalysisSettings(n_star=1000), 100.0))


def test_counts_are_whole_again_and_the_effect_is_the_challengers() -> None:
    reading = read_report(document(champion=variant(900, 3001, 2702), challenger=variant(880, 2903, 2851)))
    assert reading.counted == {
        "champion": Counted(900.0, 3001, 3001, 2702),
        "challenger": Counted(880.0, 2903, 2903, 2851),
    }
    assert reading.share("champion") == 900 / 1780
    assert reading.effect is not None
    assert reading.effect.estimate == pytest.approx(2851 / 2903 - 2702 / 3001)
    assert reading.effect.lower < reading.effect.estimate < reading.effect.upper
    assert reading.effect.decision == "better"
    assert reading.sample_ratio.startswith("no mismatch found (p ")


def test_a_split_that_is_off_is_said() -> None:
    reading = read_report(document(champion=variant(2000, 3000, 2700), challenger=variant(1000, 1500, 1400)))
    assert reading.sample_ratio.startswith("sample ratio mismatch")


def test_too_little_is_no_effect_with_the_reports_reason() -> None:
    found = document(champion=variant(5, 5, 4), challenger=variant(4, 4, 4))
    reading = read_report(found)
    assert reading.effect is None
    assert reading.no_effect
    assert reading.no_effect != Reading().no_effect


def test_nothing_yet_can_be_read() -> None:
    reading = read_report(document())
    assert reading.effect is None
    assert replace(reading, sample_ratio="", no_effect="") == Reading(
        counted=reading.counted, sample_ratio="", no_effect=""
    )
    assert reading.requests("champion") == 0
