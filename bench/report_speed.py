"""How long does a report over 4 variants, 20 metrics and 50 epochs take?

``python -m bench.report_speed`` prints the time that passes: median, fastest and slowest of the repetitions,
the processor's time beside it, what else the machine was doing, and what each part costs. The bar is 100 ms,
off the data plane.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from time import perf_counter, process_time

import numpy as np

from policies.latency_cells import CELLS
from policies.metric import MetricSpec
from policies.statistics.evidence import BucketSums, EpochEvidence, ExperimentEvidence, VariantEvidence
from policies.statistics.report import AnalysisSettings, report, to_json
from policies.statistics.reporting.effects import Analysis
from policies.statistics.reporting.health import checks
from policies.statistics.reporting.traffic import Traffic, measure

BAR_MS = 100.0
BUCKETS, GROUPS = 1024, 32


def evidence(variants: int, metrics: int, epochs: int, seed: int = 1) -> ExperimentEvidence:
    """An experiment of this size: half of the metrics binary, four requests a bucket, variant and epoch."""
    rng = np.random.default_rng(seed)
    names = [f"v{i}" for i in range(variants)]

    def variant() -> VariantEvidence:
        requests = rng.poisson(4.0, BUCKETS)
        outcomes = {}
        for m in range(metrics):
            counted = rng.binomial(requests, 0.8)
            total = rng.binomial(counted, 0.1) if m % 2 else rng.normal(counted * 3.0, np.sqrt(counted))
            outcomes[f"m{m}"] = BucketSums(counted, total)
        cells = rng.poisson(requests.sum() / GROUPS / 120.0, (GROUPS, CELLS))
        cells[:, :250] = cells[:, 370:] = 0
        return VariantEvidence(
            requests=requests,
            errors=rng.binomial(requests, 0.01),
            first_byte=requests * 0.02 + rng.normal(0, 0.004, BUCKETS) * np.sqrt(requests),
            last_byte=requests * 0.03 + rng.normal(0, 0.005, BUCKETS) * np.sqrt(requests),
            units=float(rng.poisson(2500)),
            units_variance=3.0,
            first_byte_histogram=cells,
            last_byte_histogram=np.roll(cells, 10, axis=1),
            outcomes=outcomes,
            immature_requests=10,
        )

    rows = tuple(
        EpochEvidence(
            number=e,
            started=e * 3600.0,
            ended=(e + 1) * 3600.0 if e + 1 < epochs else None,
            weights=dict.fromkeys(names, 1.0),
            variants={name: variant() for name in names},
        )
        for e in range(epochs)
    )
    return ExperimentEvidence("speed", names[0], rows)


def declared(metrics: int) -> list[MetricSpec]:
    """The metrics of ``evidence``: binary and mean, some per request, with a margin or a covariate."""
    return [
        MetricSpec(
            f"m{m}",
            "binary" if m % 2 else "mean",
            per="request" if m % 3 == 0 else "outcome",
            margin=0.01 if m % 4 == 1 else None,
            covariate="m0" if m % 10 == 2 else None,
        )
        for m in range(metrics)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, default=4)
    parser.add_argument("--metrics", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=15)
    given = parser.parse_args()
    found = evidence(given.variants, given.metrics, given.epochs)
    specs, settings = declared(given.metrics), AnalysisSettings()
    now = given.epochs * 3600.0

    result = report(found, specs, settings, now)
    times, processor = [], []
    for _ in range(given.repeat):
        started, computing = perf_counter(), process_time()
        result = report(found, specs, settings, now)
        times.append((perf_counter() - started) * 1e3)
        processor.append((process_time() - computing) * 1e3)

    parts = {}
    started = process_time()
    traffic = Traffic.of(found)
    checks(traffic, settings)
    parts["traffic and its checks"] = process_time() - started
    started = process_time()
    analysis = Analysis(traffic, measure(traffic, specs), settings, None, now)
    parts["metrics and latencies"] = process_time() - started
    started = process_time()
    analysis.effects()
    parts["adjustment and decisions"] = process_time() - started
    started = process_time()
    for v in range(given.variants):
        analysis.means(v)
    parts["variants' quantiles"] = process_time() - started
    started = process_time()
    size = len(json.dumps(to_json(result), allow_nan=False))
    parts[f"JSON ({size / 1024:.0f} KiB), not in the report's time"] = process_time() - started

    median = statistics.median(times)
    print(f"{given.variants} variants, {given.metrics} metrics, {given.epochs} epochs")
    print(f"{median:.1f} ms (median; {min(times):.1f} to {max(times):.1f}), ", end="")
    print(f"{statistics.median(processor):.1f} ms of CPU; bar {BAR_MS:.0f} ms: ", end="")
    print("within" if median < BAR_MS else "MISSED")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors: ", end="")
    print("times of a quiet machine need a load below 1")
    for name, seconds in parts.items():
        print(f"  {seconds * 1e3:7.1f} ms  {name}")


if __name__ == "__main__":
    main()
