"""Confidence sequences, boundaries and e-values that hold at any time."""

from __future__ import annotations

from math import exp, inf, log, sqrt

from policies.statistics.always_valid.anytime_t import anytime_t, anytime_t_log_bayes_factor
from policies.statistics.always_valid.asymptotic import confidence_sequence, optimum, rho
from policies.statistics.always_valid.beta_binomial import beta_binomial
from policies.statistics.always_valid.betting import betting
from policies.statistics.always_valid.e_values import e_value_mean, e_value_product
from policies.statistics.always_valid.empirical_bernstein import empirical_bernstein
from policies.statistics.always_valid.gamma_exponential import gamma_exponential_bound
from policies.statistics.always_valid.msprt import msprt
from policies.statistics.always_valid.normal_mixture import (
    normal_log_mixture,
    normal_mixture_bound,
    normal_mixture_rho,
)
from policies.statistics.always_valid.polynomial_stitching import polynomial_stitching_bound
from policies.statistics.always_valid.sequential_multinomial import sequential_multinomial
from policies.statistics.evidence import Moments
from policies.statistics.lift.delta import delta_lift
from policies.statistics.lift.fieller import fieller
from policies.statistics.means import Mean
from policies.statistics.result import Estimate


def sides_of(method: str) -> int:
    """1 when the method says so and does not also say two-sided first."""
    return 1 if "one-sided" in method or "one sided" in method else 2


def samples(inputs: dict) -> tuple[Mean, Mean]:
    """Control and treatment, from counts of successes, from sums, or from count, mean and variance."""
    if "x_a" in inputs or "x_c" in inputs:
        keys = "ab" if "x_a" in inputs else "ct"
        a, b = (Mean.of_rate(inputs[f"x_{arm}"], inputs[f"n_{arm}"]) for arm in keys)
        return a, b
    return mean_of(inputs["a"]), mean_of(inputs["b"])


def mean_of(sample: object) -> Mean:
    if isinstance(sample, list):
        return Mean.of(Moments.from_values(sample))
    assert isinstance(sample, dict)
    n = sample["n"]
    if "sum_m" in sample:
        numbers = (sample["sum_m"], sample["sum_d"])
        cross = ((sample["sumsq_m"], sample["sum_md"]), (sample["sum_md"], sample["sumsq_d"]))
        return Mean.of_ratio(Moments.from_sums(n, numbers, cross))
    if "x" in sample:
        return Mean.of_rate(sample["x"], n)
    if "mean" in sample:
        variance = sample.get("variance", sample.get("var", sample.get("s2")))
        variance = sample["sd"] ** 2 if variance is None else variance
        return Mean(sample["mean"], variance / n, n - 1.0, n)
    squares = sample.get("sum_squares", sample.get("sumsq"))
    return Mean.of(Moments.from_sums(n, (sample["sum"],), ((squares,),)))


def effect(method: str, inputs: dict) -> tuple[float, float, float]:
    """(estimate, standard error, n over both variants)."""
    error = next((inputs[key] for key in ("se", "standard_error") if key in inputs), None)
    if error is None and "variance" in inputs:
        error = sqrt(inputs["variance"])
    if error is None and "V" in inputs:
        error = sqrt(inputs["V"])
    if error is not None:
        value = next(inputs[key] for key in ("estimate", "diff", "d", "effect", "lift") if key in inputs)
        return value, error, inputs.get("n", inputs.get("n_a", 0) + inputs.get("n_b", 0))
    a, b = samples(inputs)
    if "lift" in method or "relative" in method:
        found = fieller(a, b) if "fieller" in method else delta_lift(a, b)
        assert isinstance(found, Estimate)
        assert found.standard_error is not None
        return found.estimate, found.standard_error, a.n + b.n
    return b.value - a.value, sqrt(a.variance + b.variance), a.n + b.n


