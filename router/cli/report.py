"""``turnout report``: how does a report get from the control plane to a reader?"""

from __future__ import annotations

import msgspec

from router.cli.client import Client
from router.cli.contexts import Target
from router.cli.options import Output
from router.cli.report_tables import print_report
from router.cli.report_view import Report
from router.cli.showing import show


def run(target: Target, name: str, output: Output) -> None:
    """Print a report; `ConfigurationError` for a wrong URL or name, another `TurnoutError` otherwise."""
    with Client(target) as client:
        answer = client.get("experiments", name, "report")
    show(output, msgspec.json.decode(answer.body), lambda to: print_report(to, answer.read(Report)))
