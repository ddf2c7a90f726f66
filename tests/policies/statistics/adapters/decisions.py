"""Epochs, sample ratios, multiplicity and margins."""

from __future__ import annotations

from policies.statistics.evidence import Moments
from policies.statistics.guardrail.equivalence import equivalence
from policies.statistics.guardrail.noninferiority import noninferiority
from policies.statistics.health.outcome_rate import outcome_rate
from policies.statistics.health.sequential_srm import sequential_srm
from policies.statistics.health.srm import srm, srm_from_probabilities, srm_over_epochs
from policies.statistics.means import Mean
from policies.statistics.multiplicity.adjusted import ADJUSTMENTS
from policies.statistics.multiplicity.e_bh import e_adjusted, e_bh
from policies.statistics.strata.inverse_variance import inverse_variance
from policies.statistics.strata.mantel_haenszel import cochran_mantel_haenszel, mantel_haenszel
from policies.statistics.strata.stratified import stratified


def of_strata(method: str, inputs: dict) -> dict:
    tables = [tuple(epoch[key] for key in ("x_c", "n_c", "x_t", "n_t")) for epoch in inputs["epochs"]]
    strata = [(Mean.of_rate(xc, nc), Mean.of_rate(xt, nt)) for xc, nc, xt, nt in tables]
    x_c, n_c, x_t, n_t = (sum(column) for column in zip(*tables, strict=True))
    traffic, weighted = stratified(strata), stratified(strata, weighting="cmh")
    odds, test = mantel_haenszel(tables), cochran_mantel_haenszel(tables)
    precise = of_precision(method, {
        "diff": [b.value - a.value for a, b in strata],
        "var": [a.variance + b.variance for a, b in strata],
    })  # fmt: skip
    return {
        **precise,
        "pooled_diff": x_t / n_t - x_c / n_c,
        "per_epoch_diff": [b.value - a.value for a, b in strata],
        "poststrat_diff": traffic.estimate,
        "poststrat_se": traffic.standard_error,
        "mh_weighted_diff": weighted.estimate,
        "mh_weighted_se": weighted.standard_error,
        "mh_odds_ratio": odds.estimate,
        "mh_ci_low": odds.low,
        "mh_ci_high": odds.high,
        "cmh_chi2": test.statistic,
        "cmh_p": test.p_value,
    }


def of_precision(method: str, inputs: dict) -> dict:
    values = next(inputs[key] for key in ("diff", "d", "effect", "estimates") if key in inputs)
    spread = inputs.get("var") or inputs.get("variance") or [error**2 for error in inputs["se"]]
    found = inverse_variance(values, spread, inputs.get("alpha", 0.05))
    return {"diff": found.estimate, "se": found.standard_error, "q": found.detail("q"),
            "q_p": found.detail("q_p"), "p_value": found.p_value, "ci_low": found.low,
            "ci_high": found.high}  # fmt: skip


def of_split(method: str, inputs: dict) -> dict:
    if "epochs" in inputs:
        tests = [srm(epoch["counts"], epoch["weights"]) for epoch in inputs["epochs"]]
        found = srm_over_epochs(tests, same_units=False)
    else:
        found = srm(inputs["counts"], inputs["weights"])
    return {"chi2": found.statistic, "df": found.detail("df"), "p_value": found.p_value}


def of_sequential_split(method: str, inputs: dict) -> dict:
    epochs = inputs.get("epochs") or [inputs]
    tests = [sequential_srm(each["counts"], each["weights"], concentration=inputs["k"]) for each in epochs]
    log_e = sum(test.log_e_value for test in tests)
    return {"log_bf": log_e, "p_value": min(1.0, 2.718281828459045**-log_e)}


def of_recorded_split(method: str, inputs: dict) -> dict:
    chances = inputs.get("p") or inputs.get("probabilities")
    assigned = inputs.get("assigned", inputs.get("n_b", inputs.get("count")))
    assigned = sum(assigned) if isinstance(assigned, list) else assigned
    found = srm_from_probabilities(assigned, sum(chances), sum(p * (1 - p) for p in chances))
    return {"z": found.statistic, "p_value": found.p_value}


