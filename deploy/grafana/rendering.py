"""How does a dashboard's description become Grafana's JSON?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from deploy.grafana.panels import Panel, Row

_SOURCE = {"type": "prometheus", "uid": "${source}"}
_WIDTH = 24


def text_of(dashboard: dict[str, Any]) -> str:
    """The file's text."""
    return json.dumps(dashboard, indent=2) + "\n"


def dashboard(uid: str, title: str, rows: Sequence[Row], variables: list[dict[str, Any]]) -> dict[str, Any]:
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


def variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "current": {},
    }


def variable_route() -> dict[str, Any]:
    whole = variable("route", "label_values(turnout_requests_total, route)")
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
