"""The command line: ``turnout``."""

from __future__ import annotations

import sys

from router.errors import ConfigurationError, TurnoutError


def main() -> None:
    """Run a command; the exit code says how it went.

    0 it did what it was asked; 1 a failure; 2 bad input; 3 a dry run found changes; 4 a lost race.
    """
    from router.cli.app import app

    try:
        app(prog_name="turnout")
    except TurnoutError as error:
        print(_message(error), file=sys.stderr)
        sys.exit(exit_code(error))


def exit_code(error: TurnoutError) -> int:
    """The exit code of a command that ended with this error."""
    if isinstance(error, ConfigurationError):
        return 2
    return 4 if error.status == 412 else 1


def _message(error: TurnoutError) -> str:
    return "\n".join(f"turnout: {line}" for line in str(error).splitlines())