def of_outcome_rate(method: str, inputs: dict) -> dict:
    found = outcome_rate(inputs["outcomes"], inputs.get("assigned") or inputs["units"])
    return {"chi2": found.statistic, "df": found.detail("df"), "p_value": found.p_value}


def of_many(method: str, inputs: dict) -> dict:
    p_values = inputs.get("p") or inputs["p_values"]
    names = {"bh": "benjamini_hochberg", "by": "benjamini_yekutieli"}
    adjusted = {name: list(function(p_values)) for name, function in ADJUSTMENTS.items()}
    return {**adjusted, **{short: adjusted[name] for short, name in names.items()}}


def of_many_e(method: str, inputs: dict) -> dict:
    from math import log

    logs = inputs.get("log_e") or [log(value) for value in inputs["e"]]
    rejected = list(e_bh(logs, inputs.get("alpha", 0.05)))
    return {"rejected": rejected, "reject": rejected, "adjusted": list(e_adjusted(logs)),
            "rejected_count": sum(rejected)}  # fmt: skip


def sample(given: dict | list) -> Mean:
    if isinstance(given, list):
        return Mean.of(Moments.from_values(given))
    if "sum" in given:
        square = given["sum_squares"] if "sum_squares" in given else given["sumsq"]
        return Mean.of(Moments.from_sums(given["n"], (given["sum"],), ((square,),)))
    variance = given["var"] if "var" in given else given.get("variance", given.get("sd", 0.0) ** 2)
    return Mean(given["mean"], variance / given["n"], given["n"] - 1.0, given["n"])


def of_margin(method: str, inputs: dict) -> dict:
    if "x_c" in inputs:
        control, treatment = (Mean.of_rate(inputs[f"x_{arm}"], inputs[f"n_{arm}"]) for arm in "ct")
    elif "x_a" in inputs:
        control, treatment = (Mean.of_rate(inputs[f"x_{arm}"], inputs[f"n_{arm}"]) for arm in "ab")
    else:
        control, treatment = (sample(inputs[arm]) for arm in (("a", "b") if "a" in inputs else ("c", "t")))
    sign = -1 if "lower is better" in method or "lower-is-better" in method else 1
    margin, alpha = abs(inputs["margin"]), inputs.get("alpha", 0.05)
    use_t = "welch" in method or " t test" in method or "t-test" in method
    found = noninferiority(control, treatment, margin, sign=sign, alpha=alpha, use_t=use_t)
    both = equivalence(control, treatment, margin, alpha=alpha, use_t=use_t)
    one_sided = {"lower_95_one_sided": found.low} if sign > 0 else {"upper_95_one_sided": -found.low}
    p_value = both.p_value if "tost" in method or "equivalence" in method else found.p_value
    bound = found.low if sign > 0 else -found.low
    return {
        **one_sided,
        "lower": bound,
        "upper": bound,
        "bound": bound,
        "t": found.detail("z"),
        "z": found.detail("z"),
        "p_value": p_value,
        "diff": both.estimate,
        "p_lower": both.detail("p_above"),
        "p_upper": both.detail("p_below"),
        "ci_low": both.low,
        "ci_high": both.high,
    }


ADAPTERS = [
    (lambda m, i: "epochs" in i and "x_c" in i["epochs"][0], of_strata),
    (
        lambda m, i: (
            "epochs" not in i
            and any(key in i for key in ("diff", "d", "effect", "estimates"))
            and any(key in i for key in ("var", "variance", "se"))
        ),
        of_precision,
    ),
    (lambda m, i: "srm" in m and "k" in i, of_sequential_split),
    (lambda m, i: "srm" in m and ("p" in i or "probabilities" in i), of_recorded_split),
    (lambda m, i: "srm" in m and "k" not in i and "p" not in i, of_split),
    (lambda m, i: "outcomes" in i and ("assigned" in i or "units" in i), of_outcome_rate),
    (lambda m, i: "adjusted" in m and ("p" in i or "p_values" in i), of_many),
    (lambda m, i: "e-bh" in m, of_many_e),
    (lambda m, i: "margin" in i, of_margin),
]
