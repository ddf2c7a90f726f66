"""Do tasks end that miss a cancellation?"""

from __future__ import annotations

import asyncio

from router.cancelling import end_all


async def deaf(times: int) -> None:
    """Does not hear so many cancellations."""
    for _ in range(times):
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            continue
    await asyncio.get_running_loop().create_future()


async def test_all_have_ended_however_often_they_do_not_hear() -> None:
    async def failing() -> None:
        raise ValueError("its own")

    tasks = [asyncio.create_task(each) for each in (deaf(0), deaf(2), failing())]
    await asyncio.sleep(0)
    await end_all(tasks)
    assert [task.cancelled() for task in tasks] == [True, True, False]
    assert isinstance(tasks[2].exception(), ValueError)
    await end_all([])
