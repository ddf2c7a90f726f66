"""How soon is a failing candidate rolled back, and how often a healthy one that is watched every second?

    python -m bench.canary                 1,000 canaries a row, about ten minutes on one core
    python -m bench.canary --runs 100      fewer

200 requests a second by 5,000 users, 5 % for the candidate and as many for its baseline, two minutes. A row
is the real policy on seeded traffic; beside it a canary that counts intervals above a threshold.
"""

from __future__ import annotations

import argparse
from statistics import median

from bench.simulations.canary import World, rollouts, steps_of, threshold_failures
from policies.canary.parameters import CanaryParameters

SECONDS = 120
WORLDS = {
    "candidate fails 5 %, control 0": World(control_errors=0.0, candidate_errors=0.05),
    "candidate fails 5 %, control 0.1 %": World(candidate_errors=0.05),
    "healthy, both 0.1 %": World(),
    "healthy, both 0.5 %": World(control_errors=0.005, candidate_errors=0.005),
    "healthy, both 1 % to 5 % and back": World(control_errors=0.01, candidate_errors=0.01, drift=4.0),
    "healthy, ten users always fail": World(failing_users=10),
}


def main() -> None:
    """Print a row for each world."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    parameters = CanaryParameters(steps=steps_of(5, 25, 50))
    print(f"{'':38}{'rolled back':>14}{'median after':>14}{'by threshold':>14}")
    for name, world in WORLDS.items():
        found = rollouts(runs, world, parameters, SECONDS)
        back = [each.seconds for each in found if each.phase == "Failed"]
        after = f"{median(back):.0f} s" if back else "-"
        threshold = threshold_failures(min(runs, 200), world, seconds=SECONDS)
        print(f"{name:38}{len(back) / runs:14.2%}{after:>14}{threshold:14.1%}", flush=True)


if __name__ == "__main__":
    main()
