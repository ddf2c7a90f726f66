"""Do bad events split between the variants as the traffic does, at any time? (the canary's gate)

Lindon & Malek (2022, "Anytime-valid inference for multinomial count data", NeurIPS): if all variants fail at
the same rate, each failure falls to a variant with the probability of that variant's share of the traffic,
whatever the rate is and however it changes with time. The Bayes factor of a Dirichlet(k w) prior centred at
the shares w against the shares themselves is an e-process:

    ln e = ln B(k w + counts) - ln B(k w) - sum_i counts_i ln w_i,    B the multivariate beta function

With two variants and ``sides=1`` the prior is cut to "the last variant fails more often"; the e-process then
also holds when it fails less often than its share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp
from typing import Final

from policies.statistics.always_valid.multinomial_terms import log_beta_tail, log_dirichlet_multinomial
from policies.statistics.arguments import nonnegative, one_of, positive
from policies.statistics.result import NotEstimable, Test

ASSUMPTIONS: Final = (
    "events are counted at assignment's shares, which are known exactly in each epoch",
    "events are independent given the variant",
    "the concentration was fixed before the start",
)


def log_bayes_factor(counts: Sequence[float], shares: Sequence[float], concentration: float) -> float:
    """The natural logarithm of the e-value of one epoch; only variants with a share count.

    Args: counts of events by variant; shares of the traffic by variant, of any sum; the prior's
    concentration k in events (large k is tuned to small mismatches). Raises ValueError for a negative count
    or share, lists of different length, or events of a variant that has no share.

    >>> round(log_bayes_factor([30, 52], [0.5, 0.5], 100), 8)
    1.03976989
    """
    live = _live(counts, shares)
    positive("concentration", concentration)
    if not live:
        return 0.0
    seen, weights = zip(*live, strict=True)
    return log_dirichlet_multinomial(seen, weights, concentration)


def log_bayes_factor_above(
    counts: tuple[float, float], shares: tuple[float, float], concentration: float
) -> float:
    """The same for two variants, against the second failing more often than its share only.

    Arguments and errors as for ``log_bayes_factor``, and both must have a share. However far the second lies
    below its share, the e-value stays a number that later evidence can outweigh.

    >>> log_bayes_factor_above((30, 52), (0.5, 0.5), 100) > log_bayes_factor((30, 52), (0.5, 0.5), 100)
    True
    >>> log_bayes_factor_above((52, 30), (0.5, 0.5), 100) < 0
    True
    """
    whole = log_bayes_factor(counts, shares, concentration)
    if min(shares) <= 0.0:
        raise ValueError(f"shares must both be above 0 to ask which of two fails more often, got {shares!r}")
    share = shares[1] / sum(shares)
    prior = (concentration * share, concentration * (1.0 - share))
    posterior = (prior[0] + counts[1], prior[1] + counts[0])
    return whole + log_beta_tail(*posterior, share) - log_beta_tail(*prior, share)


def sequential_multinomial(
    counts: Sequence[Sequence[float]],
    shares: Sequence[Sequence[float]],
    concentration: float = 100.0,
    *,
    sides: int = 2,
) -> Test | NotEstimable:
    """The anytime-valid test that bad events split as the traffic: small p means that some variant is worse.

    Args: counts and shares by epoch, then by variant (control first); a variant paused in an epoch has share
    0 there. Epochs multiply, each with its own shares, so that a ramp needs no correction. The p-value holds
    at this look; its running minimum over the looks holds too. ``sides=1`` (two variants) asks only whether
    the second fails more often.

    Returns ``NotEstimable`` when no epoch has two variants with a share, or there is no event yet. Raises
    ValueError as ``log_bayes_factor`` does.

    >>> result = sequential_multinomial([[30, 52]], [[0.5, 0.5]], 100)
    >>> round(result.log_e_value, 8), round(result.p_value, 8)
    (1.03976989, 0.35353602)
    """
    method = "sequential multinomial test" if sides == 2 else "one-sided sequential multinomial test"
    one_of("sides", sides, (1, 2))
    positive("concentration", concentration)
    if len(counts) != len(shares):
        raise ValueError(f"counts and shares must have as many epochs, got {len(counts)} and {len(shares)}")
    log_e, events, compared = 0.0, 0.0, 0
    for of_epoch, weights in zip(counts, shares, strict=True):
        if len(_live(of_epoch, weights)) < 2:
            continue
        compared += 1
        events += sum(of_epoch)
        if sides == 2:
            log_e += log_bayes_factor(of_epoch, weights, concentration)
        elif len(of_epoch) == 2:
            pair = (of_epoch[0], of_epoch[1]), (weights[0], weights[1])
            log_e += log_bayes_factor_above(*pair, concentration)
        else:
            raise ValueError(f"sides=1 compares two variants, got {len(of_epoch)}")
    if not compared:
        return NotEstimable(method, "no epoch in which two variants had traffic")
    if events == 0:
        return NotEstimable(method, "no event yet")
    details = (
        ("events", float(events)),
        ("epochs", float(compared)),
        ("concentration", float(concentration)),
    )
    return Test(method, log_e, exp(min(0.0, -log_e)), log_e, ASSUMPTIONS, details)


def _live(counts: Sequence[float], shares: Sequence[float]) -> list[tuple[float, float]]:
    """The (count, share normalised to sum 1) of the variants with traffic."""
    if len(counts) != len(shares):
        raise ValueError(f"counts and shares must have as many variants, got {len(counts)} and {len(shares)}")
    for count, share in zip(counts, shares, strict=True):
        nonnegative("count", count)
        nonnegative("share", share)
        if count > 0 and share == 0:
            raise ValueError(f"count must be 0 for a variant of share 0, got {count!r}")
    total = sum(shares)
    return [(count, share / total) for count, share in zip(counts, shares, strict=True) if share > 0]


METHODS: Final[dict[str, Callable[..., object]]] = {"sequential_multinomial": sequential_multinomial}
