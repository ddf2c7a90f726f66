"""Which dashboards does Grafana show?

``python -m deploy.grafana.dashboards`` writes dashboards/*.json; with ``--check`` it says whether they are
what it would write. Written here so that a change of a metric's name is one line and not three hundred.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from deploy.grafana.experiment import EXPERIMENT
from deploy.grafana.policies import POLICIES
from deploy.grafana.rendering import dashboard, text_of, variable, variable_route
from deploy.grafana.service import SERVICE

FOLDER = Path(__file__).parent / "dashboards"


def dashboards() -> dict[str, dict[str, Any]]:
    """Every dashboard, by its file's name."""
    return {
        "service": dashboard("turnout-service", "Turnout: service", SERVICE, [variable_route()]),
        "experiment": dashboard(
            "turnout-experiment",
            "Turnout: experiment",
            EXPERIMENT,
            [
                variable("experiment", "label_values(turnout_experiment_running, experiment)"),
                variable("metric", 'label_values(turnout_effect{experiment="$experiment"}, metric)'),
            ],
        ),
        "policies": dashboard(
            "turnout-policies",
            "Turnout: policies",
            POLICIES,
            [
                variable("experiment", "label_values(turnout_experiment_running, experiment)"),
                variable("shadow", "label_values(turnout_shadow_copies_total, shadow)"),
            ],
        ),
    }


def main(arguments: list[str]) -> int:
    """The exit status."""
    if arguments not in ([], ["--check"]):
        print(f"unknown arguments {' '.join(arguments)!r}; known: --check", file=sys.stderr)
        return 2
    wrong = 0
    for name, each in dashboards().items():
        file, expected = FOLDER / f"{name}.json", text_of(each)
        if not arguments:
            file.write_text(expected, "utf-8")
        elif not file.exists() or file.read_text("utf-8") != expected:
            print(
                f"{file} is not what it would be; write it: python -m deploy.grafana.dashboards",
                file=sys.stderr,
            )
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
