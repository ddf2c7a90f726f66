"""Which dashboards does Grafana show?

``python deploy/grafana/dashboards.py`` writes dashboards/*.json; with ``--check`` it says whether they are
what it would write. Written here so that a change of a metric's name is one line and not three hundred.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "dashboards"
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: its queries, each with a legend, and how it is drawn."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    text: str = ""
    width: int = 8
    height: int = 7
    stacked: bool = False
    low: float | None = None
    high: float | None = None
    mappings: tuple[tuple[str, str, str], ...] = ()
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a headline."""

    title: str
    panels: tuple[Panel, ...]


def _percentile(share: float, name: str, by: str, where: str = "") -> str:
    inner = f"sum by ({by}, le) (rate(turnout_{name}_seconds_bucket{where}[$__rate_interval]))"
    return f"histogram_quantile({share}, {inner})"


_ROUTE = '{route=~"$route"}'
_FAILED = '{route=~"$route",code_class="5xx"}'
_REQUESTS = f"sum by (route) (rate(turnout_requests_total{_ROUTE}[$__rate_interval]))"
SERVICE = (
    Row(
        "Requests",
        (
            Panel(
                "Rate by route",
                ((f"sum by (route) (rate(turnout_requests_total{_ROUTE}[$__rate_interval]))", "{{route}}"),),
                "reqps",
            ),
            Panel(
                "Errors by route",
                (
                    (
                        f"(sum by (route) (rate(turnout_requests_total{_FAILED}[$__rate_interval])) "
                        f"or 0 * {_REQUESTS}) / ({_REQUESTS} > 0)",
                        "{{route}}",
                    ),
                ),
                "percentunit",
                text="Answers of 500 and above: the backends' own, and the router's where none could answer.",
                low=0,
            ),
            Panel(
                "Answered by the router itself",
                (("sum by (reason) (rate(turnout_refusals_total[$__rate_interval]))", "{{reason}}"),),
                "reqps",
                text="Refused or given up, by the reason that the client was told.",
            ),
        ),
    ),
    Row(
        "Latency",
        (
            Panel(
                "Router's own overhead",
                (
                    (_percentile(0.5, "overhead", "route", _ROUTE), "p50 {{route}}"),
                    (_percentile(0.99, "overhead", "route", _ROUTE), "p99 {{route}}"),
                ),
                "s",
                text="What a request took without its backend's time.",
            ),
            Panel(
                "Backends, p50",
                ((_percentile(0.5, "backend_duration", "backend"), "{{backend}}"),),
                "s",
            ),
            Panel(
                "Backends, p99",
                ((_percentile(0.99, "backend_duration", "backend"), "{{backend}}"),),
                "s",
            ),
        ),
    ),
    Row(
        "Backends",
        (
            Panel(
                "Connections",
                (
                    ("sum by (backend) (turnout_pool_open_connections)", "open {{backend}}"),
                    ("sum by (backend) (turnout_pool_outstanding_requests)", "in use {{backend}}"),
                ),
            ),
            Panel(
                "Waiting for a connection",
                (
                    ("sum by (backend) (turnout_pool_waiting_requests)", "now {{backend}}"),
                    (
                        "sum by (backend) (rate(turnout_pool_waits_total[$__rate_interval]))",
                        "per s {{backend}}",
                    ),
                ),
            ),
            Panel(
                "Failures",
                (
                    (
                        "sum by (backend) (rate(turnout_connection_failures_total[$__rate_interval]))",
                        "connections {{backend}}",
                    ),
                    (
                        "sum by (backend) (rate(turnout_retries_total[$__rate_interval]))",
                        "retries {{backend}}",
                    ),
                    (
                        "sum by (backend) (turnout_backend_addresses_set_aside)",
                        "addresses set aside {{backend}}",
                    ),
                    (
                        "sum by (backend, reason) (rate(turnout_pool_refusals_total[$__rate_interval]))",
                        "{{reason}} {{backend}}",
                    ),
                ),
            ),
        ),
    ),
    Row(
        "Workers and Redis",
        (
            Panel("Workers", (("sum(turnout_workers)", "workers"),), kind="stat", width=4),
            Panel(
                "Client connections",
                (("sum(turnout_worker_client_connections)", "open"),),
                kind="stat",
                width=4,
            ),
            Panel(
                "Not confirmed by Redis",
                (
                    (
                        "max by (instance, worker) (turnout_worker_oldest_batch_seconds)",
                        "{{instance}} {{worker}}",
                    ),
                ),
                "s",
                text="Age of the oldest counts that Redis has not taken: where it grows, Redis is away.",
                limit=10,
            ),
            Panel(
                "Snapshot's age and version",
                (
                    ("max by (instance) (turnout_worker_snapshot_age_seconds)", "age {{instance}}"),
                    (
                        "max by (instance) (turnout_state_version) - on (instance) "
                        "min by (instance) (turnout_worker_snapshot_version)",
                        "versions behind {{instance}}",
                    ),
                ),
                "s",
            ),
            Panel(
                "Outcomes",
                (("sum by (status) (rate(turnout_outcomes_total[$__rate_interval]))", "{{status}}"),),
                "cps",
            ),
            Panel(
                "Statistics",
                (
                    ("max by (instance) (turnout_report_duration_seconds)", "took {{instance}}"),
                    ("time() - min(turnout_report_timestamp_seconds)", "age of the oldest"),
                ),
                "s",
            ),
            Panel(
                "Redis",
                (("min by (instance) (turnout_redis_up)", "{{instance}}"),),
                kind="stat",
                text="As the control processes see it.",
                mappings=(("1", "answers", "green"), ("0", "away", "red")),
            ),
        ),
    ),
)

