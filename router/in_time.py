"""How long may code of an installed package take, and what of it that never comes to an end?

It runs in a thread of its own, which is waited for this long and no longer. A thread cannot be ended: what
hangs once is not begun again while it does, or every look at a configuration would leave one more behind.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Event, Thread
from typing import Final, TypeVar

_T = TypeVar("_T")

# A plan that takes longer is waited for no more, and its policy is not asked again before it is done.
PLAN_SECONDS: Final = 5.0

_hanging: Final[dict[Hashable, Event]] = {}


def in_time(key: Hashable, job: Callable[[], _T]) -> _T:
    """What a job returns or raises; `TimeoutError` where it does neither in `PLAN_SECONDS`, or hangs already.

    Jobs of one ``key`` are the same. `RuntimeError` for what it raises that is no `Exception`.
    """
    if key in _hanging and not _hanging[key].is_set():
        raise TimeoutError("has not come to an end since it was begun before")
    _hanging.pop(key, None)

    answers: list[_T] = []
    raised: list[BaseException] = []
    ended = Event()

    def run() -> None:
        try:
            answers.append(job())
        except BaseException as error:  # what ends a process is a fault of the job's here
            raised.append(error)
        ended.set()

    Thread(target=run, name=f"{key}", daemon=True).start()
    if not ended.wait(PLAN_SECONDS):
        _hanging[key] = ended
        raise TimeoutError(f"takes more than {PLAN_SECONDS:g} s")
    for error in raised:
        raise error if isinstance(error, Exception) else RuntimeError(repr(error))
    return answers[0]
