"""A signal ends the work in order, once, and is in the exit status."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from router.cli.demo.interruption import SIGNALS, until_signal


async def test_without_a_signal_it_is_what_the_work_returns() -> None:
    assert await until_signal(asyncio.sleep(0, 7)) == 7


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_cancels_once_and_the_cleaning_up_is_finished(number: signal.Signals) -> None:
    cleaned = []

    async def work() -> int:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), number)
            for _ in range(5):
                await asyncio.sleep(0)
            cleaned.append(True)
        return 0

    assert await until_signal(work()) == 128 + number
    assert cleaned == [True]


async def test_work_that_catches_the_cancellation_has_its_own_status() -> None:
    async def hold() -> int:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return 1
        return 0

    assert await until_signal(hold()) == 1
