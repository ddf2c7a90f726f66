"""``python -m router.node READY_FD``: metrics and probes of a node, as the supervisor starts it."""

from __future__ import annotations

import logging
import sys

import msgspec
import uvloop

from router.errors import TurnoutError
from router.logs import configure
from router.node.process import run
from router.options import ProbeProcess
from router.processes import told


def main() -> int:
    """Run until told to end; 1 with one line of why if it cannot."""
    written, ready = told()
    options = msgspec.json.decode(written, type=ProbeProcess)
    configure(options.log_format)
    try:
        uvloop.run(run(options, ready))
    except TurnoutError as error:
        logging.getLogger("turnout.node").error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
