"""What does Prometheus see of the control port: state, statistics, plans, and the node's workers?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import fsum
from pathlib import Path

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from router.control import metrics_of_shadows
from router.control.metric_families import build, gauge
from router.control.metrics_of_policies import policy_families
from router.control.metrics_of_reports import ReportBook, report_families
from router.control.metrics_of_workers import worker_families
from router.control.planning_book import PlanningBook
from router.control.watch import Sight
from router.last_state import load
from router.settings import Experiment
from router.state import State


class ControlCollector(Collector):
    """Collects at each scrape; reads files only, so that it also answers while Redis is away."""

    def __init__(
        self,
        data_dir: Path,
        reports: ReportBook,
        planning: PlanningBook,
        sight: Sight,
        clock: Callable[[], float],
        *,
        workers: bool,
    ) -> None:
        """``clock`` gives unix seconds; ``workers`` says whether this node has any."""
        self._data_dir = data_dir
        self._reports = reports
        self._planning = planning
        self._sight = sight
        self._clock = clock
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        """Every family, in one pass over the files."""
        state = load(self._data_dir)
        yield build()
        text = "1 while Redis answers this control process, else 0."
        yield gauge("redis_up", text, [], {(): float(self._sight.redis_up)})
        if self._workers:
            yield from worker_families(self._data_dir, self._clock())
        if state is not None:
            yield from _state(state)
        yield from report_families(self._reports)
        yield from metrics_of_shadows.report_families(self._reports.shadows)
        yield from policy_families(self._planning)


def _state(state: State) -> Iterator[Metric]:
    yield gauge("state_version", "The version of the configuration in force.", [], {(): state.version})
    running, epochs, started, weights = {}, {}, {}, {}
    for name in state.settings.experiments:
        running[(name,)] = float(state.assigns(name))
        epoch = state.epochs.get(name)
        if epoch is None:
            continue
        epochs[(name,)] = float(epoch.number)
        started[(name,)] = epoch.started
        total = fsum(epoch.weights.values())
        for variant, weight in epoch.weights.items():
            weights[name, variant] = weight / total if total else 0.0
    one = ["experiment"]
    yield gauge("experiment_running", "1 while an experiment splits traffic, else 0.", one, running)
    yield gauge("experiment_epoch", "The number of the last epoch.", one, epochs)
    text = "When the last epoch began, in unix seconds."
    yield gauge("experiment_epoch_start_timestamp_seconds", text, one, started)
    text = "A variant's share of the units in the last epoch."
    yield gauge("variant_weight_ratio", text, ["experiment", "variant"], weights)
    declared = {
        labels: 1.0 for name, each in state.settings.experiments.items() for labels in _declared(name, each)
    }
    text = "The metrics that an experiment declares; always 1."
    yield gauge("metric_info", text, ["experiment", "metric", "kind", "goal", "guardrail"], declared)


def _declared(name: str, experiment: Experiment) -> Iterator[tuple[str, ...]]:
    for metric in experiment.metrics:
        yield name, metric.name, metric.kind, metric.goal, "true" if metric.guardrail else "false"