def of_asymptotic(method: str, inputs: dict) -> dict:
    value, error, n = effect(method, inputs)
    sides = sides_of(method)
    upper = "upper" in method and sides == 1
    alpha = inputs.get("alpha", 0.05)
    n_star = next(inputs[key] for key in ("n_star", "N_star", "N*", "tuning") if key in inputs)
    tuning = "exact" if "exact" in method else "expansion"
    found = confidence_sequence(
        -value if upper else value, error, n, alpha, n_star=n_star, sides=sides, tuning=tuning, minimum=1
    )
    assert isinstance(found, Estimate)
    low, high = (-found.high, -found.low) if upper else (found.low, found.high)
    half = value - low if low > -1e308 else high - value
    return {"diff": value, "lift": value, "estimate": value, "se": error, "ci_low": low, "ci_high": high,
            "low": low, "high": high, "lower": low, "upper": high, "half_width": half, "halfwidth": half,
            "p_value": found.p_value, "rho": found.detail("rho")}  # fmt: skip


def of_rho(method: str, inputs: dict) -> dict:
    listed = [each if isinstance(each, list) else [each] for each in (inputs["alpha"], inputs["n_star"])]
    sides = sides_of(method)
    values = {f"a{a:g}_N{n:g}": rho(a, n, sides, "expansion") for a in listed[0] for n in listed[1]}
    return {**values, "rho": next(iter(values.values()))}


def of_optimum(method: str, inputs: dict) -> dict:
    alphas = inputs["alpha"]
    if not isinstance(alphas, list):
        return {"x_star": optimum(alphas, "exact")}
    return {"x_star": [optimum(alpha, "exact") for alpha in alphas]}


def of_normal_mixture(method: str, inputs: dict) -> dict:
    sides, v, tuned = sides_of(method), inputs["v"], inputs.get("alpha_opt", 0.05)
    one_sided = inputs.get("is_one_sided")
    sides = sides if one_sided is None else (1 if one_sided else 2)
    rate = normal_mixture_rho(inputs["v_opt"], tuned, sides)
    found = {"rho": rate}
    if "s" in inputs:
        found["log_mixture"] = found["log_e"] = normal_log_mixture(inputs["s"], v, rate, sides)
    if "alpha" in inputs:
        found["bound"] = normal_mixture_bound(v, inputs["alpha"], inputs["v_opt"], tuned, sides)
    return found


def of_gamma_exponential(method: str, inputs: dict) -> dict:
    tuned = inputs.get("alpha_opt", 0.05)
    return {
        "bound": gamma_exponential_bound(inputs["v"], inputs["alpha"], inputs["v_opt"], inputs["c"], tuned)
    }


def of_stitching(method: str, inputs: dict) -> dict:
    more = {key: inputs[key] for key in ("s", "eta") if key in inputs}
    return {"bound": polynomial_stitching_bound(
        inputs["v"], inputs["alpha"], inputs["v_min"], inputs.get("c", 0.0), **more)}  # fmt: skip


def of_rate(method: str, inputs: dict) -> dict:
    rate = next((inputs[key] for key in ("p0", "rate", "null") if key in inputs), None)
    found = beta_binomial(
        inputs["successes"], inputs["trials"], inputs["alpha"], t_opt=inputs["t_opt"],
        alpha_opt=inputs.get("alpha_opt", 0.05), rate=rate,
    )  # fmt: skip
    assert isinstance(found, Estimate)
    log_e = None if not found.e_value else log(found.e_value)
    return {"ci_low": found.low, "ci_high": found.high, "p_value": found.p_value, "e_value": found.e_value,
            "log_e": log_e}  # fmt: skip


def of_betting(method: str, inputs: dict) -> dict:
    x, alpha, breaks = inputs["x"], inputs["alpha"], inputs.get("breaks", 1000)
    lengths = inputs.get("n") or [n for n in (50, 100, 200) if n <= len(x)] or [len(x)]
    found = [betting(x[:n], alpha, breaks=breaks) for n in lengths]
    assert all(isinstance(each, Estimate) for each in found)
    return {"n": lengths, "low": [each.low for each in found], "high": [each.high for each in found],
            "ci_low": found[-1].low, "ci_high": found[-1].high}  # fmt: skip


