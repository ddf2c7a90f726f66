"""What does an operator read when the control plane refuses, and what can be done about it?"""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
from msgspec import Struct

from router.cli.answers import Change
from router.cli.change_lines import change_lines, when
from router.cli.contexts import Target
from router.errors import ConfigurationError, TurnoutError


class ControlPlaneUnavailable(TurnoutError):
    """The control port did not answer, or not as a control port of this version does."""

    status = 502


class Refused(TurnoutError):
    """The control plane would not, or could not, do it."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class LostRace(TurnoutError):
    """Somebody else changed the same thing first; nothing was changed by this command."""

    status = 412


class FieldError(Struct, frozen=True):
    """One thing that is wrong, at a JSON pointer into what was sent."""

    detail: str
    pointer: str | None = None


class Unprocessable(ConfigurationError):
    """What was sent cannot be used."""

    def __init__(self, text: str, errors: tuple[FieldError, ...]) -> None:
        super().__init__(text)
        self.errors = errors


class ChangedBy(Struct, frozen=True):
    """A version that was made meanwhile."""

    version: int
    at: float
    who: str
    why: str
    difference: tuple[Change, ...]


class ProblemDocument(Struct, frozen=True):
    """What the control plane says went wrong (RFC 9457)."""

    detail: str
    errors: tuple[FieldError, ...] = ()
    changed: tuple[ChangedBy, ...] = ()


def refusal(target: Target, response: httpx.Response) -> TurnoutError:
    """The error that an answer becomes: it says what, and what to do."""
    status = response.status_code
    problem = _problem(response)
    if problem is None:
        name = response.reason_phrase or "no JSON"
        text = f"{target.url} answered {status}: {name}; is this the control port of a router?"
        return ConfigurationError(text) if status in (400, 404) else ControlPlaneUnavailable(text)
    if status in (400, 404, 422):
        return Unprocessable(problem.detail, problem.errors)
    if status == 401:
        return Refused(_unauthorized(target, problem.detail), status)
    if status == 403:
        return Refused(_forbidden(problem.detail), status)
    if status == 412:
        return LostRace(_lost(problem))
    if status == 409:
        return Refused(problem.detail, status)
    if status == 503 and "restore" in problem.detail:
        return Refused(f"{problem.detail}\nthe command for that is: turnout restore", status)
    return ControlPlaneUnavailable(f"{target.url} answered {status}: {problem.detail}")


def no_answer(target: Target, error: Exception, *, sent: bool) -> ControlPlaneUnavailable:
    """The error of a port that does not answer; ``sent`` where it may have got a change all the same."""
    doubt = "\nit may have been done before the connection broke; turnout history tells" if sent else ""
    return ControlPlaneUnavailable(
        f"{target.url} does not answer: {error or type(error).__name__}; is 'turnout serve' running there? "
        f"The URL of its control port comes from {target.origin}; allowed: --url, TURNOUT_URL, or a context"
        + doubt
    )


def _problem(response: httpx.Response) -> ProblemDocument | None:
    try:
        return msgspec.json.decode(response.content, type=ProblemDocument)
    except msgspec.DecodeError:
        return _detail_alone(response)


def _detail_alone(response: httpx.Response) -> ProblemDocument | None:
    """Another version's document: its text is what counts."""
    try:
        document: Any = response.json()
        return ProblemDocument(detail=str(document["detail"]))
    except (ValueError, KeyError, TypeError):
        return None


def _unauthorized(target: Target, detail: str) -> str:
    had = "no token was sent" if target.token is None else f"the token is that of {_holder(target)}"
    return (
        f"{target.url}: {detail.partition(';')[0]} ({had})\n"
        "put one into TURNOUT_TOKEN or into the context (turnout context list shows them)\n"
        "an admin makes one: turnout token create --name NAME --role operator\n"
        "on the router's machine, without any: turnout token create --name NAME --role admin --data-dir DIR "
        "(or --redis URL)"
    )


def _holder(target: Target) -> str:
    return target.origin if target.origin.startswith("context") else "TURNOUT_TOKEN"


def _forbidden(detail: str) -> str:
    if "; allowed: " not in detail or " has the role " not in detail:
        return detail
    roles = detail.rpartition("; allowed: ")[2]
    role = roles.split(" or ")[0]
    return f"{detail}\nan admin makes a token that may: turnout token create --name NAME --role {role}"


def _lost(problem: ProblemDocument) -> str:
    lines = ["somebody else changed this first, so nothing was changed by you"]
    for changed in problem.changed:
        why = f" ({changed.why})" if changed.why else ""
        lines.append(f"version {changed.version} by {changed.who}, {when(changed.at)}{why}:")
        lines += [f"  {line.sign} {line.text}" for line in change_lines(changed.difference)]
    if not problem.changed:
        lines.append(problem.detail)
    lines.append("look at it as it is now, then decide again")
    return "\n".join(lines)
