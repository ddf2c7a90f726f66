"""How is a Lua script run by its digest, on a server that may have been restarted since?"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError


class Script:
    """A script by its name in `router/store/scripts`: one round trip, two where the server must learn it."""

    __slots__ = ("digest", "text")

    def __init__(self, name: str) -> None:
        self.text = files("router.store").joinpath("scripts", f"{name}.lua").read_text("utf-8")
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def run(
        self, redis: Redis, keys: Sequence[str | bytes], arguments: Sequence[str | bytes | int]
    ) -> Any:
        """What the script returns for these keys and arguments."""
        try:
            return await redis.evalsha(self.digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await redis.eval(self.text, len(keys), *keys, *arguments)