_E = 'experiment="$experiment"'
_M = '{experiment="$experiment",metric="$metric"}'
_DECISIONS = (("1", "better", "green"), ("-1", "worse", "red"), ("0", "no difference", "blue"))
_CHECKS = (("0", "ok", "green"), ("1", "warning", "orange"), ("2", "alarm", "red"))
EXPERIMENT = (
    Row(
        "$experiment",
        (
            Panel(
                "Decision by $metric",
                ((f"max by (variant) (turnout_effect_decision{_M})", "{{variant}}"),),
                kind="stat",
                text="Empty while undecided.",
                mappings=_DECISIONS,
            ),
            Panel(
                "Health",
                ((f"max by (check) (turnout_check_status{{{_E}}})", "{{check}}"),),
                kind="stat",
                mappings=_CHECKS,
            ),
            Panel(
                "Days left",
                (
                    (
                        f"min by (variant, metric) (turnout_effect_left_seconds{_M}) / 86400",
                        "{{variant}}",
                    ),
                ),
                "d",
                kind="stat",
                text="Until a decision, should effect and traffic stay as they are.",
            ),
        ),
    ),
    Row(
        "Traffic",
        (
            Panel(
                "Split, as it is",
                (
                    (
                        f"sum by (variant) (rate(turnout_requests_total{{{_E}}}[$__rate_interval])) "
                        f"/ scalar(sum(rate(turnout_requests_total{{{_E}}}[$__rate_interval])))",
                        "{{variant}}",
                    ),
                ),
                "percentunit",
                stacked=True,
                low=0,
                high=1,
            ),
            Panel(
                "Split, as it is planned",
                ((f"max by (variant) (turnout_variant_weight_ratio{{{_E}}})", "{{variant}}"),),
                "percentunit",
                stacked=True,
                low=0,
                high=1,
            ),
            Panel(
                "Sample ratio mismatch, p-value",
                ((f"min by (test) (turnout_srm_p_value{{{_E}}})", "{{test}}"),),
                text="For many looks (sequential) and for one (fixed). Below 0.001 no effect can be trusted.",
                low=0,
                high=1,
                limit=0.001,
            ),
        ),
    ),
    Row(
        "$metric",
        (
            Panel(
                "Mean by variant",
                ((f"max by (variant) (turnout_metric_mean{_M})", "{{variant}}"),),
                width=12,
            ),
            Panel(
                "Effect, with the interval that is always valid",
                (
                    (f"max by (variant) (turnout_effect{_M})", "{{variant}}"),
                    (f"max by (variant) (turnout_effect_lower{_M})", "{{variant}} lower"),
                    (f"max by (variant) (turnout_effect_upper{_M})", "{{variant}} upper"),
                ),
                text="Difference to the control; decided once the interval leaves out 0.",
                width=12,
            ),
            Panel(
                "p-value, always valid",
                ((f"max by (variant) (turnout_effect_p_value{_M})", "{{variant}}"),),
                low=0,
                high=1,
                limit=0.05,
            ),
            Panel(
                "Probability to be the best",
                ((f"max by (variant) (turnout_effect_best_ratio{_M})", "{{variant}}"),),
                "percentunit",
                low=0,
                high=1,
            ),
            Panel(
                "Outcomes",
                (
                    (
                        f"sum by (metric, status) (rate(turnout_outcomes_total{{{_E}}}[$__rate_interval]))",
                        "{{metric}} {{status}}",
                    ),
                ),
                "cps",
            ),
        ),
    ),
    Row(
        "All metrics",
        (
            Panel(
                "Effects now",
                ((f"max by (metric, variant) (turnout_effect{{{_E}}})", "{{metric}} {{variant}}"),),
                kind="table",
                width=12,
                height=10,
            ),
            Panel(
                "Units by variant",
                ((f"max by (variant) (turnout_variant_units{{{_E}}})", "{{variant}}"),),
                width=12,
                height=10,
            ),
        ),
    ),
)

