"""How does a policy hear from operators and from other services?

A policy that wants to is also `Steered`. It stays pure: whatever it is told comes in with its progress, and
so stands in the record of every plan that follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal, Protocol, get_args, runtime_checkable
from urllib.parse import urlsplit

Word = Literal["confirm", "promote", "abort"]
HookType = Literal[
    "confirm-rollout",
    "pre-rollout",
    "rollout",
    "confirm-traffic-increase",
    "confirm-promotion",
    "post-rollout",
    "rollback",
    "event",
]

SERVICE: Final = "service"
"""Under this name the service adds to a steered policy's progress what it knows, at each plan anew.

``answers``: for each question of the last plan's ``findings["asks"]``, whether it was answered yes; absent
while there is no answer. ``last_request``: by variant, when a request was last seen, in unix seconds.
"""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Another service that is asked, or told: an answer of 2xx within ``timeout`` means yes.

    After ``retries`` more attempts without an answer it counts as no. The types are those of Flagger.
    """

    name: str
    type: HookType
    url: str
    timeout: timedelta = timedelta(seconds=5)
    retries: int = 2
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.type not in get_args(HookType):
            raise ValueError(f"type is {self.type!r}; allowed: {', '.join(get_args(HookType))}")
        try:
            parts = urlsplit(self.url)
            known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # no port, or no address
            known = False
        if not known:
            raise ValueError(f"url is {self.url!r}; allowed: http://HOST/PATH or https://HOST/PATH")
        if not timedelta(0) < self.timeout <= timedelta(minutes=2):
            raise ValueError("timeout is out of range; allowed: above 0, up to 2m")
        if not 0 <= self.retries <= 10:
            raise ValueError(f"retries is {self.retries}; allowed: 0 to 10")


@runtime_checkable
class Steered(Protocol):
    """A policy that operators can tell a `Word`, and that asks webhooks."""

    @property
    def webhooks(self) -> tuple[Webhook, ...]:
        """Who is asked and told."""
        ...

    def told(self, word: Word, progress: Mapping[str, Any], now: float) -> Mapping[str, Any]:
        """The progress after an operator's word; `ValueError` where it means nothing now.

        The policy's ``plan`` is then asked at once with this progress, and without anything observed.
        """
        ...
