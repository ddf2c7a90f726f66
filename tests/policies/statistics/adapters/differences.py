"""Rates, means, ratios, lifts and covariate adjustment, from whatever form a vector gives its samples in."""

from __future__ import annotations

import re
from math import sqrt

from policies.statistics.adjustment.ancova import ancova
from policies.statistics.adjustment.cuped import adjusted_means, adjusted_ratios, cuped, cuped_ratio
from policies.statistics.difference.contingency import chi_square, g_test
from policies.statistics.difference.means import ratio_of_sums, student, welch
from policies.statistics.difference.proportions import agresti_caffo, newcombe, wald_proportions
from policies.statistics.difference.score import miettinen_nurminen, two_proportion
from policies.statistics.difference.single import clopper_pearson, wilson
from policies.statistics.evidence import Moments
from policies.statistics.health.skew import least_units
from policies.statistics.lift.delta import delta_lift
from policies.statistics.lift.fieller import fieller
from policies.statistics.lift.log_ratio import log_lift, risk_ratio
from policies.statistics.means import Mean
from policies.statistics.result import Estimate

# Words of methods that start from the same inputs but are another family's.
OTHER = ("asympcs", "confidence sequence", "anytime", "sequential", "posterior", "bayes", "beta-", "power",
         "mde", "non-inferior", "equivalence", "tost", "quantile", "msprt", "savvi")  # fmt: skip


def plain(method: str) -> bool:
    words = re.sub(r"\b(normal|t|z|student'?s?) quantile", "", method)
    return not any(word in words for word in OTHER)


def moments(sample: object) -> Moments:
    """Moments of one or more quantities from rows, from columns by name, or from sums by name."""
    if isinstance(sample, list):
        return Moments.from_values(sample)
    assert isinstance(sample, dict)
    sample = {key.lower(): value for key, value in sample.items()}
    columns = [values for values in sample.values() if isinstance(values, list)]
    if columns:
        return Moments.from_values(list(zip(*columns, strict=True)) if len(columns) > 1 else columns[0])
    n = sample["n"]
    if "mean" in sample:
        if "m2" in sample:
            return Moments(n, (sample["mean"],), ((sample["m2"],),))
        spread = [sample[key] for key in ("variance", "var", "s2") if key in sample]
        variance = spread[0] if spread else (sample.get("sd") or sample["std"]) ** 2
        return Moments(n, (sample["mean"],), ((variance * (n - 1),),))
    if "sum" in sample:
        square = sample["sum_squares"] if "sum_squares" in sample else sample["sumsq"]
        return Moments.from_sums(n, (sample["sum"],), ((square,),))
    squared = {key[len("sumsq_") :] for key in sample if key.startswith("sumsq_")}
    names = [key[len("sum_") :] for key in sample if key.startswith("sum_") and key[len("sum_") :] in squared]

    def product(u: str, v: str) -> float:
        forms = [f"sumsq_{u}"] if u == v else [f"sum_{u}{v}", f"sum_{v}{u}", f"sum_{u}_{v}", f"sum_{v}_{u}"]
        return next(sample[form] for form in forms if form in sample)

    return Moments.from_sums(
        n, [sample[f"sum_{v}"] for v in names], [[product(u, v) for v in names] for u in names]
    )


def counts(inputs: dict) -> tuple[float, float, float, float]:
    a, b = ("a", "b") if "x_a" in inputs else ("c", "t")
    return inputs[f"x_{a}"], inputs[f"n_{a}"], inputs[f"x_{b}"], inputs[f"n_{b}"]


def has_counts(inputs: dict) -> bool:
    return {"x_a", "n_a", "x_b", "n_b"} <= set(inputs) or {"x_c", "n_c", "x_t", "n_t"} <= set(inputs)


def arms(inputs: dict) -> tuple[Moments, Moments]:
    if "y_a" in inputs:
        inputs = {**inputs, **{arm: {"y": inputs[f"y_{arm}"], "x": inputs[f"x_{arm}"]} for arm in "ab"}}
    return moments(inputs["a"]), moments(inputs["b"])


def shown(result: object) -> dict:
    """An estimate under the names that vectors use."""
    assert isinstance(result, Estimate), result
    return {
        "diff": result.estimate,
        "lift": result.estimate,
        "se": result.standard_error,
        "ci_low": result.low,
        "ci_high": result.high,
        "ci": [result.low, result.high],
        "p_value": result.p_value,
        **dict(result.details),
    }


