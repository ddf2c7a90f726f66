"""What would another policy have earned on the traffic that was logged?

With w = pi(action) / logged probability, r the reward and q a model's prediction of it:

    ips    mean of w r                                   unbiased (Horvitz & Thompson 1952)
    snips  sum w r / sum w                               self-normalised (Swaminathan & Joachims 2015)
    dm     mean of sum_a pi(a) q(a)                      as good as its model
    dr     mean of sum_a pi(a) q(a) + w (r - q(action))  unbiased if either is right (Dudik et al. 2011)
    sndr   mean of sum_a pi(a) q(a) + sum w (r - q(action)) / sum w

Standard errors are those of the mean, or of the linearised ratio for the self-normalised ones. Weights are
from the probability logged with each decision, never one computed again later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from policies.statistics.arguments import one_of, share
from policies.statistics.kernel import critical
from policies.statistics.result import Estimate, NotEstimable

Estimator = Literal["ips", "snips", "dm", "dr", "sndr"]
KNOWN: Final[tuple[Estimator, ...]] = ("ips", "snips", "dm", "dr", "sndr")
NEEDS_MODEL: Final = ("dm", "dr", "sndr")

_LEAST: Final = 1e-300
_LARGEST: Final = 1e100  # sums of squares of weights up to here are finite

ASSUMPTIONS: Final = ("decisions are independent", "logged probabilities are those drawn from, and above 0")

Floats = NDArray[np.float64]


def off_policy_value(
    action: Sequence[int],
    reward: ArrayLike,
    logged_probability: ArrayLike,
    target_policy: ArrayLike,
    predicted: ArrayLike | None = None,
    *,
    estimator: Estimator = "ips",
    clip: float = inf,
    alpha: float = 0.05,
) -> Estimate | NotEstimable:
    """The mean reward the target policy would have had, with standard error and effective sample size.

    Args: for each of n decisions the action taken (0..K-1), its reward and logged probability, (n,) each;
    target_policy, its probabilities of all actions, (n, K); predicted, a model's rewards, (n, K), needed by
    dm, dr and sndr; clip, the largest weight (trades variance for bias). Decisions are independent.

    Returns ``NotEstimable`` for fewer than 2 decisions, no overlap (all weights 0), zero variance, or a
    logged probability so small that its weight has no finite square. Raises ValueError for shapes that do not
    fit, actions that are no whole numbers, rewards or predictions that are not finite, probabilities out of
    range, or a missing model.

    >>> policy = [[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]]
    >>> result = off_policy_value([0, 1, 0], [1.0, 0.0, 1.0], [0.5, 0.5, 0.25], policy)
    >>> round(result.estimate, 6), round(result.detail("effective_sample_size"), 6)
    (1.333333, 1.770538)
    """
    method = f"off-policy value, {estimator}"
    share("alpha", alpha)
    found = decision_scores(
        method, action, reward, logged_probability, target_policy, predicted, estimator=estimator, clip=clip
    )
    if isinstance(found, NotEstimable):
        return found
    value = float(found.scores.mean())
    error = float(found.scores.std(ddof=1)) / sqrt(len(found.scores))
    if error == 0.0:
        return NotEstimable(method, "zero variance")
    width = critical(alpha) * error
    return Estimate(
        method=method,
        estimate=value,
        standard_error=error,
        low=value - width,
        high=value + width,
        level=1.0 - alpha,
        assumptions=ASSUMPTIONS,
        details=(
            ("effective_sample_size", found.effective_size),
            ("clipped_share", found.clipped_share),
            ("max_weight", float(found.weights.max())),
        ),
    )


@dataclass(frozen=True, slots=True)
class Scored:
    """Per-decision terms (n,), whose mean is a policy's value, and their weights (n,)."""

    scores: Floats
    weights: Floats
    effective_size: float
    clipped_share: float