def of_bernstein(method: str, inputs: dict) -> dict:
    x, alpha = inputs["x"], inputs.get("alpha", 0.05)
    lengths = inputs.get("n") or [n for n in (50, 100, 200) if n <= len(x)] or [len(x)]
    found = [empirical_bernstein(x[:n], alpha) for n in lengths]
    return {"n": lengths, "low": [each.low for each in found], "high": [each.high for each in found],
            "ci_low": found[-1].low, "ci_high": found[-1].high}  # fmt: skip


def of_anytime_t(method: str, inputs: dict) -> dict:
    if "t2" in inputs or "t" in inputs:
        t2 = inputs.get("t2", inputs.get("t", 0.0) ** 2)
        log_e = anytime_t_log_bayes_factor(t2, inputs["nu"], inputs["phi"], inputs["z2"])
        return {"log_bf": log_e, "p_value": exp(min(0.0, -log_e))}
    a, b = samples(inputs)
    triples = [(each.n, each.value, each.variance * each.n) for each in (a, b)]
    found = anytime_t(*triples, inputs["phi"], inputs.get("alpha", 0.05))
    assert isinstance(found, Estimate)
    return {"log_bf": found.detail("log_e_value"), "p_value": found.p_value, "diff": found.estimate,
            "se": found.standard_error, "ci_low": found.low, "ci_high": found.high}  # fmt: skip


def of_msprt(method: str, inputs: dict) -> dict:
    value, error, _ = effect(method, inputs)
    tau = inputs["tau"] if "tau" in inputs else sqrt(inputs.get("tau2", inputs.get("tau_squared")))
    found = msprt(value, error, tau, inputs.get("alpha", 0.05))
    assert isinstance(found, Estimate)
    return {"diff": value, "se": error, "lr": found.e_value,
        "lambda": found.e_value, "Lambda": found.e_value,
            "e_value": found.e_value, "log_lambda": found.detail("log_e_value"), "p_value": found.p_value,
            "log_e": found.detail("log_e_value"), "ci_low": found.low, "ci_high": found.high}  # fmt: skip


def of_bad_events(method: str, inputs: dict) -> dict:
    epochs = inputs.get("epochs") or [inputs]
    share = next(key for key in ("traffic_share", "share", "shares", "weights") if key in epochs[0])
    count = next(key for key in ("errors", "counts", "events") if key in epochs[0])
    found = sequential_multinomial(
        [each[count] for each in epochs], [each[share] for each in epochs], inputs.get("k", 100.0),
        sides=sides_of(method),
    )  # fmt: skip
    return {"log_bf": found.log_e_value, "log_e": found.log_e_value, "p_value": found.p_value}


def of_e_values(method: str, inputs: dict) -> dict:
    logs = inputs.get("log_e") or [log(value) for value in inputs.get("e", inputs.get("e_values"))]
    product = "multiply" in method or "product" in method
    found = e_value_product(logs) if product else e_value_mean(logs)
    value = exp(found.log_e_value) if found.log_e_value < 709.0 else inf
    return {"log_e": found.log_e_value, "e": value, "e_value": value,
            "p_value": found.p_value}  # fmt: skip


ADAPTERS = [
    (lambda m, i: "rho" in m and "x*" not in m and "n_star" in i and "alpha" in i and len(i) == 2, of_rho),
    (lambda m, i: "x*" in m or "lambert" in m, of_optimum),
    (lambda m, i: ("asymp" in m or "gavi" in m) and "mixture" not in m, of_asymptotic),
    (lambda m, i: "v_opt" in i and "c" in i, of_gamma_exponential),
    (lambda m, i: "v_min" in i, of_stitching),
    (lambda m, i: "v_opt" in i and "c" not in i, of_normal_mixture),
    (lambda m, i: "successes" in i and "trials" in i and "t_opt" in i, of_rate),
    (lambda m, i: "betting" in m, of_betting),
    (lambda m, i: "bernstein" in m, of_bernstein),
    (lambda m, i: "phi" in i, of_anytime_t),
    (lambda m, i: "msprt" in m or "tau" in i or "tau2" in i, of_msprt),
    (lambda m, i: "error" in m and ("k" in i or "epochs" in i) and "outcomes" not in i, of_bad_events),
    (lambda m, i: "e-value" in m and ("log_e" in i or "e" in i or "e_values" in i), of_e_values),
]
