"""How soon is a failing candidate rolled back, and how often a healthy one that is watched every second?

    python -m bench.canary                 1,000 canaries a row, about forty minutes on one core
    python -m bench.canary --runs 100      fewer
    python -m bench.canary --interval 5    planned every 5 seconds, the default of a canary
    python -m bench.canary --worlds 2      the first two rows only

200 requests a second by 5,000 users, 5 % for the candidate and as many for its slice of the control, two
minutes. A row is the real policy on seeded traffic, and its seconds are since the candidate had traffic;
beside it a canary that counts intervals above a threshold. Of those with 30 requests none may be rolled back.
"""

from __future__ import annotations

import argparse
from datetime import timedelta
from statistics import median, quantiles

from bench.simulations.canary import Rollout, World, rollouts, steps_of, threshold_failures
from policies.canary.parameters import CanaryParameters

SECONDS = 120
FEW = 30 / SECONDS
WORLDS = {
    "candidate fails 5 %, control 0": World(control_errors=0.0, candidate_errors=0.05),
    "candidate fails 5 %, control 0.1 %": World(candidate_errors=0.05),
    "30 requests in all, candidate fails 5 %": World(FEW, control_errors=0.0, candidate_errors=0.05),
    "30 requests in all, candidate fails all": World(FEW, control_errors=0.0, candidate_errors=1.0),
    "healthy, both 0.1 %": World(),
    "healthy, both 0.5 %": World(control_errors=0.005, candidate_errors=0.005),
    "healthy, both 1 % to 5 % and back": World(control_errors=0.01, candidate_errors=0.01, drift=4.0),
    "healthy, ten users always fail": World(failing_users=10),
    "healthy, 1 % make half of the requests": World(
        control_errors=0.005, candidate_errors=0.005, heavy_users=50
    ),
    "healthy, two such users always fail": World(heavy_users=50, failing_heavy_users=2),
    "healthy, 60 users, three always fail": World(users=60, failing_users=3),
}


def main() -> None:
    """Print a row for each world."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--interval", type=int, default=1, help="seconds between plans")
    parser.add_argument("--worlds", type=int, default=len(WORLDS), help="how many of the rows")
    given = parser.parse_args()
    parameters = CanaryParameters(steps=steps_of(5, 25, 50), interval=timedelta(seconds=given.interval))
    print(f"{'':42}{'rolled back':>14}{'median after':>14}{'nine in ten':>14}{'by threshold':>14}")
    for name, world in list(WORLDS.items())[: given.worlds]:
        found = rollouts(given.runs, world, parameters, SECONDS)
        threshold = threshold_failures(min(given.runs, 200), world, seconds=SECONDS)
        print(f"{name:42}{_row(found)}{threshold:14.1%}", flush=True)


def _row(found: list[Rollout]) -> str:
    """The share that was rolled back, and within how many seconds half and nine in ten of those were."""
    back = [each.seconds for each in found if each.phase == "Failed"]
    half = f"{median(back):.0f} s" if back else "-"
    most = f"{quantiles(back, n=10, method='inclusive')[-1]:.0f} s" if len(back) > 1 else "-"
    return f"{len(back) / len(found):14.2%}{half:>14}{most:>14}"


if __name__ == "__main__":
    main()
