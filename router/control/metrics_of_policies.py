"""What do the policies say, as metrics?

Shown by the process that leads, which plans; the others show that they do not. So each series has one source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import Metric

from policies.canary.transitions import PHASES
from router.control.metric_families import counter, gauge
from router.control.planning_book import PlanningBook

_VERDICTS = ("harm", "safe", "not enough data")


def policy_families(book: PlanningBook) -> Iterator[Metric]:
    """The families of all policies that plan."""
    leading, said = float(book.leading), book.said
    text = "1 in the control process that leads, and so plans; else 0."
    yield gauge("planner_leading", text, [], {(): leading})
    text = "When an experiment's policy planned last, in unix seconds."
    planned = {(name,): each.at for name, each in said.items()}
    yield gauge("policy_planned_timestamp_seconds", text, ["experiment"], planned)
    opened = {(name,): float(count) for name, count in book.epochs.items()}
    yield counter("policy_epochs", "Epochs that plans opened.", ["experiment"], opened)
    failed = {(name,): float(count) for name, count in book.failures.items() if name}
    text = "Plans that could not be made; the log says why."
    yield counter("policy_failures", text, ["experiment"], failed)
    best = {
        (name, variant): float(share)
        for name, each in said.items()
        for variant, share in _numbers(each.plan.findings.get("probability_best")).items()
    }
    text = "Probability that a variant is the best, as its bandit sees it."
    yield gauge("policy_best_ratio", text, ["experiment", "variant"], best)
    yield from _canaries(book)


def _canaries(book: PlanningBook) -> Iterator[Metric]:
    phases, steps, verdicts = {}, {}, {}
    for name, each in book.said.items():
        findings = each.plan.findings
        if each.kind != "canary" or findings.get("phase") not in PHASES:
            continue
        for phase in PHASES:
            phases[name, phase] = float(phase == findings["phase"])
        steps[(name,)] = float(findings.get("step", 0))
        for verdict in _VERDICTS:
            verdicts[name, verdict] = float(verdict == findings.get("verdict"))
    text = "1 for the phase that a canary is in, 0 for the others."
    yield gauge("canary_phase", text, ["experiment", "phase"], phases)
    yield gauge("canary_step", "The step that a canary is at, from 1; 0 before.", ["experiment"], steps)
    text = "1 for the last verdict on a canary, 0 for the others."
    yield gauge("canary_verdict", text, ["experiment", "verdict"], verdicts)
    rollbacks = dict.fromkeys(steps, 0.0) | {(name,): float(count) for name, count in book.rollbacks.items()}
    yield counter("canary_rollbacks", "How often a canary was rolled back.", ["experiment"], rollbacks)


def _numbers(value: Any) -> Mapping[str, float]:
    """The numbers in a mapping; what is anything else is left out."""
    if not isinstance(value, Mapping):
        return {}
    return {str(name): each for name, each in value.items() if isinstance(each, int | float)}
