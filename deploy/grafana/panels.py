"""What is one panel of a dashboard, before it is Grafana's JSON?"""

from __future__ import annotations

from dataclasses import dataclass


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
