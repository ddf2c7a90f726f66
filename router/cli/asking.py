"""Does the operator want it?"""

from __future__ import annotations

import sys

from router.errors import TurnoutError


class Declined(TurnoutError):
    """The operator did not say yes; nothing was changed."""

    status = 409


def ask(question: str, *, yes: bool) -> None:
    """Go on when the answer is yes, or was given beforehand; `Declined` else.

    The question goes to standard error: what a program reads from standard output is the result alone.
    """
    if yes:
        return
    sys.stdout.flush()
    print(f"{question} [y/N]: ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
        raise Declined("nobody answered, so nothing was changed; --yes answers beforehand")
    if answer.strip().lower() not in ("y", "yes"):
        raise Declined("nothing was changed")
