"""Who uses the demo's models? Simulated people who send real images, and say whether the answer was right.

Requests arrive as a Poisson process, whatever the answers take. Whose a request is, is drawn by how active
each user is, and activity is heavy-tailed (Pareto): a few users send very many. Some outcomes are posted
late, and some twice; each of these must count once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import TypedDict

import httpx
import msgspec

from models.protocol import Call, ModelProtocol, ProtocolError
from models.protocols.open_inference import Failure
from router.cli.demo.configuration import METRIC, UNIT_HEADER

OUTCOMES = "/_turnout/outcomes"
TOKEN = "x-turnout-token"

_TAIL = 1.3  # Pareto's exponent: the mean is finite, the variance is not
_IN_FLIGHT = 64
_GATHER = 0.1  # seconds; outcomes are posted together, as an app would
_KEPT_FAILURES = 10


@dataclass(frozen=True, slots=True)
class Load:
    """How many people there are, what they send (requests/s), and how they post what they saw."""

    users: int = 2000
    rate: float = 150.0
    late_share: float = 0.2
    late_seconds: float = 2.0
    twice_share: float = 0.1
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Question:
    """One image as the protocol sends it, and the digit that it shows."""

    call: Call
    label: int


class Outcome(TypedDict):
    """What is posted back about one answer."""

    token: str
    metric: str
    value: int


@dataclass(slots=True)
class Tally:
    """The users' own count, with which the report's must agree; by the model version that answered.

    ``models_failures`` are answers of 500 by a model that is meant to fail now and then.
    """

    sent: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    late: int = 0
    posted_again: int = 0
    acknowledged: Counter[str] = field(default_factory=Counter)
    models_failures: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)

    def fail(self, what: str) -> None:
        """Something was not as it must be; the first few are kept in words."""
        self.failed += 1
        if len(self.failures) < _KEPT_FAILURES:
            self.failures.append(what)


def make_questions(
    protocol: ModelProtocol, model: str, images: Sequence[Sequence[float]], labels: Sequence[int]
) -> tuple[Question, ...]:
    """One question per image."""
    return tuple(
        Question(protocol.infer(model, [image]), label) for image, label in zip(images, labels, strict=True)
    )


def models_failure(response: httpx.Response) -> bool:
    """Whether a model that was reached failed by itself: the router's own failures are of another form.

    Relayed as it is, with a token, so that it is known whose it was.
    """
    if response.status_code != 500 or TOKEN not in response.headers:
        return False
    try:
        msgspec.json.decode(response.content, type=Failure)
    except msgspec.DecodeError:
        return False
    return True


class Users:
    """The simulated people; `arrive` lets them come for a time, and waits for their last outcome."""

    def __init__(
        self,
        load: Load,
        questions: Sequence[Question],
        protocol: ModelProtocol,
        client: httpx.AsyncClient,
        models_may_fail: bool = False,
    ) -> None:
        """``models_may_fail``: whether a model's own answer of 500 is no failure of the router's."""
        self.tally = Tally()
        self._models_may_fail = models_may_fail
        self._leaving = False
        self._load = load
        self._questions = questions
        self._protocol = protocol
        self._client = client
        self._rng = Random(load.seed)
        self._names = [f"user-{number}" for number in range(load.users)]
        self._activity = list(accumulate(self._rng.paretovariate(_TAIL) for _ in self._names))
        self._places = asyncio.Semaphore(_IN_FLIGHT)
        self._outcomes: list[Outcome] = []

    async def arrive(self, seconds: float) -> None:
        """Send for ``seconds``, then return once every answer was judged and every outcome posted."""
        async with asyncio.TaskGroup() as all_of_it:
            visits = all_of_it.create_task(self._visits(seconds))
            all_of_it.create_task(self._carry(visits))

    def leave(self) -> None:
        """Come no more, before the time is over."""
        self._leaving = True

    async def _visits(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        end = due + seconds
        async with asyncio.TaskGroup() as visits:
            while (due := due + self._rng.expovariate(self._load.rate)) < end:
                await asyncio.sleep(due - loop.time())
                await self._places.acquire()
                if (
                    self._leaving or loop.time() >= end
                ):  # a machine too slow for the rate sends less, not for longer
                    return
                visits.create_task(self._visit())

    async def _visit(self) -> None:
        name = self._rng.choices(self._names, cum_weights=self._activity)[0]
        question = self._rng.choice(self._questions)
        late = self._rng.random() < self._load.late_share
        again = self._rng.random() < self._load.twice_share
        wait = self._rng.uniform(0, self._load.late_seconds) if late else 0.0

        self.tally.sent += 1
        try:
            asked = await self._ask(name, question)
        finally:
            self._places.release()
        if asked is None:
            return
        version, outcome = asked
        self.tally.answered[version] += 1

        await asyncio.sleep(wait)
        self.tally.outcomes[version] += 1
        self.tally.right[version] += outcome["value"]
        self.tally.late += late
        self._outcomes.append(outcome)
        if again:
            self.tally.posted_again += 1
            await asyncio.sleep(wait)
            self._outcomes.append(outcome)

    async def _ask(self, name: str, question: Question) -> tuple[str, Outcome] | None:
        """The version that answered, and whether it was right; None, and told, where it did not answer."""
        call = question.call
        headers = {UNIT_HEADER: name}
        if call.content_type is not None:
            headers["content-type"] = call.content_type
        try:
            response = await self._client.request(call.method, call.path, content=call.body, headers=headers)
            if self._models_may_fail and models_failure(response):
                self.tally.models_failures += 1
                return None
            if response.status_code != 200:
                self.tally.fail(f"a request was answered {response.status_code}: {response.text[:200]}")
                return None
            answer = self._protocol.answer(response.content)
            token = response.headers[TOKEN]
        except (httpx.HTTPError, ProtocolError, KeyError) as error:
            self.tally.fail(f"a request was not answered as it must be: {type(error).__name__}: {error}")
            return None
        right = int(answer.values[0] == question.label)
        return answer.version or "", Outcome(token=token, metric=METRIC, value=right)

    async def _carry(self, visits: asyncio.Task[None]) -> None:
        """Post what has gathered, again and again, until the last visit's."""
        while not visits.done() or self._outcomes:
            outcomes, self._outcomes = self._outcomes, []
            if outcomes:
                await self._post(outcomes)
            await asyncio.sleep(_GATHER)

    async def _post(self, outcomes: list[Outcome]) -> None:
        try:
            response = await self._client.post(OUTCOMES, json=outcomes)
            if response.status_code != 202:
                self.tally.fail(f"outcomes were answered {response.status_code}: {response.text[:200]}")
                return
            results = [result["status"] for result in response.json()["results"]]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            self.tally.fail(f"outcomes were not answered as they must be: {type(error).__name__}: {error}")
            return
        self.tally.acknowledged.update(results)
