"""Which configuration does the shadow's demo serve?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from router.cli.demo.configuration import CHALLENGER, CONTROL, Server

SHADOW: Final = "candidate"
SERVERS: Mapping[str, Server] = {CONTROL: Server("weak"), CHALLENGER: Server("strong")}
"""Who answers, and who gets copies."""

_TEMPLATE = """\
backends:
  digits-v1: {{url: {champion}}}
  digits-v2: {{url: {challenger}}}
routes:
  # A prediction changes nothing at the server, so that a copy of it does no harm.
  - path: /v2/models/digits
    backend: digits-v1
    experiment: digits
    repeatable: true
    shadows: [candidate]
experiments:
  # The split that is to follow: the challenger has no traffic of its own yet.
  digits:
    unit: [{{header: x-user-id}}]
    variants:
      champion:   {{backend: digits-v1, weight: 100}}
      challenger: {{backend: digits-v2, weight: 0}}
    control: champion
    metrics:
      - {{name: correct, kind: binary, goal: increase}}
    analysis: {{max_immature_share: 1}}
shadows:
  candidate:
    backend: digits-v2
    share: 1
    noise: 1
    compare:
      ignore: [/model_version]
      top: /outputs/0/data/0
      margin: 0.01
"""


def write_configuration(champion: str, challenger: str) -> str:
    """The YAML file's text, for the two model servers' URLs."""
    return _TEMPLATE.format(champion=champion, challenger=challenger)