POLICIES = (
    Row(
        "Plans",
        (
            Panel("Planning", (("sum(turnout_planner_leading)", "leaders"),), kind="stat", width=4),
            Panel(
                "Since the last plan",
                (
                    (
                        "time() - max by (experiment) (turnout_policy_planned_timestamp_seconds)",
                        "{{experiment}}",
                    ),
                ),
                "s",
                width=10,
            ),
            Panel(
                "Epochs that plans opened, and plans that failed",
                (
                    (
                        "sum by (experiment) (increase(turnout_policy_epochs_total[$__range]))",
                        "epochs {{experiment}}",
                    ),
                    (
                        "sum by (experiment) (increase(turnout_policy_failures_total[$__range]))",
                        "failed {{experiment}}",
                    ),
                ),
                width=10,
            ),
        ),
    ),
    Row(
        "Canaries",
        (
            Panel(
                "Phase",
                (("max by (experiment, phase) (turnout_canary_phase) == 1", "{{experiment}}: {{phase}}"),),
                kind="state",
                width=12,
            ),
            Panel(
                "Verdict",
                (
                    (
                        "max by (experiment, verdict) (turnout_canary_verdict) == 1",
                        "{{experiment}}: {{verdict}}",
                    ),
                ),
                kind="state",
                width=12,
            ),
            Panel("Step", (("max by (experiment) (turnout_canary_step)", "{{experiment}}"),), width=12),
            Panel(
                "Rolled back",
                (("sum by (experiment) (turnout_canary_rollbacks_total)", "{{experiment}}"),),
                width=12,
            ),
        ),
    ),
    Row(
        "Bandits",
        (
            Panel(
                "Weights",
                (
                    (
                        'max by (variant) (turnout_variant_weight_ratio{experiment="$experiment"})',
                        "{{variant}}",
                    ),
                ),
                "percentunit",
                stacked=True,
                low=0,
                high=1,
                width=12,
            ),
            Panel(
                "Probability to be the best",
                (('max by (variant) (turnout_policy_best_ratio{experiment="$experiment"})', "{{variant}}"),),
                "percentunit",
                low=0,
                high=1,
                width=12,
            ),
        ),
    ),
)
_S = '{shadow="$shadow"}'


