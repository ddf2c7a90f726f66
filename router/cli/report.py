"""``turnout report``: how does a report get from the control plane to a reader?"""

from __future__ import annotations

import json
import os
from urllib.parse import quote

import httpx
import msgspec
from rich.console import Console

from router.cli.report_tables import print_report
from router.cli.report_view import Report
from router.errors import ConfigurationError, TurnoutError

_TIMEOUT = 30.0  # seconds; a report over many epochs is computed when it is asked for
_WIDTH = 140  # columns, where no terminal says how many there are


class ControlPlaneUnavailable(TurnoutError):
    """The control port did not answer, or not as a control port of this version does."""

    status = 502


def run(url: str, name: str, *, as_json: bool) -> None:
    """Print a report; `ConfigurationError` for a wrong URL or name, `ControlPlaneUnavailable` otherwise."""
    body = fetch(url, name)
    if as_json:
        print(json.dumps(json.loads(body), indent=2, ensure_ascii=False))
        return
    try:
        report = msgspec.json.decode(body, type=Report)
    except msgspec.DecodeError as error:
        raise ControlPlaneUnavailable(
            f"the report of {url} cannot be shown: {error}; does it run another version? "
            "--output json prints it as it is"
        ) from None
    narrow = Console().is_terminal or "COLUMNS" in os.environ
    print_report(Console(highlight=False, width=None if narrow else _WIDTH), report)


def fetch(url: str, name: str) -> bytes:
    """The report's JSON as the control plane gives it."""
    address = f"{url.rstrip('/')}/api/v1/experiments/{quote(name, safe='')}/report"
    try:
        # Not through a proxy of the environment: a control port is nobody's web site.
        response = httpx.get(address, timeout=_TIMEOUT, trust_env=False)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise ConfigurationError(f"--url is {url!r}: {error}; allowed: http://HOST:PORT") from None
    except httpx.HTTPError as error:
        raise ControlPlaneUnavailable(
            f"{url} does not answer: {error or type(error).__name__}; is 'turnout serve' running there? "
            "--url names its control port"
        ) from None
    if response.status_code == 200 and "json" in response.headers.get("content-type", ""):
        return response.content
    detail = _detail(response)
    if response.status_code in (400, 404, 422):
        raise ConfigurationError(detail)
    raise ControlPlaneUnavailable(f"{url} answered {response.status_code}: {detail}")


def _detail(response: httpx.Response) -> str:
    """What a problem document says, or the status' own name."""
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{response.reason_phrase or 'no JSON'}; is this the control port of a router?"
