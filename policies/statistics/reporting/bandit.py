"""What does a report say of a bandit: which arm differs, and what did it cost to find out?

Source: Zhang, Janson & Murphy (2020), as the bandit's own plan has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from policies.statistics.reporting.result import BanditReport, BatchedDifference, Contrast, Interval, Regret


def bandit_report(findings: Mapping[str, Any], planned: float) -> BanditReport | None:
    """From the findings of a bandit's plan, which may have been JSON; None before the first with evidence.

    ``planned`` is when it was made, in unix seconds.

    >>> shown = {"estimate": 0.02, "low": 0.01, "high": 0.03, "p_value": 1e-4, "level": 0.95, "epochs": 9}
    >>> findings = {"metric": "won", "batched_ols": {"b": shown | {"sequential": shown}}}
    >>> found = bandit_report(findings | {"regret": {"estimate": 5.0, "standard_error": 2.0}}, 60.0)
    >>> found.contrasts[0].variant, found.contrasts[0].fixed.difference, found.regret.estimate
    ('b', 0.02, 5.0)
    """
    if "batched_ols" not in findings:
        return None
    regret = findings.get("regret")
    return BanditReport(
        metric=findings["metric"],
        planned=planned,
        contrasts=tuple(
            Contrast(arm, _difference(found), _difference(found["sequential"]))
            for arm, found in findings["batched_ols"].items()
        ),
        regret=None if regret is None else Regret(regret["estimate"], regret["standard_error"]),
        regret_reason=findings.get("reason") if regret is None else None,
    )


def _difference(found: Mapping[str, Any]) -> BatchedDifference:
    if found["estimate"] is None:
        return BatchedDifference(found["epochs"], reason=found["reason"])
    low, high = found["low"], found["high"]
    bounds = -inf if low is None else low, inf if high is None else high
    interval = Interval(*bounds, found["level"], found["p_value"])
    return BatchedDifference(found["epochs"], found["estimate"], interval)
