"""Which configuration does the split's demo serve?"""

from __future__ import annotations

from collections.abc import Mapping

from router.cli.demo.configuration import CHALLENGER, CONTROL, Server

SERVERS: Mapping[str, Server] = {CONTROL: Server("weak"), CHALLENGER: Server("strong")}
"""The demo's model behind each variant: the challenger is the better one, and the demo must find that."""

_TEMPLATE = """\
backends:
  digits-v1: {{url: {champion}}}
  digits-v2: {{url: {challenger}}}
routes:
  - {{path: /v2/models/digits, backend: digits-v1, experiment: digits}}
experiments:
  digits:
    unit: [{{header: x-user-id}}]
    variants:
      champion:   {{backend: digits-v1, weight: 50}}
      challenger: {{backend: digits-v2, weight: 50}}
    control: champion
    policy: {{kind: split}}
    metrics:
      - {{name: correct, kind: binary, goal: increase}}
    analysis: {{tuning_units: 1000, max_immature_share: 1}}
"""


def write_configuration(champion: str, challenger: str) -> str:
    """The YAML file's text, for the two model servers' URLs."""
    return _TEMPLATE.format(champion=champion, challenger=challenger)
