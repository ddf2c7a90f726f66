"""How are tasks ended, though a cancellation may get lost?"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, Final

_AGAIN_SECONDS: Final = 0.2


async def end_all(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Cancel the tasks until each of them has ended; what they raised is theirs.

    More than once: a cancellation that meets a time-out inside the Redis client is lost there.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
