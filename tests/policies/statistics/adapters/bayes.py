"""Posteriors, Thompson weights and lift priors."""

from __future__ import annotations

from math import inf, sqrt

from policies.statistics.bayes.beta import beta_posterior
from policies.statistics.bayes.effect import EffectPosterior, effect_posterior
from policies.statistics.bayes.normal import normal_posterior
from policies.statistics.bayes.normal_inverse_gamma import normal_inverse_gamma
from policies.statistics.bayes.posterior import Posterior
from policies.statistics.bayes.thompson import (
    probabilities_second,
    thompson_weights,
    top_two_weights,
    with_floor,
)
from policies.statistics.evidence import Moments
from policies.statistics.lift.delta import delta_lift
from policies.statistics.means import Mean
from policies.statistics.result import Estimate


def sign_of(method: str) -> int:
    return -1 if "lower is better" in method or "minimi" in method or "smallest" in method else 1


def of_beta(method: str, inputs: dict) -> dict:
    if "x_a" in inputs:
        wins, trials = [inputs["x_a"], inputs["x_b"]], [inputs["n_a"], inputs["n_b"]]
        prior = inputs.get("prior", [1, 1])
        priors = [inputs["prior_a"], inputs["prior_b"]] if "prior_a" in inputs else tuple(prior)
    else:
        wins, trials = inputs.get("x", inputs.get("successes")), inputs.get("n", inputs.get("trials"))
        priors = inputs.get("priors", tuple(inputs.get("prior", [1, 1])))
    found = beta_posterior(wins, trials, priors, 1.0 - inputs.get("alpha", 0.05), sign=sign_of(method))
    assert isinstance(found, Posterior)
    best, loss = found.probability_best, found.expected_loss
    intervals = [list(pair) for pair in zip(found.low, found.high, strict=True)]
    return {"prob_b_best": best[1], "expected_loss_a": loss[0], "expected_loss_b": loss[1],
            "ci_a": intervals[0], "ci_b": intervals[1], "prob_best": list(best),
            "expected_loss": list(loss), "ci": intervals, "mean": list(found.mean),
            "sd": list(found.deviation)}  # fmt: skip


def posteriors(inputs: dict) -> tuple[list[float], list[float]]:
    """Means and standard deviations of the variants' posteriors."""
    if "sumsq" in inputs:
        each = [
            Mean.of(Moments.from_sums(n, (total,), ((squares,),)))
            for n, total, squares in zip(inputs["n"], inputs["sum"], inputs["sumsq"], strict=True)
        ]
        return [mean.value for mean in each], [sqrt(mean.variance) for mean in each]
    means = inputs.get("mean", inputs.get("means", inputs.get("m")))
    spread = next((inputs[key] for key in ("sd", "sds", "se", "s", "deviation") if key in inputs), None)
    if spread is None:
        variance = inputs.get("var", inputs.get("variance"))
        counts = inputs.get("n", [1] * len(means))
        spread = [sqrt(v / n) for v, n in zip(variance, counts, strict=True)]
    return means, spread


def of_thompson(method: str, inputs: dict) -> dict:
    means, spread = posteriors(inputs)
    sign, floor = sign_of(method), inputs.get("floor", 0.0)
    best = thompson_weights(means, spread, sign=sign)
    prior = (inputs.get("prior_mean", 0.0), inputs.get("prior_sd", inf))
    found = normal_posterior(means, spread, prior, sign=sign)
    assert isinstance(found, Posterior)
    return {"prob_best": list(best), "prob_second": list(probabilities_second(means, spread, sign=sign)),
            "weights": list(with_floor(best, floor)), "with_floor": list(with_floor(best, floor)),
            "top_two": list(top_two_weights(means, spread, sign=sign)),
            "top_two_with_floor": list(top_two_weights(means, spread, sign=sign, floor=floor)),
            "expected_loss": list(found.expected_loss), "prob_b_best": best[1]}  # fmt: skip


def of_effect(method: str, inputs: dict) -> dict:
    if "x_a" in inputs:
        a, b = (Mean.of_rate(inputs[f"x_{arm}"], inputs[f"n_{arm}"]) for arm in "ab")
        if "lift" in method or "relative" in method or "same" in method:
            base = delta_lift(a, b)
            assert isinstance(base, Estimate)
            assert base.standard_error is not None
            value, error = base.estimate, base.standard_error
        else:
            value, error = b.value - a.value, sqrt(a.variance + b.variance)
    else:
        value = next(inputs[key] for key in ("estimate", "diff", "d", "lift", "mean") if key in inputs)
        error = inputs.get("se", inputs.get("standard_error"))
    prior = (inputs.get("prior_mean", 0.0), inputs.get("prior_sd", inf))
    found = effect_posterior(value, error, prior, 1.0 - inputs.get("alpha", 0.05))
    assert isinstance(found, EffectPosterior)
    return {"mean": found.mean, "sd": found.deviation, "ci_low": found.low, "ci_high": found.high,
            "prob_positive": found.probability_positive, "risk_control": found.risk_control,
            "risk_treatment": found.risk_treatment}  # fmt: skip


def of_nig(method: str, inputs: dict) -> dict:
    prior = inputs["prior"]
    values = (
        tuple(prior[key] for key in ("m", "kappa", "a", "b")) if isinstance(prior, dict) else tuple(prior)
    )
    variance = inputs.get("variance", inputs.get("var"))
    found = normal_inverse_gamma(inputs["n"], inputs["mean"], variance, values)
    return {"m": found.m, "kappa": found.kappa, "a": found.a, "b": found.b,
            "ci95": list(found.interval(0.95)), "scale": found.scale}  # fmt: skip


ADAPTERS = [
    (lambda m, i: "beta-binomial" in m and "t_opt" not in i, of_beta),
    (
        lambda m, i: (
            "beta" in m and ("x" in i or "x_a" in i or "successes" in i) and not {"t", "t_opt"} & set(i)
        ),
        of_beta,
    ),
    (lambda m, i: "inverse-gamma" in m or "inverse gamma" in m, of_nig),
    (lambda m, i: "posterior" in m and ("x_a" in i or "se" in i) and "prior" not in i, of_effect),
    (lambda m, i: "prior" in m and ("x_a" in i or "se" in i), of_effect),
    (lambda m, i: any(word in m for word in ("p(best)", "thompson", "top-two", "prob")), of_thompson),
]