def _with_interval(name: str, unit: str, legend: str = "") -> tuple[tuple[str, str], ...]:
    """What pairs say of the candidate and of the current model itself, each with its interval's ends."""
    ends = {"": "", "_lower": " lower", "_upper": " upper"}
    return tuple(
        (f"max by (pair) (turnout_shadow_{name}{end}_{unit}{_S})", f"{legend}{{{{pair}}}}{word}")
        for end, word in ends.items()
    )


_SHADOWS = Row(
    "Shadow $shadow",
    (
        Panel(
            "Verdict",
            (("max by (shadow) (turnout_shadow_decision)", "{{shadow}}"),),
            kind="stat",
            text="Of every shadow. Empty while undecided, and always so where noise is 0.",
            width=6,
            mappings=(("1", "differs", "red"), ("0", "no more than noise", "green")),
        ),
        Panel(
            "Disagreement, and the current model's own noise",
            _with_interval("disagreement", "ratio"),
            "percentunit",
            text="Of pairs of answers, with always-valid intervals. noise: the current model asked twice.",
            low=0,
            width=9,
        ),
        Panel(
            "Disagreement beyond the noise",
            tuple(
                (f"max(turnout_shadow_excess{end}_ratio{_S})", word)
                for end, word in (("", "estimate"), ("_lower", "lower"), ("_upper", "upper"))
            ),
            "percentunit",
            text="How much more of the requests only the candidate differs in.",
            width=9,
        ),
        Panel(
            "Copies",
            (
                (
                    f"sum by (outcome, reason) (rate(turnout_shadow_copies_total{_S}[$__rate_interval]))",
                    "{{outcome}} {{reason}}",
                ),
            ),
            "reqps",
            text="Sent, dropped for want of room, or skipped by a rule.",
        ),
        Panel(
            "Answers, and what was not compared",
            (
                (
                    f"sum by (outcome) (rate(turnout_shadow_answers_total{_S}[$__rate_interval]))",
                    "{{outcome}}",
                ),
                (
                    f"sum by (reason) (rate(turnout_shadow_uncompared_total{_S}[$__rate_interval]))",
                    "not compared: {{reason}}",
                ),
            ),
            "reqps",
        ),
        Panel(
            "Latency, by pair",
            _with_interval("latency_difference", "seconds"),
            "s",
            text="How much longer than the client's the second answer to the same request took.",
        ),
        Panel(
            "Same best result, and overlap of rankings",
            (
                *_with_interval("top_agreement", "ratio", "best "),
                *_with_interval("rank_overlap", "ratio", "overlap "),
            ),
            "percentunit",
            text="Where compare.top and compare.ranking say where those stand.",
            low=0,
            high=1,
            width=24,
        ),
    ),
)


def dashboards() -> dict[str, dict[str, Any]]:
    """Every dashboard, by its file's name."""
    return {
        "service": _dashboard("turnout-service", "Turnout: service", SERVICE, [_variable_route()]),
        "experiment": _dashboard(
            "turnout-experiment",
            "Turnout: experiment",
            EXPERIMENT,
            [
                _variable("experiment", "label_values(turnout_experiment_running, experiment)"),
                _variable("metric", 'label_values(turnout_effect{experiment="$experiment"}, metric)'),
            ],
        ),
        "policies": _dashboard(
            "turnout-policies",
            "Turnout: policies",
            (*POLICIES, _SHADOWS),
            [
                _variable("experiment", "label_values(turnout_experiment_running, experiment)"),
                _variable("shadow", "label_values(turnout_shadow_copies_total, shadow)"),
            ],
        ),
    }


def text_of(dashboard: dict[str, Any]) -> str:
    """The file's text."""
    return json.dumps(dashboard, indent=2) + "\n"


