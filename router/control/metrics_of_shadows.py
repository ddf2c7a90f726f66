"""What does Prometheus see of the shadows: their copies and pairs, and what the pairs say?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import Metric

from policies.shadow.verdicts import MORE, NO_MORE
from router.control.metric_families import Labels, counter, gauge
from router.worker_totals import ShadowCounts, Totals

_COUNTS = {
    "copies": ("Copies of requests, by what became of them.", ("outcome", "reason")),
    "noise": ("Second requests to the current model, by what became of them.", ("outcome", "reason")),
    "answers": ("Copies that were sent, by how they ended.", ("outcome",)),
    "pairs": ("Pairs of answers that were compared.", ("pair", "result")),
    "uncompared": ("Copies whose answers were not compared, by why.", ("reason",)),
}
_NAMES = {"noise": "noise_copies"}


def count_families(totals: Totals) -> Iterator[Metric]:
    """What the workers counted."""
    for field, (text, names) in _COUNTS.items():
        samples: dict[Labels, float] = {}
        for shadow, counts in totals.shadows.items():
            for key, number in _counted(counts, field).items():
                values = key.split(":")
                padded = (*values, *[""] * (len(names) - len(values)))
                samples[(shadow, *padded)] = number
        yield counter(f"shadow_{_NAMES.get(field, field)}", text, ["shadow", *names], samples)


def _counted(counts: ShadowCounts, field: str) -> Mapping[str, int]:
    found: dict[str, int] = getattr(counts, field)
    return found


_OF_PAIRS = {
    "disagreement": ("disagreement", "ratio", "Share of pairs that differ"),
    "top_agreement": ("top_agreement", "ratio", "Share of pairs with the same best result"),
    "rank_overlap": ("rank_overlap", "ratio", "Mean rank-biased overlap of rankings"),
    "seconds_more": ("latency_difference", "seconds", "How much longer the second answer took, on average"),
}
_PARTS = {
    "estimate": ("", ""),
    "low": ("_lower", ", lower end of the always-valid interval"),
    "high": ("_upper", ", upper end of the always-valid interval"),
}
_DECISIONS = {MORE: 1.0, NO_MORE: 0.0}


def report_families(reports: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    """What the pairs say, by shadow; what cannot be estimated is absent."""
    for field, (name, unit, text) in _OF_PAIRS.items():
        for part, (suffix, more) in _PARTS.items():
            samples = {
                (shadow, pair): report[pair][field][part]
                for shadow, report in reports.items()
                for pair in ("candidate", "noise")
                if report[pair][field] is not None and report[pair][field][part] is not None
            }
            yield gauge(f"shadow_{name}{suffix}_{unit}", f"{text}{more}.", ["shadow", "pair"], samples)
    text = "How much more of the requests the candidate differs in than the current model from itself"
    for part, (suffix, more) in _PARTS.items():
        excess = {
            (shadow,): report["excess"][part]
            for shadow, report in reports.items()
            if report["excess"] is not None
        }
        yield gauge(f"shadow_excess{suffix}_ratio", f"{text}{more}.", ["shadow"], excess)
    decided = {
        (shadow,): _DECISIONS[report["decision"]]
        for shadow, report in reports.items()
        if report["decision"] in _DECISIONS
    }
    text = "1 the candidate differs more than noise, 0 no more; absent while undecided."
    yield gauge("shadow_decision", text, ["shadow"], decided)
    computed = {(shadow,): report["computed_at"] for shadow, report in reports.items()}
    text = "When this was computed, in unix seconds."
    yield gauge("shadow_report_timestamp_seconds", text, ["shadow"], computed)
