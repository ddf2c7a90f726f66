"""How much more would one policy have earned than another on the traffic that was logged?

Two policies valued on one log share its luck: which requests came, and which of them brought a reward. So
their difference is taken decision by decision, which is surer than two intervals side by side (Bottou et al.
2013, "Counterfactual reasoning and learning systems", on counterfactual differences). With importance weights
alone its terms are h r, h = (pi(action) - pi0(action)) / logged probability.

Where rewards are rare, few decisions of a large h have one. If none has, the sample's variance is far too
small and the interval sure of a loss that nobody saw. So the decisions that bear the variance, (sum h^2)^2
/ sum h^4, times the share with another reward than the commonest, must be ten, the usual rule for proportions
(Brown, Cai & DasGupta 2001). With 80 actions, 10,000 decisions and 0.38 % rewarded, an interval of 95 % holds
the truth in about 93 % of samples at ten and 60 % at one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from policies.statistics.adaptive.off_policy import ASSUMPTIONS, Estimator, decision_scores
from policies.statistics.arguments import nonnegative, share
from policies.statistics.kernel import wald
from policies.statistics.result import Estimate, NotEstimable

_SAME: Final = 1e-12  # probabilities that differ by less do so by rounding


def off_policy_contrast(
    action: Sequence[int],
    reward: ArrayLike,
    logged_probability: ArrayLike,
    target_policy: ArrayLike,
    baseline_policy: ArrayLike,
    predicted: ArrayLike | None = None,
    *,
    estimator: Estimator = "ips",
    clip: float = inf,
    least: float = 10.0,
    alpha: float = 0.05,
) -> Estimate | NotEstimable:
    """The target policy's value less the baseline's, in the reward's unit, paired by decision.

    Args: as for `off_policy_value`; baseline_policy, its probabilities of all actions, (n, K); least, how
    many decisions must decide (`deciding`). Neither policy may have been learnt from the decision that it is
    valued on. Details: ``deciding``, and the target's ``effective_sample_size``.

    Returns ``NotEstimable`` where either value has none, where the policies or the terms do not differ, or
    fewer than ``least`` decide (not asked of dm, which has no weights). Raises ValueError as
    `off_policy_value` does, and for policies of different shapes.

    >>> action, reward, half = [0, 1] * 20, [1.0, 0.0, 0.0, 0.0] * 10, [0.5] * 40
    >>> result = off_policy_contrast(action, reward, half, [[0.8, 0.2]] * 40, [[0.5, 0.5]] * 40)
    >>> round(result.estimate, 6), round(result.standard_error, 6), round(result.detail("deciding"), 6)
    (0.15, 0.041603, 10.0)
    """
    method = f"off-policy contrast, {estimator}"
    share("alpha", alpha)
    nonnegative("least", least)
    target, baseline = (
        decision_scores(
            method, action, reward, logged_probability, policy, predicted, estimator=estimator, clip=clip
        )
        for policy in (target_policy, baseline_policy)
    )
    if isinstance(target, NotEstimable):
        return target
    if isinstance(baseline, NotEstimable):
        return baseline
    shapes = np.shape(target_policy), np.shape(baseline_policy)
    if shapes[0] != shapes[1]:
        raise ValueError(f"baseline_policy must have the shape {shapes[0]}, got {shapes[1]}")
    if np.allclose(target_policy, baseline_policy, rtol=0.0, atol=_SAME):
        return NotEstimable(method, "the policies are the same")
    difference = target.scores - baseline.scores
    bearing = deciding(target.weights - baseline.weights, np.asarray(reward, dtype=float))
    if estimator != "dm" and 0.0 < bearing < least:
        reason = f"{bearing:.2g} rewarded decisions tell the policies apart, {least:g} are needed"
        return NotEstimable(method, reason)
    return wald(
        method,
        float(difference.mean()),
        float(difference.var(ddof=1)) / len(difference),
        alpha,
        assumptions=ASSUMPTIONS,
        details=(("deciding", bearing), ("effective_sample_size", target.effective_size)),
    )


def deciding(weights: NDArray[np.float64], reward: NDArray[np.float64]) -> float:
    """How many decisions bear the variance of a weighted sum of rewards, of those whose reward is not common.

    Both (n,). Kish's effective size (1965) of the squared weights, times the share of rewards other than the
    commonest, so that 99 % of ones tell as little as 1 %. Raises ValueError for no weights.

    >>> deciding(np.array([1.0, -1.0, 1.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0]))
    0.75
    """
    if not len(weights):
        raise ValueError("weights must not be empty")
    top = float(np.abs(weights).max())
    if top == 0.0:
        return 0.0
    squares = np.square(weights / top)
    common = int(np.unique(reward, return_counts=True)[1].max())
    return float(squares.sum() ** 2 / np.square(squares).sum()) * (1.0 - common / len(reward))


METHODS: Final[dict[str, Callable[..., object]]] = {"off_policy_contrast": off_policy_contrast}
