"""On which sockets does a node listen, before any of its processes is there?"""

from __future__ import annotations

import socket

from router.errors import TurnoutError

_BACKLOG = 4096


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket, ``shared`` with others on the same port; `TurnoutError` where it cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise TurnoutError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    listener.setblocking(False)
    return listener


def listen_together(host: str, port: int, number: int) -> list[socket.socket]:
    """So many sockets that share one port, which nobody else had; port 0 takes a free one."""
    # A shared port could be bound beside a stranger's: bind it alone first, to learn that it is free.
    if port:
        listen(host, port).close()
    listeners = [listen(host, port, shared=True)]
    try:
        port = listeners[0].getsockname()[1]
        listeners += [listen(host, port, shared=True) for _ in range(number - 1)]
    except TurnoutError:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def url_of(listener: socket.socket) -> str:
    """Where a client reaches it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
