"""Serve one demo model: ``python -m models.demo --model strong --port 9001``."""

from __future__ import annotations

import argparse
import socket
import sys

import uvicorn

from models.demo.classifier import MODEL, RECIPES, train
from models.demo.server import Faults, make_app


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m models.demo", description=__doc__)
    parser.add_argument("--model", required=True, choices=list(RECIPES))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one; the first line says which")
    parser.add_argument("--fail-share", type=float, default=0.0, help="share of answers that are a 500")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="what each answer takes longer")
    return parser.parse_args()


class _Announcing(uvicorn.Server):
    """Says where it serves once it does, so that who started it need not guess or poll."""

    def __init__(self, config: uvicorn.Config, line: str) -> None:
        super().__init__(config)
        self.line = line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        print(self.line, flush=True)


def main() -> None:
    """Train, listen, say so, and serve until SIGTERM or SIGINT."""
    arguments = _arguments()
    try:
        faults = Faults(arguments.fail_share, arguments.latency_ms / 1000)
        listener = socket.create_server((arguments.host, arguments.port), backlog=1024)
    except (ValueError, OSError) as error:
        sys.exit(f"python -m models.demo: {error}")

    classifier = train(arguments.model)
    host, port = listener.getsockname()[:2]
    line = (
        f"ready: {MODEL} version {classifier.version} ({classifier.strength}, {classifier.platform}, "
        f"held-out accuracy {classifier.accuracy:.4f}) on http://{host}:{port}"
    )
    config = uvicorn.Config(
        make_app(classifier, faults), log_level="warning", access_log=False, timeout_graceful_shutdown=5
    )
    _Announcing(config, line).run(sockets=[listener])


if __name__ == "__main__":
    main()
