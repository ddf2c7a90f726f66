"""How does a command talk to the control plane?

Nothing is sent twice by itself: a lost race or a lost answer is the operator's to judge.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from router.cli.contexts import Target
from router.cli.refusals import ControlPlaneUnavailable, no_answer, refusal
from router.errors import ConfigurationError

API = "/api/v1"
_TIMEOUT = 30.0  # seconds; a report over many epochs is computed when it is asked for

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """A body as it came, and the entity tag of what it shows."""

    target: Target
    body: bytes
    etag: str | None

    def read(self, kind: type[T]) -> T:
        """The body as a type; `ControlPlaneUnavailable` where it is none."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.DecodeError as error:
            raise ControlPlaneUnavailable(
                f"the answer of {self.target.url} cannot be shown: {error}; does it run another version? "
                "--output json prints it as it is"
            ) from None


class Client:
    """Requests to one control port; `TurnoutError` for whatever is not an answer to what was asked."""

    def __init__(self, target: Target, timeout: float = _TIMEOUT) -> None:
        self.target = target
        headers = {} if target.token is None else {"authorization": f"Bearer {target.token}"}
        secure = target.url.lower().startswith("https:")
        try:
            # Not through a proxy of the environment: a control port is nobody's web site.
            self._http = httpx.Client(
                timeout=timeout,
                trust_env=False,
                headers=headers,
                verify=ssl.create_default_context() if secure else False,
            )
        except UnicodeEncodeError:
            raise ConfigurationError(
                "the token has characters that no token has; was it copied whole?"
            ) from None

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, *steps: str, **query: Any) -> Answer:
        """What stands under a path of the API, given by its steps; a query's None is left out."""
        return self._request("GET", steps, query)

    def send(
        self, method: str, *steps: str, body: Any = None, if_match: str | None = None, **query: Any
    ) -> Answer:
        """A change, or a question with a body."""
        headers = {} if if_match is None else {"if-match": if_match}
        content = None
        if body is not None:
            headers["content-type"] = "application/json"
            content = msgspec.json.encode(body)
        return self._request(method, steps, query, headers, content)

    def _request(
        self,
        method: str,
        steps: tuple[str, ...],
        query: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        path = "/".join([API, *(quote(step, safe="") for step in steps)])
        given = {name: value for name, value in query.items() if value not in (None, "")}
        try:
            response = self._http.request(
                method, self.target.url.rstrip("/") + path, params=given, headers=headers, content=content
            )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise ConfigurationError(
                f"the URL is {self.target.url!r}, from {self.target.origin}: {error}; allowed: http://HOST:PORT"
            ) from None
        except httpx.HTTPError as error:
            connected = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            raise no_answer(self.target, error, sent=connected and method != "GET") from None
        json = "json" in response.headers.get("content-type", "")
        if response.is_success and (json or not response.content):
            return Answer(self.target, response.content, response.headers.get("etag"))
        raise refusal(self.target, response)
