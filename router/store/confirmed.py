"""How is a write known to survive the loss of the primary, before it is acknowledged?

Replication is asynchronous: what a primary acknowledged in its last moments can be missing where a replica
takes over. So, where it is asked for, each script is followed by WAIT on its own connection, in the same
round trip, and counts as unanswered until enough replicas have it. Its caller sends it again then, and each
script here does the same thing once however often it is sent. A replica that is behind them all can still be
promoted where the others cannot be reached: this makes a loss unlikely, and is no consensus.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError


class Unconfirmed(RedisError):
    """The primary did it, and too few replicas know."""


class ConfirmedRedis(Redis):
    """A client whose scripts are answered once so many ``replicas`` have what they wrote.

    It waits for them at most so many ``seconds``.
    """

    def __init__(self, pool: BlockingConnectionPool, replicas: int, seconds: float) -> None:
        super().__init__(connection_pool=pool)
        self._replicas = replicas
        self._milliseconds = round(1000 * seconds)
        self.auto_close_connection_pool = True

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command; `Unconfirmed` where too few replicas have a script's writes in time."""
        if args[0] not in ("EVAL", "EVALSHA"):
            unconfirmed: Any = super()
            return await unconfirmed.execute_command(*args, **options)
        async with self.pipeline(transaction=False) as pipe:
            kept: Any = pipe
            kept.execute_command(*args, **options)
            kept.execute_command("WAIT", self._replicas, self._milliseconds)
            answer, replicas = await pipe.execute(raise_on_error=False)
        for each in (answer, replicas):
            if isinstance(each, Exception):
                raise each
        if replicas < self._replicas:
            raise Unconfirmed(f"{replicas} replicas have it so far, and wait_replicas is {self._replicas}")
        return answer
