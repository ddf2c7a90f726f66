"""Which configuration does the bandit's demo serve?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from router.cli.demo.configuration import CONTROL, Server

BEST: Final = "strong"
SERVERS: Mapping[str, Server] = {CONTROL: Server("weak"), "fair": Server("fair"), BEST: Server("strong")}
"""The model behind each variant; the bandit is to find `BEST`."""

_TEMPLATE = """\
backends:
  digits-v1: {{url: {champion}}}
  digits-v2: {{url: {strong}}}
  digits-v3: {{url: {fair}}}
routes:
  - {{path: /v2/models/digits, backend: digits-v1, experiment: digits}}
experiments:
  digits:
    unit: [{{header: x-user-id}}]
    variants:
      champion: {{backend: digits-v1, weight: 1}}
      fair:     {{backend: digits-v3, weight: 1}}
      strong:   {{backend: digits-v2, weight: 1}}
    control: champion
    policy: {{kind: thompson, metric: correct, every: 2s, min_units: 80, floor: 0.15}}
    metrics:
      - {{name: correct, kind: binary, goal: increase}}
    analysis: {{max_immature_share: 1}}
"""


def write_configuration(urls: Mapping[str, str]) -> str:
    """The YAML file's text, for the URLs of `SERVERS`."""
    return _TEMPLATE.format(**urls)
