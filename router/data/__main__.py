"""``python -m router.data READY_FD``: one worker, as the supervisor starts it."""

from __future__ import annotations

import logging
import sys

import msgspec
import uvloop

from router.data.worker import run
from router.errors import TurnoutError
from router.logs import configure
from router.options import WorkerProcess
from router.processes import told


def main() -> int:
    """Run until told to end; 1 with one line of why if it cannot."""
    written, ready = told()
    options = msgspec.json.decode(written, type=WorkerProcess)
    configure(options.log_format)
    try:
        uvloop.run(run(options, ready))
    except TurnoutError as error:
        logging.getLogger("turnout.data").error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