def decision_scores(
    method: str,
    action: Sequence[int],
    reward: ArrayLike,
    logged_probability: ArrayLike,
    policy: ArrayLike,
    predicted: ArrayLike | None = None,
    *,
    estimator: Estimator,
    clip: float = inf,
) -> Scored | NotEstimable:
    """What each decision says of a policy's value: the terms of the mean, linearised where it is a ratio.

    Arguments, errors and what is not estimable (said in the name of ``method``): as for `off_policy_value`.

    >>> found = decision_scores("it", [0, 1], [1.0, 0.0], [0.5, 0.5], [[0.2, 0.8]] * 2, estimator="ips")
    >>> found.scores.tolist(), found.weights.tolist()
    ([0.4, 0.0], [0.4, 1.6])
    """
    one_of("estimator", estimator, KNOWN)
    actions, rewards, chances, shares = _checked(action, reward, logged_probability, policy)
    if not clip > 0.0:
        raise ValueError(f"clip must be > 0, got {clip!r}")
    if predicted is None and estimator in NEEDS_MODEL:
        raise ValueError(f"predicted must be given for {estimator}")
    n = len(actions)
    if n < 2:
        return NotEstimable(method, f"{n} decision(s), 2 are needed")
    whole = shares[np.arange(n), actions] / np.maximum(chances, _LEAST)
    if float(whole.max()) >= _LARGEST and clip >= _LARGEST:
        return NotEstimable(method, f"a logged probability of {chances.min():g}: its weight is too large")
    weights = np.minimum(whole, clip)
    if not weights.any() and estimator != "dm":
        return NotEstimable(method, "no decision that the policy could have made: no overlap")
    base, residual = np.zeros(n), rewards
    if estimator in NEEDS_MODEL:
        base, residual = _modelled(actions, rewards, shares, np.asarray(predicted, dtype=float))
    return Scored(
        scores=_scores(estimator, base, weights, residual),
        weights=weights,
        effective_size=float(weights.sum() ** 2 / np.square(weights).sum()) if weights.any() else 0.0,
        clipped_share=float(np.mean(whole > clip)),
    )


def _modelled(
    actions: NDArray[np.int64], rewards: Floats, policy: Floats, model: Floats
) -> tuple[Floats, Floats]:
    """What the model says the target policy earns, and what it leaves of each reward; (n,) each."""
    if model.shape != policy.shape:
        raise ValueError(f"predicted must have the shape {policy.shape}, got {model.shape}")
    _finite("predicted", model)
    return (policy * model).sum(axis=1), rewards - model[np.arange(len(actions)), actions]


def _scores(estimator: Estimator, base: Floats, weights: Floats, residual: Floats) -> Floats:
    """Per-decision values, (n,), whose mean is the estimate and whose spread is its error's."""
    if estimator == "dm":
        return base
    if estimator in ("ips", "dr"):
        return np.asarray(base + weights * residual)
    ratio = float((weights * residual).sum() / weights.sum())
    return np.asarray(base + ratio + weights / weights.mean() * (residual - ratio))


def _checked(
    action: Sequence[int], reward: ArrayLike, logged_probability: ArrayLike, target_policy: ArrayLike
) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    given = np.asarray(action)
    if given.size and not np.issubdtype(given.dtype, np.integer):
        raise ValueError(f"action must hold whole numbers, got the type {given.dtype}")
    actions = given.astype(np.int64)
    rewards, chances = np.asarray(reward, dtype=float), np.asarray(logged_probability, dtype=float)
    policy = np.asarray(target_policy, dtype=float)
    if policy.ndim != 2:
        policy = policy.reshape(len(actions), -1) if policy.size == 0 else policy
    if policy.ndim != 2 or not actions.shape == rewards.shape == chances.shape == policy.shape[:1]:
        shapes = f"{actions.shape}, {rewards.shape}, {chances.shape}, {policy.shape}"
        raise ValueError(
            f"action, reward, logged_probability, target_policy must be (n,) x 3, (n, K); got {shapes}"
        )
    _finite("reward", rewards)
    if actions.size and not (actions.min() >= 0 and actions.max() < policy.shape[1]):
        raise ValueError(f"action must be in 0..{policy.shape[1] - 1}, got {actions.min()}..{actions.max()}")
    if not bool(np.all((chances > 0.0) & (chances <= 1.0))):
        wrong = int(np.flatnonzero(~((chances > 0.0) & (chances <= 1.0)))[0])
        raise ValueError(f"logged_probability[{wrong}] must be in (0, 1], got {float(chances[wrong])!r}")
    if not bool(np.all(policy >= 0.0) and np.allclose(policy.sum(axis=1), 1.0, atol=1e-6)):
        raise ValueError("target_policy must have rows of probabilities that sum to 1")
    return actions, rewards, chances, policy


def _finite(name: str, values: Floats) -> None:
    if not np.isfinite(values).all():
        wrong = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise ValueError(f"{name}{list(wrong)} must be finite, got {float(values[wrong])!r}")


METHODS: Final[dict[str, Callable[..., object]]] = {"off_policy_value": off_policy_value}