def of_rates(method: str, inputs: dict) -> dict:
    given, alpha = counts(inputs), inputs.get("alpha", 0.05)
    by_name = {
        "agresti_caffo": agresti_caffo,
        "newcombe": newcombe,
        "wald": wald_proportions,
        "miettinen_nurminen": miettinen_nurminen,
        "mee": two_proportion,
    }
    results = {name: function(*given, alpha) for name, function in by_name.items()}
    words = {"agresti": "agresti_caffo", "newcomb": "newcombe", "miettinen": "miettinen_nurminen",
             "wald": "wald", "unpooled": "wald"}  # fmt: skip
    chosen = next((name for word, name in words.items() if word in method), "mee")
    pairs = {name: [result.low, result.high] for name, result in results.items()}
    return {**shown(results[chosen]), **pairs}


def of_risk_ratio(method: str, inputs: dict) -> dict:
    result = risk_ratio(*counts(inputs), inputs.get("alpha", 0.05))
    assert isinstance(result, Estimate)
    return {"ratio": result.estimate + 1, "ci_low": result.low + 1, "ci_high": result.high + 1,
            "p_value": result.p_value}  # fmt: skip


def of_one_rate(method: str, inputs: dict) -> dict:
    function = wilson if "wilson" in method else clopper_pearson
    return shown(function(inputs["x"], inputs["n"], inputs.get("alpha", 0.05)))


def of_table(method: str, inputs: dict) -> dict:
    pearson, yates = chi_square(inputs["table"]), chi_square(inputs["table"], yates=True)
    g = g_test(inputs["table"])
    return {
        "chi2": pearson.statistic, "p_value": pearson.p_value, "df": pearson.detail("df"),
        "chi2_yates": yates.statistic, "p_yates": yates.p_value, "g": g.statistic, "p_g": g.p_value,
    }  # fmt: skip


def of_means(method: str, inputs: dict) -> dict:
    function = student if "student" in method or "pooled" in method or "equal var" in method else welch
    result = shown(function(*arms(inputs), inputs.get("alpha", 0.05)))
    a, b = arms(inputs)
    return {**result, "t": result["statistic"], "mean_a": a.mean[0], "mean_b": b.mean[0]}


def of_ratios(method: str, inputs: dict) -> dict:
    if "m_a" in inputs:
        inputs = {**inputs, **{arm: {"m": inputs[f"m_{arm}"], "d": inputs[f"d_{arm}"]} for arm in "ab"}}
    a, b = arms(inputs)
    result = shown(ratio_of_sums(a, b, inputs.get("alpha", 0.05)))
    n = a.count + b.count
    clustered = sqrt(Mean.of_ratio(a).variance * (a.count - 1) / a.count
                     + Mean.of_ratio(b).variance * (b.count - 1) / b.count)  # fmt: skip
    return {**result, "t": result["statistic"], "ratio_a": result["control"], "ratio_b": result["treatment"],
            "se_delta": result["se"], "se_cluster": clustered, "n": n}  # fmt: skip


def of_lift(method: str, inputs: dict) -> dict:
    alpha = inputs.get("alpha", 0.05)
    if has_counts(inputs):
        x_a, n_a, x_b, n_b = counts(inputs)
        a, b = Mean.of_rate(x_a, n_a), Mean.of_rate(x_b, n_b)
    elif "cuped" in method or "adjusted" in method:
        samples = arms(inputs)
        found = adjusted_ratios(*samples) if samples[0].width == 4 else adjusted_means(*samples)
        a, b = found.a, found.b
    else:
        samples = arms(inputs)
        a, b = (Mean.of_ratio(each) if each.width == 2 else Mean.of(each) for each in samples)
    use_t = "normal quantile" not in method and (" t" in method or "welch" in method)
    if "fieller" in method:
        found = fieller(a, b, alpha, use_t=use_t)
    elif "log" in method:
        found = log_lift(a, b, alpha, use_t=use_t or "normal" not in method)
    else:
        found = delta_lift(a, b, alpha)
    return {**shown(found), "ratio": found.estimate + 1, "unbounded": found.low == float("-inf")}


