"""Power, sample size and least effects."""

from __future__ import annotations

from policies.statistics.planning.design import AlwaysValid, Design, Fixed
from policies.statistics.planning.effect_size import (
    minimum_detectable_effect,
    minimum_detectable_lift,
    power,
    sample_size,
    unit_variance,
)
from policies.statistics.planning.textbook import (
    proportions_power,
    proportions_sample_size,
    t_test_power,
    t_test_sample_size,
)


def sides_of(method: str, inputs: dict) -> int:
    return inputs.get("sides", 1 if "one-sided" in method else 2)


def of_t_test(method: str, inputs: dict) -> dict:
    d, alpha, sides = inputs["d"], inputs.get("alpha", 0.05), sides_of(method, inputs)
    result: dict = {"power_at_*": lambda n: t_test_power(d, n, alpha, sides)}
    if "n" in inputs:
        result["power"] = t_test_power(d, inputs["n"], alpha, sides)
    if "power" in inputs:
        result["n_per_arm"] = t_test_sample_size(d, inputs["power"], alpha, sides)
    return result


def of_proportions(method: str, inputs: dict) -> dict:
    rates = inputs["p0"], inputs["p1"]
    alpha, sides = inputs.get("alpha", 0.05), sides_of(method, inputs)
    target = inputs.get("power", 0.8)
    names = {"n_unpooled": "unpooled", "n_pooled_null": "pooled_null", "n_arcsine": "arcsine"}
    result: dict = {
        name: proportions_sample_size(*rates, target, alpha, sides, variance)
        for name, variance in names.items()
    }
    result["power_at_*"] = lambda n: proportions_power(*rates, n, alpha, sides, "pooled_null")
    if "n" in inputs:
        result["power"] = proportions_power(*rates, inputs["n"], alpha, sides, "pooled_null")
    return result


def of_design(method: str, inputs: dict) -> dict:
    """Means of given variances: n, power, least effect and least lift, fixed or always valid."""
    alpha, target = inputs.get("alpha", 0.05), inputs.get("power", 0.8)
    variance_a = inputs.get("variance_a", inputs.get("var_a", inputs.get("variance", inputs.get("var"))))
    variance_b = inputs.get("variance_b", inputs.get("var_b", variance_a))
    n_a = inputs.get("n_a", inputs.get("n_per_arm", inputs.get("n")))
    n_b = inputs.get("n_b", n_a)
    ratio = inputs.get("ratio", inputs.get("r", 1.0))
    share = n_b / (n_a + n_b) if n_a else inputs.get("share_b", ratio / (1.0 + ratio))
    design: Design = Fixed(alpha, sides_of(method, inputs))
    if "n_star" in inputs:
        design = AlwaysValid(alpha, inputs["n_star"], sides_of(method, inputs))
    v = unit_variance(variance_a, variance_b, share)
    result: dict = {}
    if n_a:
        n = n_a + n_b
        result["mde"] = minimum_detectable_effect(v, n, target, design)
        mean = inputs.get("mean_a", inputs.get("mean"))
        if mean is not None:
            lift = minimum_detectable_lift(mean, variance_a, variance_b, n, share, target, design)
            result["mde_lift"] = result["mde_relative"] = lift
            if "lift" in method or "relative" in method:
                result["mde"] = lift
        effect = inputs.get("delta", inputs.get("effect", inputs.get("diff")))
        if effect is not None:
            result["power"] = power(effect, v, n, design)
    else:
        effect = inputs.get("delta", inputs.get("effect", inputs.get("diff")))
        n = sample_size(effect, v, target, design)
        result.update(n=n, n_total=n, n_per_arm=n / 2, n_a=n * (1 - share), n_b=n * share)
    return result


ADAPTERS = [
    (lambda m, i: "d" in i and " t" in m and "power" in m, of_t_test),
    (lambda m, i: "p0" in i and "p1" in i, of_proportions),
    (lambda m, i: any(word in m for word in ("mde", "detectable", "sample size", "power")), of_design),
]
