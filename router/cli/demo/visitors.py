"""How do the demo's users keep a router busy that runs already, for as long as one likes?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.util import find_spec

import httpx

from models.registry import find_protocol
from router.cli.demo.configuration import MODEL
from router.cli.demo.run import PROTOCOL
from router.cli.demo.users import Load, Question, Tally, Users, make_questions
from router.errors import TurnoutError


async def visit(
    url: str, load: Load, seconds: float, every: float, say: Callable[[str], None], timeout: float = 30.0
) -> int:
    """Send for ``seconds`` (may be infinite) to the data port at ``url``, and say each ``every`` seconds how
    it goes; the exit status, 0 if something was sent and nothing failed.

    A router that is away fails its requests, which are counted, and does not end the visit.
    """
    if find_spec("sklearn") is None:
        raise TurnoutError("the demo's users need scikit-learn's images: pip install 'turnout[demo]'")
    questions = await asyncio.to_thread(_load_questions)

    limits = httpx.Limits(max_connections=16, max_keepalive_connections=16, keepalive_expiry=30)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=timeout, trust_env=False) as client:
        users = Users(load, questions, find_protocol(PROTOCOL), client)
        arrival = asyncio.create_task(users.arrive(seconds))
        try:
            while not arrival.done():
                await asyncio.wait([arrival], timeout=every)
                say(line(users.tally))
            await arrival
        finally:
            # Waited for, because those on their way still use the client that is closed next.
            arrival.cancel()
            await asyncio.wait([arrival])

    return 0 if users.tally.sent and not users.tally.failed else 1


def line(tally: Tally) -> str:
    """How it goes, in one line.

    >>> line(Tally(sent=3, failed=1, failures=["a request was answered 503: away"]))
    '3 sent, 0 answered, 0 outcomes accepted, 1 failed, the first: a request was answered 503: away'
    """
    said = (
        f"{tally.sent:,} sent, {tally.answered.total():,} answered, "
        f"{tally.acknowledged['accepted']:,} outcomes accepted, {tally.failed:,} failed"
    )
    return f"{said}, the first: {tally.failures[0]}" if tally.failures else said


def _load_questions() -> tuple[Question, ...]:
    # Here and not above: scikit-learn takes seconds to import, and only the demo needs it.
    from models.demo.digits import held_out

    unseen = held_out()
    images, labels = unseen.images.astype(int).tolist(), unseen.labels.tolist()
    return make_questions(find_protocol(PROTOCOL), MODEL, images, labels)