def of_adjusted(method: str, inputs: dict) -> dict:
    a, b = arms(inputs)
    function = cuped_ratio if a.width == 4 else cuped
    result = shown(function(a, b, inputs.get("alpha", 0.05)))
    return {**result, "t": result["statistic"], "mean_a": result["control"], "mean_b": result["treatment"]}


def of_regression(method: str, inputs: dict) -> dict:
    rows = [inputs[key] for key in ("y_a", "x_a", "y_b", "x_b")]
    result = shown(ancova(*rows, inputs.get("alpha", 0.05)))
    return {**result, "coef": result["diff"], "se_hc1": result["se"]}


def of_values(method: str, inputs: dict) -> dict:
    values = inputs.get("values") or inputs.get("x") or inputs.get("data")
    if "pair" in inputs:
        values = [inputs["first"], *inputs["pair"] * inputs["pairs"]]
    found = Moments.from_values(values)
    halves = Moments.from_values(values[: len(values) // 2]).merge(
        Moments.from_values(values[len(values) // 2 :])
    )
    assert abs(halves.deviation() - found.deviation()) <= 1e-7 * found.deviation()
    return {"n": found.count, "mean": found.mean[0], "sd": found.deviation(), "variance": found.variance(),
            "var": found.variance()}  # fmt: skip


def of_parts(method: str, inputs: dict) -> dict:
    """Shards merged: count, mean, variance, M2."""
    found = Moments.empty()
    for part in inputs.get("shards") or inputs["parts"]:
        found = found.merge(moments(part))
    return {"n": found.count, "mean": found.mean[0], "m2": found.comoments[0][0], "M2": found.comoments[0][0],
            "variance": found.variance(), "var": found.variance(), "sd": found.deviation()}  # fmt: skip


def of_one_ratio(method: str, inputs: dict) -> dict:
    """One variant's ratio of sums."""
    columns = {key: inputs[key] for key in ("m", "d")} if "m" in inputs else inputs
    found = moments(columns)
    ratio = Mean.of_ratio(found)
    error, n = sqrt(ratio.variance), found.count
    return {"ratio": ratio.value, "mean": ratio.value, "se": error, "se_delta": error, "var": ratio.variance,
            "variance": ratio.variance, "se_cluster": error * sqrt((n - 1) / n), "n": n}  # fmt: skip


def of_skew(method: str, inputs: dict) -> dict:
    result = least_units(inputs.get("x") or inputs["values"])
    return {"skewness": result.detail("skewness"), "n_min": result.estimate}


def is_lift(method: str, inputs: dict) -> bool:
    words = ("lift", "fieller", "relative", "log-ratio")
    given = has_counts(inputs) or "a" in inputs or "y_a" in inputs
    return plain(method) and any(word in method for word in words) and given


def is_ratio(method: str, inputs: dict) -> bool:
    keyed = isinstance(inputs.get("a"), dict) and {"sum_m", "m", "sum_d"} & set(inputs["a"])
    return plain(method) and not is_lift(method, inputs) and bool(keyed or "m_a" in inputs)


ADAPTERS = [
    (lambda m, i: "shards" in i or "parts" in i, of_parts),
    (lambda m, i: plain(m) and ({"m", "d"} <= set(i) or {"sum_m", "sum_d"} <= set(i)), of_one_ratio),
    (is_lift, of_lift),
    (lambda m, i: plain(m) and has_counts(i) and "margin" not in i and "ratio" in m, of_risk_ratio),
    (lambda m, i: plain(m) and has_counts(i) and "margin" not in i and not is_lift(m, i), of_rates),
    (lambda m, i: plain(m) and {"x", "n"} <= set(i) and "interval" in m, of_one_rate),
    (lambda m, i: "table" in i, of_table),
    (
        lambda m, i: "cuped" in m and ("a" in i or "y_a" in i) and "ancova" not in m and not is_lift(m, i),
        of_adjusted,
    ),
    (lambda m, i: "ancova" in m and "y_a" in i, of_regression),
    (is_ratio, of_ratios),
    (lambda m, i: plain(m) and "a" in i and not is_lift(m, i) and (" t" in m or "mean" in m), of_means),
    (lambda m, i: "skew" in m, of_skew),
    (lambda m, i: "nist" in m or "pair" in i, of_values),
]
