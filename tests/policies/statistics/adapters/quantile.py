"""Sketches, order statistics, and quantiles at any time."""

from __future__ import annotations

import numpy as np

from policies.statistics.quantile.anytime import anytime_quantile_test, empirical_process_lil_bound
from policies.statistics.quantile.normal import QuantileInterval, quantile_difference
from policies.statistics.quantile.order_statistic import Ranks, quantile_ranks
from policies.statistics.quantile.sketch import Sketch
from policies.statistics.result import Estimate, Test


def of_ranks(method: str, inputs: dict) -> dict:
    pairs = zip(np.atleast_1d(inputs["n"]).tolist(), np.atleast_1d(inputs["p"]).tolist(), strict=True)
    found = [quantile_ranks(n, q, inputs.get("alpha", 0.05)) for n, q in pairs]
    assert all(isinstance(each, Ranks) for each in found)
    columns = {
        "lower_rank": [each.lower for each in found],
        "upper_rank": [each.upper for each in found],
        "coverage": [each.coverage for each in found],
    }
    return columns if isinstance(inputs["n"], list) else {key: values[0] for key, values in columns.items()}


def of_intervals(method: str, inputs: dict) -> dict:
    level = 1.0 - inputs.get("alpha", 0.05)
    a, b = (
        QuantileInterval(each["n"], each["q"], each["lower"], each["upper"], each["n_star"], level)
        for each in (inputs["a"], inputs["b"])
    )
    found = quantile_difference(a, b, 1.0 - level)
    assert isinstance(found, Estimate)
    return {"var_a": a.variance, "var_b": b.variance, "diff": found.estimate, "se": found.standard_error,
            "ci_low": found.low, "ci_high": found.high, "p_value": found.p_value}  # fmt: skip


def of_sketch(method: str, inputs: dict) -> dict:
    values = np.array(inputs.get("values", inputs.get("x", [])), dtype=float)
    if "seed" in inputs:
        rng = np.random.default_rng(inputs["seed"])
        values = rng.lognormal(inputs["mu"], inputs["sigma"], inputs["n"]).round(3)
    split, error = inputs.get("split", len(values) // 2), inputs["alpha"]
    parts = [Sketch.from_values(part, error) for part in (values[:split], values[split:])]
    merged = parts[0].merge(parts[1])
    exact = np.quantile(values, inputs["q"], method="lower")
    return {"sketch": [merged.quantile(q) for q in inputs["q"]], "exact": exact.tolist(),
            "gamma": merged.gamma}  # fmt: skip


def of_lil(method: str, inputs: dict) -> dict:
    more = {"a": inputs["A"]} if "A" in inputs else {}
    return {"bound": empirical_process_lil_bound(inputs["t"], inputs["alpha"], inputs["t_min"], **more)}


def of_two_samples(method: str, inputs: dict) -> dict:
    shifts, quantiles = np.atleast_1d(inputs["offset"]), np.atleast_1d(inputs["quantile"])
    control = np.arange(1.0, inputs.get("n", 1000) + 1.0)
    found = []
    for shift, q in zip(shifts, quantiles, strict=True):
        test = anytime_quantile_test(
            control, control + shift, float(q), t_opt=inputs["t_opt"], alpha_opt=inputs.get("alpha_opt", 0.05)
        )
        assert isinstance(test, Test)
        found.append(test.p_value)
    return {"p_value": found if isinstance(inputs["offset"], list) else found[0]}


ADAPTERS = [
    (lambda m, i: "quantile" in m and "rank" in m and "n" in i and "p" in i, of_ranks),
    (lambda m, i: "quantile" in m and "a" in i and "lower" in i["a"], of_intervals),
    (lambda m, i: "ddsketch" in m, of_sketch),
    (lambda m, i: "lil" in m, of_lil),
    (lambda m, i: "quantile" in m and "offset" in i, of_two_samples),
]
