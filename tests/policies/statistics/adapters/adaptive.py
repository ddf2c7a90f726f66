"""Batched OLS, off-policy values, indices and best-arm identification."""

from __future__ import annotations

from functools import partial

import numpy as np

from policies.statistics.adaptive.batched_ols import batched_ols, sequential_batched_ols
from policies.statistics.adaptive.bernoulli_indices import bayes_ucb, kl_ucb, ucb1
from policies.statistics.adaptive.best_arm import (
    Proportions,
    best_arm_stopping,
    lai_robbins_constant,
    optimal_proportions,
)
from policies.statistics.adaptive.linucb import LinearEvidence, linucb
from policies.statistics.adaptive.off_policy import KNOWN, off_policy_value
from policies.statistics.evidence import Moments
from policies.statistics.result import Estimate, Test


def arm(n: int, mean: float, variance: float) -> Moments:
    return Moments(n, (mean,), ((variance * (n - 1),),))


def of_batches(method: str, inputs: dict) -> dict:
    batches = [
        tuple(arm(batch["n"][k], batch["mean"][k], batch["var"][k]) for k in (0, 1))
        for batch in inputs["batches"]
    ]
    alpha = inputs.get("alpha", 0.05)
    if "sequential" in method:
        names = ("planned", "planned_batches", "planned_epochs", "n_star", "e_star", "E_star")
        planned = next((inputs[key] for key in names if key in inputs), len(batches))
        found = sequential_batched_ols(batches, alpha, planned_batches=planned)
    else:
        found = batched_ols(batches, alpha)
    assert isinstance(found, Estimate)
    return {"z": found.detail("z"), "z_batch": list(found.detail("z_batch")), "p_value": found.p_value,
            "estimate": found.estimate, "ci_low": found.low, "ci_high": found.high}  # fmt: skip


def clipped_value(logged: list, model: list | None, name: str, clip: float) -> float:
    found = off_policy_value(*logged, model, estimator=name, clip=clip)
    assert isinstance(found, Estimate)
    return found.estimate


def of_off_policy(method: str, inputs: dict) -> dict:
    logged = [inputs[key] for key in ("action", "reward", "logged_prob", "target_policy")]
    model = inputs.get("q_hat")
    result: dict = {}
    for name in KNOWN:
        if model is None and name in ("dm", "dr", "sndr"):
            continue
        found = off_policy_value(*logged, model, estimator=name)
        result[name] = found.estimate
        result[f"{name}_se"] = found.standard_error
        if name == "ips":
            result["ess"] = found.detail("effective_sample_size")
        result[f"{name}_clip_*"] = partial(clipped_value, logged, model, name)
    return result


def of_lai_robbins(method: str, inputs: dict) -> dict:
    instances = inputs.get("instances", {"c": inputs.get("means", inputs.get("mu"))})
    family = "gaussian" if "gauss" in method else "bernoulli"
    return {name: lai_robbins_constant(means, family) for name, means in instances.items()}


def of_kl_ucb(method: str, inputs: dict) -> dict:
    c = inputs.get("c", 0.0)
    rows = zip(*(np.atleast_1d(inputs[key]).tolist() for key in ("mean", "n", "t")), strict=True)
    return {"index": [kl_ucb(mean, n, t, c) for mean, n, t in rows]}


def of_ucb1(method: str, inputs: dict) -> dict:
    counts = inputs["n"]
    total = inputs.get("t", inputs.get("N", sum(counts)))
    means = inputs.get("mean") or [x / n for x, n in zip(inputs["successes"], counts, strict=True)]
    return {
        "index": [ucb1(m, n, total, inputs.get("alpha", 1.0)) for m, n in zip(means, counts, strict=True)]
    }


def of_bayes_ucb(method: str, inputs: dict) -> dict:
    prior = tuple(inputs.get("prior", (1, 1)))
    wins, counts, t = inputs.get("x", inputs.get("successes")), inputs["n"], inputs["t"]
    if isinstance(wins, list):
        times = t if isinstance(t, list) else [t] * len(wins)
        return {"index": [bayes_ucb(x, n, at, prior) for x, n, at in zip(wins, counts, times, strict=True)]}
    return {"index": bayes_ucb(wins, counts, t, prior)}


def of_linucb(method: str, inputs: dict) -> dict:
    features, rewards, arms = np.array(inputs["X"]), np.array(inputs["reward"]), np.array(inputs["arm"])
    names = sorted(set(inputs["arm"]))
    found = {}
    for name in names:
        seen = LinearEvidence.from_rows(features[arms == name], rewards[arms == name])
        found[name] = linucb(seen, inputs["x"], inputs.get("alpha", 1.0), inputs.get("l2", 1.0))
    return {
        **{f"theta_{name}": list(each.theta) for name, each in found.items()},
        "mean": [each.mean for each in found.values()],
        "width": [each.width for each in found.values()],
        "index": [each.index for each in found.values()],
    }


def of_best_arm(method: str, inputs: dict) -> dict:
    result: dict = {}
    for key, means in inputs.items():
        if not isinstance(means, list):
            continue
        family = "gaussian" if "gauss" in key or ("gauss" in method and "bern" not in key) else "bernoulli"
        found = optimal_proportions(means, family)
        assert isinstance(found, Proportions)
        for name in (key, key.split("_")[0]):
            result[f"w_{name}"] = list(found.shares)
            result[f"t_{name}"] = found.characteristic_time
        result["w"], result["t"] = list(found.shares), found.characteristic_time
    return result


def of_stopping(method: str, inputs: dict) -> dict:
    family = "gaussian" if "gauss" in method else "bernoulli"
    means = inputs.get("mean", inputs.get("means"))
    found = best_arm_stopping(means, inputs["n"], inputs.get("delta", 0.05), family)
    assert isinstance(found, Test)
    return {"glr": found.statistic, "threshold": found.detail("threshold")}


ADAPTERS = [
    (lambda m, i: "batches" in i, of_batches),
    (lambda m, i: "target_policy" in i, of_off_policy),
    (lambda m, i: "lai-robbins" in m or "lai and robbins" in m, of_lai_robbins),
    (lambda m, i: "kl-ucb" in m, of_kl_ucb),
    (lambda m, i: "ucb1" in m, of_ucb1),
    (lambda m, i: "bayes-ucb" in m, of_bayes_ucb),
    (lambda m, i: "linucb" in m, of_linucb),
    (lambda m, i: ("glr" in m or "stop" in m) and "n" in i, of_stopping),
    (lambda m, i: "best-arm" in m or "track" in m, of_best_arm),
]
