"""Does a hosted application start on its socket, say so, and end without losing a request?"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.hosting import refuse_new_connections
from tests.router.data.client import Connection
from tests.router.data.service import until

# An application that tells what happens to it, and answers when its file is there.
PROGRAM = """
import asyncio, pathlib, socket, sys
import uvicorn
from router.hosting import Host

folder = pathlib.Path(sys.argv[2])

def tell(what):
    with (folder / "told").open("a") as file:
        file.write(what + "\\n")

async def app(scope, receive, send):
    tell("asked " + scope["path"])
    while scope["path"] == "/held" and not (folder / "open").exists():
        await asyncio.sleep(0.01)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})

async def main():
    listener = socket.socket(fileno=int(sys.argv[1]))
    config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=20)
    host = Host(config, ready=lambda: tell("ready"), draining=lambda: tell("draining"))
    await host.serve(sockets=[listener])
    tell("served")

asyncio.run(main())
tell("ended")
"""


class Hosted:
    """The program, on a socket that this process holds, too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as early,
        socket.socket() as late,
    ):
        refuse_new_connections(listener)
        late.settimeout(0.2)
        with pytest.raises(TimeoutError):
            late.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            early.sendall(b"sent after the listener had closed its ears")
            assert accepted.recv(100) == b"sent after the listener had closed its ears"
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
