"""Is a new version of Turnout as good as the one before, by its own metrics in Prometheus?

    python deploy/check_rollout.py --prometheus http://127.0.0.1:9090 --since 1700000000 --watch 300 \
        --selector 'namespace="turnout-staging",plane="data"'

``--since`` is when the rollout began: what was measured before it is what the new version is held against.
The new version is looked at again and again for ``--watch`` seconds, and fails at the first look that finds a
fault: workers that are missing, or route by different versions of the configuration for longer than a notice
takes, more server errors than before, overhead beyond its limit, sums that do not reach Redis. What cannot be
measured is a fault, too: silence is not success. Exits 0 if there was none, 1 with what was found, 2 if
Prometheus could not be asked.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

UNREACHABLE = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """What a new version may cost."""

    error_increase: float = 0.005
    """By how much the share of requests that were answered 5xx may grow."""
    overhead: float = 0.05
    """Seconds that the router may add to 99 of 100 requests."""
    unsent: float = 30.0
    """Seconds that sums may wait for Redis."""
    requests: float = 1.0
    """With fewer requests in the window, their errors and overhead say nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What Prometheus says at one time; None is what it has no sample of."""

    workers: float | None
    versions_behind: float | None
    requests: float | None
    error_share: float | None
    overhead: float | None
    unsent: float | None


def queries(selector: str, window: int) -> dict[str, str]:
    """The expression of each field of a `Reading`; rates are over ``window`` seconds."""
    both = f"{{{selector}}}"
    failed = f'{{{selector}{"," if selector else ""}code_class="5xx"}}'
    answered = f"sum(increase(turnout_requests_total{both}[{window}s]))"
    errors = f"sum(increase(turnout_requests_total{failed}[{window}s]))"
    version = f"turnout_worker_snapshot_version{both}"
    return {
        "workers": f"min(turnout_workers{both})",
        # Behind what another has routed by for the whole window: workers are not scraped at the same moment.
        "versions_behind": f"max(min_over_time({version}[{window}s])) - min({version})",
        "requests": answered,
        "error_share": f"({errors} or vector(0)) / {answered}",
        "overhead": "histogram_quantile(0.99, sum by (le) "
        f"(rate(turnout_overhead_seconds_bucket{both}[{window}s])))",
        "unsent": f"max(turnout_worker_oldest_batch_seconds{both})",
    }


def judge(now: Reading, before: Reading, limits: Limits) -> Iterator[str]:
    """What is wrong, one line each. A share of errors before that is not known counts as none."""
    yield from _above("workers alive on the node that has fewest", now.workers, 1, least=True)
    yield from _above("versions of the configuration that a worker is behind", now.versions_behind, 0)
    yield from _above("seconds that sums wait for Redis", now.unsent, limits.unsent)
    quiet = list(_above("requests in the window", now.requests, limits.requests, least=True))
    yield from quiet
    if quiet:
        return
    allowed = (before.error_share or 0.0) + limits.error_increase
    yield from _above("share of requests answered 5xx", now.error_share, allowed)
    yield from _above("seconds of overhead, 99th percentile", now.overhead, limits.overhead)


def _above(what: str, value: float | None, limit: float, least: bool = False) -> Iterator[str]:
    if value is None:
        yield f"{what}: no sample"
    elif least and value < limit:
        yield f"{what}: {value:g}; allowed: at least {limit:g}"
    elif not least and value > limit:
        yield f"{what}: {value:g}; allowed: at most {limit:g}"


def ask(url: str, expression: str, at: float) -> float | None:
    """The number that an expression has at that unix second, if it has one. `OSError` where none answers."""
    query = urllib.parse.urlencode({"query": expression, "time": f"{at:.3f}"})
    with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=10) as answer:
        result = json.load(answer)["data"]["result"]
    if not result:
        return None
    value = float(result[0]["value"][1])
    return None if math.isnan(value) else value


def read(url: str, selector: str, window: int, at: float) -> Reading:
    """Everything at one time."""
    return Reading(**{name: ask(url, text, at) for name, text in queries(selector, window).items()})


def watch(
    look: Callable[[float], Reading],
    since: float,
    end: float,
    every: float,
    limits: Limits,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> list[str]:
    """The first faults found, looking from now until ``end``, at least once; none if all went well."""
    before = look(since)
    while True:
        faults = list(judge(look(clock()), before, limits))
        if faults or clock() >= end:
            return faults
        sleep(min(every, max(end - clock(), 0)))


def _arguments() -> argparse.Namespace:
    about, _, more = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    limits = Limits()
    parser.add_argument("--prometheus", required=True, metavar="URL")
    parser.add_argument("--selector", default="", help='label matchers of the service, such as namespace="x"')
    parser.add_argument("--since", type=float, required=True, help="unix seconds before the rollout began")
    parser.add_argument("--watch", type=float, default=300, help="for how many seconds; default 300")
    parser.add_argument("--every", type=float, default=15, help="seconds between two looks; default 15")
    parser.add_argument("--window", type=int, default=60, help="seconds of which rates are taken; default 60")
    parser.add_argument("--error-increase", type=float, default=limits.error_increase)
    parser.add_argument("--overhead", type=float, default=limits.overhead, help="seconds")
    parser.add_argument("--unsent", type=float, default=limits.unsent, help="seconds")
    parser.add_argument("--requests", type=float, default=limits.requests, help="least, in the window")
    return parser.parse_args()


def main() -> int:
    """The exit status."""
    given = _arguments()
    limits = Limits(given.error_increase, given.overhead, given.unsent, given.requests)
    url, selector, window = given.prometheus.rstrip("/"), given.selector, given.window
    try:
        faults = watch(
            lambda at: read(url, selector, window, at),
            given.since,
            time.time() + given.watch,
            given.every,
            limits,
            time.time,
            time.sleep,
        )
    except (OSError, ValueError, KeyError) as error:
        print(f"Prometheus at {url} could not be asked: {error}", file=sys.stderr)
        return UNREACHABLE
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