def _dashboard(uid: str, title: str, rows: Sequence[Row], variables: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "uid": uid,
        "title": title,
        "tags": ["turnout"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [
            {"type": "dashboards", "tags": ["turnout"], "asDropdown": False, "title": "", "keepTime": True}
        ],
        "templating": {"list": [_source_variable(), *variables]},
        "annotations": {"list": [_epochs()] if any(v["name"] == "experiment" for v in variables) else []},
        "panels": list(_laid_out(rows)),
    }


def _laid_out(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    number, y = 0, 0
    for row in rows:
        number += 1
        grid = {"x": 0, "y": y, "w": _WIDTH, "h": 1}
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": grid,
            "panels": [],
        }
        y, x, tallest = y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > _WIDTH:
                x, y, tallest = 0, y + tallest, 0
            number += 1
            grid = {"x": x, "y": y, "w": panel.width, "h": panel.height}
            yield {"id": number, "gridPos": grid, **_panel(panel)}
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest


_KINDS = {"timeseries": "timeseries", "stat": "stat", "table": "table", "state": "state-timeline"}


def _panel(panel: Panel) -> dict[str, Any]:
    instant = panel.kind in ("stat", "table")
    defaults: dict[str, Any] = {"unit": panel.unit, "noValue": "none"}
    for name, value in (("min", panel.low), ("max", panel.high)):
        if value is not None:
            defaults[name] = value
    if panel.mappings:
        options = {value: {"text": text, "color": color} for value, text, color in panel.mappings}
        defaults["mappings"] = [{"type": "value", "options": options}]
    if panel.limit is not None:
        steps = [{"color": "transparent", "value": None}, {"color": "red", "value": panel.limit}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    if panel.kind == "timeseries":
        custom: dict[str, Any] = {"showPoints": "never", "fillOpacity": 70 if panel.stacked else 5}
        if panel.stacked:
            custom["stacking"] = {"mode": "normal", "group": "A"}
        if panel.limit is not None:
            custom["thresholdsStyle"] = {"mode": "line"}
        defaults["custom"] = custom
    return {
        "type": _KINDS[panel.kind],
        "title": panel.title,
        "description": panel.text,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel),
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _SOURCE,
                "expr": expression,
                "legendFormat": legend,
                "instant": instant,
                "range": not instant,
                **({"format": "table"} if panel.kind == "table" else {}),
            }
            for place, (expression, legend) in enumerate(panel.queries)
        ],
    }


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"reduceOptions": reduce, "colorMode": "background" if panel.mappings else "value"}
    if panel.kind == "timeseries":
        return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    return {}


def _source_variable() -> dict[str, Any]:
    return {
        "name": "source",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
    }


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "current": {},
    }


def _variable_route() -> dict[str, Any]:
    whole = _variable("route", "label_values(turnout_requests_total, route)")
    return {
        **whole,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _epochs() -> dict[str, Any]:
    """A line where an epoch began: the metric's value is the time, in milliseconds once multiplied."""
    return {
        "name": "Epochs",
        "enable": True,
        "datasource": _SOURCE,
        "iconColor": "purple",
        "expr": 'max(turnout_experiment_epoch_start_timestamp_seconds{experiment="$experiment"}) * 1000',
        "useValueForTime": True,
        "titleFormat": "epoch began",
    }


def main(arguments: list[str]) -> int:
    """The exit status."""
    if arguments not in ([], ["--check"]):
        print(f"unknown arguments {' '.join(arguments)!r}; known: --check", file=sys.stderr)
        return 2
    wrong = 0
    for name, dashboard in dashboards().items():
        file, expected = FOLDER / f"{name}.json", text_of(dashboard)
        if not arguments:
            file.write_text(expected, "utf-8")
        elif not file.exists() or file.read_text("utf-8") != expected:
            print(f"{file} is not what it would be; write it: python {__file__}", file=sys.stderr)
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
