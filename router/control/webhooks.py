"""How are other services asked and told, without ever waiting for one?

A policy's findings say what it ``asks``, as ``TYPE:SUBJECT``; each question goes to the webhooks of that
type, in a task of its own, and the answers stand ready for the next plan. Names and payloads are Flagger's: a
webhook is POSTed JSON, and 2xx means yes. How long one takes is bounded, how often it is tried, and how many
are asked at a time; what it answers beside the status is not read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, TypeVar

import httpx

from policies.plan import Plan
from policies.steering import Webhook
from router.events import event

NAMESPACE: Final = "turnout"
AT_ONCE: Final = 16
# A closed gate is asked again after so long; so is what is asked as long as a step lasts.
AGAIN_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.5
_MOST_TELLING: Final = 256

_ASKED_ONCE: Final = ("pre-rollout", "post-rollout")
_OPEN_FOR_GOOD: Final = ("confirm-rollout", "confirm-traffic-increase", "confirm-promotion")

log = logging.getLogger("turnout.control")

_T = TypeVar("_T")


@dataclass(slots=True)
class _Question:
    """What is asked of one experiment: the last answer, when it came, and the task that asks now."""

    answer: bool | None = None
    at: float = 0.0
    task: asyncio.Task[None] | None = None


class Hooks:
    """Asks and tells for all experiments; belongs to the loop that it is used on."""

    def __init__(self, client: Callable[[], httpx.AsyncClient] | None = None) -> None:
        self._make = client or _client
        self._http: httpx.AsyncClient | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._questions: dict[str, dict[str, _Question]] = {}
        self._telling: set[asyncio.Task[bool]] = set()

    def answers(self, name: str) -> dict[str, bool]:
        """The answers there are to what an experiment asks."""
        questions = self._questions.get(name, {})
        return {asked: each.answer for asked, each in questions.items() if each.answer is not None}

    def follow(self, name: str, webhooks: Sequence[Webhook], plan: Plan) -> None:
        """Ask what a plan asks and has no answer yet; forget what it asks no more."""
        asks = [str(each) for each in plan.findings.get("asks", ())]
        questions = self._questions.setdefault(name, {})
        for asked in questions.keys() - set(asks):
            _stop(questions.pop(asked))
        for asked in asks:
            question = questions.setdefault(asked, _Question())
            kind = asked.partition(":")[0]
            if question.task is None and _due(kind, question):
                hooks = [hook for hook in webhooks if hook.type == kind]
                payload = _payload(name, plan)
                question.task = self._start(self._ask(name, asked, question, hooks, payload))

    def announce(self, name: str, webhooks: Sequence[Webhook], plan: Plan, now: float) -> None:
        """Tell the ``event`` webhooks what a plan says, and wait for none."""
        for hook in webhooks:
            if hook.type == "event" and len(self._telling) < _MOST_TELLING:
                payload = _payload(name, plan)
                metadata = {
                    "eventMessage": plan.why,
                    "eventType": "Normal",
                    "timestamp": str(round(now * 1e3)),
                }
                payload["metadata"] = {**metadata, **hook.metadata}
                task = self._start(self._tell(name, hook, payload))
                self._telling.add(task)
                task.add_done_callback(self._telling.discard)

    def forget(self, name: str) -> None:
        """Ask nothing more for an experiment."""
        for question in self._questions.pop(name, {}).values():
            _stop(question)

    def stop(self) -> None:
        """Ask and tell nothing more at all."""
        for name in list(self._questions):
            self.forget(name)
        for task in self._telling:
            task.cancel()

    async def close(self) -> None:
        """Stop, and close the connections."""
        self.stop()
        if self._http is not None:
            await self._http.aclose()

    def _start(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        return asyncio.get_running_loop().create_task(work)

    async def _ask(
        self, name: str, asked: str, question: _Question, hooks: Sequence[Webhook], payload: Mapping[str, Any]
    ) -> None:
        try:
            yes = await asyncio.gather(*(self._tell(name, hook, payload) for hook in hooks))
        finally:
            question.task = None
        # A gate needs all of its keepers; to roll back it is enough that one wants to.
        answer = any(yes) if asked.startswith("rollback:") else all(yes)
        if answer != question.answer:
            event(log, "webhooks_answered", experiment=name, asked=asked, answer=answer)
        question.answer, question.at = answer, monotonic()

    async def _tell(self, name: str, hook: Webhook, payload: Mapping[str, Any]) -> bool:
        """Whether a webhook answered 2xx; what went wrong is an event."""
        body = {**payload, "metadata": {**payload["metadata"], **hook.metadata}}
        problem = ""
        for attempt in range(hook.retries + 1):
            if attempt:
                await asyncio.sleep(_PAUSE_SECONDS * 2 ** (attempt - 1))
            async with self._slots:
                status, problem = await self._post(hook, body)
            if status is not None and status < 500:
                return 200 <= status < 300
        event(
            log,
            "webhook_failed",
            logging.WARNING,
            experiment=name,
            webhook=hook.name,
            type=hook.type,
            detail=problem,
        )
        return False

    async def _post(self, hook: Webhook, body: Mapping[str, Any]) -> tuple[int | None, str]:
        """The status, None without one, and what went wrong."""
        if self._http is None:
            self._http = self._make()
        try:
            async with (
                asyncio.timeout(hook.timeout.total_seconds()),
                self._http.stream("POST", hook.url, json=body) as answer,
            ):
                return answer.status_code, f"status {answer.status_code}"
        except TimeoutError:
            return None, f"no answer within {hook.timeout.total_seconds():g} s"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return None, f"{type(error).__name__}: {error}"


def _client() -> httpx.AsyncClient:
    # Not through a proxy of the environment, and nowhere but where the operator said.
    return httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=None)


def _due(kind: str, question: _Question) -> bool:
    if question.answer is None:
        return True
    if kind in _ASKED_ONCE or (kind in _OPEN_FOR_GOOD and question.answer):
        return False
    return monotonic() - question.at >= AGAIN_SECONDS


def _payload(name: str, plan: Plan) -> dict[str, Any]:
    phase = str(plan.findings.get("phase", ""))
    return {"name": name, "namespace": NAMESPACE, "phase": phase, "metadata": {}}


def _stop(question: _Question) -> None:
    if question.task is not None:
        question.task.cancel()
