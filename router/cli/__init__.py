"""The command line: ``turnout``."""

from __future__ import annotations

import sys

from router.errors import ConfigurationError, TurnoutError


def main() -> None:
    """Run a command; exit code 0 when it did what it was asked, 2 for bad input, 1 for a failure."""
    from router.cli.app import app

    try:
        app(prog_name="turnout")
    except ConfigurationError as error:
        print(_message(error), file=sys.stderr)
        sys.exit(2)
    except TurnoutError as error:
        print(_message(error), file=sys.stderr)
        sys.exit(1)


def _message(error: TurnoutError) -> str:
    return "\n".join(f"turnout: {line}" for line in str(error).splitlines())
