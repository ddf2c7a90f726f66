"""What is written of each request, where an operator asks for it?

Connections and exchanges of their own, so that whoever does not ask for it pays nothing.
"""

from __future__ import annotations

import logging
from time import perf_counter

from router.data.downstream import ClientConnection
from router.data.exchange import Exchange
from router.events import say

log = logging.getLogger("turnout.access")


class LoggedExchange(Exchange):
    """An exchange that writes one line when it ends."""

    __slots__ = ()

    def _end(self, status: int) -> None:
        super()._end(status)
        slot = self._slot
        about: dict[str, object] = {
            "method": self.method.decode("latin-1"),
            # Without the query, which may hold a unit, or a secret.
            "path": self.target.partition(b"?")[0].decode("latin-1"),
            "status": status,
            "seconds": round(perf_counter() - self._started, 6),
            "backend_seconds": round(self.arrived - self._sent, 6),
            "peer": self.client.peer.decode(),
            "request_id": self.request_id.decode("latin-1"),
        }
        if slot is not None:
            about |= {"experiment": slot.accumulator.experiment, "variant": slot.variant}
        text = " ".join(f"{name}={value}" for name, value in about.items() if value != "")
        say(log, "request", f"request {text}", **about)


class LoggedConnection(ClientConnection):
    """A client's connection whose requests are logged."""

    __slots__ = ()
    exchange_type = LoggedExchange

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._parsing = LoggedExchange(self, self._parsing.snapshot)
