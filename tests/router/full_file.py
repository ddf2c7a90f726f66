"""A configuration file with a bit of everything, and what is wrong with it after an edit."""

from __future__ import annotations

import pytest

from router.config_file import load
from router.problems import InvalidConfiguration, Problem

FULL = """\
backends:
  ranker-v1: {url: http://127.0.0.1:9001}
  ranker-v2: {url: [http://127.0.0.1:9002, http://127.0.0.1:9003], timeout: 2s, max_connections: 256}
routes:
  - {path: /v1/models/ranker, backend: ranker-v1, experiment: ranker}
  - path: /
    backend: ranker-v1
experiments:
  ranker:
    unit: [{header: x-user-id}, {cookie: uid}, {json: /user/id}, {query: user}]
    variants:
      champion:   {backend: ranker-v1, weight: 90}
      challenger: {backend: ranker-v2, weight: 10}
    control: champion
    policy: {kind: split}
    metrics:
      - {name: correct, kind: binary, goal: increase}
      - {name: revenue, kind: mean, minimum: 0, maximum: 1000}
    attribution: 3d
limits: {json_prefix: 16KiB, headers: 50}
"""


def wrong(old: str, new: str, text: str = FULL) -> tuple[Problem, ...]:
    """What is wrong with the file after one edit."""
    assert old in text
    with pytest.raises(InvalidConfiguration) as caught:
        load(text.replace(old, new, 1))
    return caught.value.problems
