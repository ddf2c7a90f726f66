"""Which configuration does the canary's demo serve, and how is its candidate replaced by another one?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from router.cli.demo.configuration import CHALLENGER, CONTROL, EXPERIMENT, Server

FIXED: Final = "fixed challenger"
FAIL_SHARE: Final = 0.05
SERVERS: Mapping[str, Server] = {
    CONTROL: Server("weak"),
    CHALLENGER: Server("strong", FAIL_SHARE),
    FIXED: Server("strong"),
}
STEPS: Final = (5, 25, 50)
"""The candidate's percent of the traffic before it gets all of it."""

# The servers are alike, so that the candidate may be compared with all of the control's traffic, and not only
# with a slice as large as its own: harm is then seen after a few errors.
_TEMPLATE = """\
backends:
  digits-v1: {{url: {champion}}}
  digits-v2: {{url: {challenger}}}
  digits-v2-fixed: {{url: {fixed}}}
routes:
  - {{path: /v2/models/digits, backend: digits-v1, experiment: digits}}
experiments:
  digits:
    unit: [{{header: x-user-id}}]
    variants:
      champion:   {{backend: digits-v1, weight: 100}}
      challenger: {{backend: digits-v2, weight: 0}}
    control: champion
    policy:
      kind: canary
      interval: 1s
      baseline: null
      steps:
{steps}
      guardrails: {{errors: 0.04, metrics: {{correct: 0.05}}}}
      tuning_units: 2000
    metrics:
      - {{name: correct, kind: binary, goal: increase}}
    analysis: {{tuning_units: 1000, max_immature_share: 1}}
"""


def write_configuration(champion: str, challenger: str, fixed: str) -> str:
    """The YAML file's text, for the three model servers' URLs."""
    steps = "\n".join(f"        - {{weight: {weight}, min_duration: 2s, min_units: 50}}" for weight in STEPS)
    return _TEMPLATE.format(champion=champion, challenger=challenger, fixed=fixed, steps=steps)


def with_fixed_candidate(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The same configuration, its candidate served by the server that does not fail."""
    experiment = configuration["experiments"][EXPERIMENT]
    fixed = {**experiment["variants"][CHALLENGER], "backend": "digits-v2-fixed"}
    variants = {**experiment["variants"], CHALLENGER: fixed}
    return {**configuration, "experiments": {EXPERIMENT: {**experiment, "variants": variants}}}
