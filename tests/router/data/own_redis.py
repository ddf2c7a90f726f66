"""How is a Redis away for as long as a test wants?"""

from __future__ import annotations

import subprocess
from pathlib import Path

from router.store.embedded import find_server
from tests.router.data.service import free_port, is_listening, until


class OwnRedis:
    """A Redis of the test's own, which can be away for as long as the test wants."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._log = (folder / "redis.log").open("w")
        self.start()

    def start(self) -> None:
        """Start it on the data that is there."""
        command = [str(find_server()), "--port", str(self.port), "--dir", str(self._folder)]
        command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        until(lambda: is_listening(self.port), "Redis listens")

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it."""
        self.kill()
        self._log.close()
