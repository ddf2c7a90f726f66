"""Does the analyst's page name methods that exist, and only figures that were measured within their bands?"""

from __future__ import annotations

import re
from pathlib import Path

from policies import statistics
from policies.statistics.catalog import methods

GUIDE = (Path(statistics.__path__[0]) / "README.md").read_text()
ARGUMENTS = {"code", "n_star", "tau", "dr", "ips", "snips", "log_p_value", "strata_left_out"}


def test_every_method_named_exists() -> None:
    named = set(re.findall(r"`([a-z_0-9]+)`", GUIDE)) - ARGUMENTS
    assert len(named) > 30
    assert named <= set(methods())


def test_every_measured_figure_is_within_its_band() -> None:
    rows = re.findall(r"\| ([\d.]+) % \| ([\d.]+) to ([\d.]+) % \|", GUIDE)
    assert len(rows) >= 25
    for measured, low, high in rows:
        assert float(low) <= float(measured) <= float(high)
