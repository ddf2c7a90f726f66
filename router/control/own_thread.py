"""How does code that may never return run, so that neither a request, a plan nor the end waits for it?

An executor's threads are waited for when the interpreter ends. These are not: a policy of an installed
package that hangs must not keep a process that has been told to end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import TypeVar

_T = TypeVar("_T")


def in_own_thread(job: Callable[[], _T], name: str) -> asyncio.Future[_T]:
    """What a job returns or raises, from a thread of this name; `RuntimeError` for what is no `Exception`.

    Cancelling it does not end the job, whose answer is then nobody's.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_T] = loop.create_future()

    def run() -> None:
        settle: Callable[[], None]
        try:
            settle = partial(answer.set_result, job())
        except BaseException as raised:  # what ends a process, or an iteration, is a fault of the job's here
            plain = isinstance(raised, Exception) and not isinstance(raised, StopIteration)
            settle = partial(answer.set_exception, raised if plain else RuntimeError(repr(raised)))
        with contextlib.suppress(RuntimeError):  # the loop has ended, and so has everybody who waited
            loop.call_soon_threadsafe(lambda: None if answer.done() else settle())

    Thread(target=run, name=name, daemon=True).start()
    return answer
