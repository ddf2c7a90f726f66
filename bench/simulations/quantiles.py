"""How often does an interval hold the true latency quantile, when each user sends many requests?

Latencies are lognormal with a user's own level: log latency = user (sd 0.8) + request (sd 0.4) about 100 ms,
so that the true quantile is known. Users fall into 32 groups at random, latencies into the router's cells.
The naive interval is given the latencies themselves, as if all requests were independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, hypot, log

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from policies.latency_cells import CELLS, GAMMA
from policies.statistics.quantile.clustered import clustered_quantile, clustered_quantile_difference
from policies.statistics.quantile.order_statistic import order_statistic_interval
from policies.statistics.result import Estimate, NotEstimable

MICROSECONDS = log(1e5)
USER, REQUEST = 0.8, 0.4

Floats = NDArray[np.float64]
_UPPER = np.floor(GAMMA ** np.arange(CELLS - 1))


@dataclass(frozen=True, slots=True)
class Coverage:
    """The share of runs whose 95 % interval held the truth; what a shift of ``shift`` was called."""

    clustered: float
    naive: float
    difference: float
    difference_detected: float
    relative_width: float


def coverage(
    runs: int,
    seed: int,
    q: float,
    *,
    users: int = 500,
    requests: int = 10,
    groups: int = 32,
    shift: float = 0.3,
) -> Coverage:
    """``runs`` experiments; the treatment's latencies are ``shift`` slower in the last of the columns."""
    rng = np.random.default_rng(seed)
    truth = exp(MICROSECONDS + hypot(USER, REQUEST) * float(ndtri(q))) * 1e-6
    held, naive, same, seen, width = [], [], [], [], []
    for _ in range(runs):
        latencies = _latencies(rng, users, requests)
        a = _histogram(rng, latencies, groups)
        b = _histogram(rng, _latencies(rng, users, requests), groups)
        slow = _histogram(rng, (1.0 + shift) * _latencies(rng, users, requests), groups)
        found = clustered_quantile(a, q)
        plain = order_statistic_interval(1e-6 * latencies, q)
        equal = clustered_quantile_difference(a, b, q)
        other = clustered_quantile_difference(a, slow, q)
        held.append(_holds(found, truth))
        naive.append(_holds(plain, truth))
        same.append(_holds(equal, 0.0))
        seen.append(not _holds(other, 0.0))
        if isinstance(found, Estimate):
            width.append((found.high - found.low) / truth)
    return Coverage(
        clustered=float(np.mean(held)),
        naive=float(np.mean(naive)),
        difference=float(np.mean(same)),
        difference_detected=float(np.mean(seen)),
        relative_width=float(np.median(width)),
    )


def _latencies(rng: np.random.Generator, users: int, requests: int) -> Floats:
    """Microseconds, (users, requests)."""
    level = rng.normal(MICROSECONDS, USER, (users, 1))
    return np.asarray(np.exp(level + rng.normal(0.0, REQUEST, (users, requests))))


def _histogram(rng: np.random.Generator, latencies: Floats, groups: int) -> NDArray[np.int64]:
    """Counts (groups, CELLS)."""
    cell = np.searchsorted(_UPPER, latencies.astype(np.int64))
    group = np.broadcast_to(rng.integers(0, groups, (len(latencies), 1)), cell.shape)
    flat = np.bincount((group * CELLS + cell).ravel(), minlength=groups * CELLS)
    return flat.reshape(groups, CELLS).astype(np.int64)


def _holds(found: Estimate | NotEstimable, truth: float) -> bool:
    return isinstance(found, Estimate) and found.low <= truth <= found.high
