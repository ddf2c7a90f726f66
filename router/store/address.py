"""Which Redis does a URL name, and how is it spoken to?

No text of the URL but its scheme and its options' names is ever in an error: a password that was not
percent-encoded can stand anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from router.errors import ConfigurationError

Form = Literal["single", "sentinel", "cluster"]

FORMS: Final = {
    "redis": "redis://[USER:PASSWORD@]HOST[:6379][/DB]",
    "rediss": "rediss://... the same over TLS",
    "unix": "unix:///PATH[?db=DB]",
    "redis+sentinel": "redis+sentinel://[USER:PASSWORD@]HOST[:26379],HOST...[/SERVICE][/DB]",
    "rediss+sentinel": "rediss+sentinel://... the same over TLS",
    "redis+cluster": "redis+cluster://[USER:PASSWORD@]HOST[:6379],HOST...",
    "rediss+cluster": "rediss+cluster://... the same over TLS",
}

_REDIS_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379


@dataclass(frozen=True, slots=True)
class Address:
    """Where Redis is: ``hosts`` are the server's, the Sentinels' or some of the Cluster's nodes'.

    ``path`` is a unix socket's instead. ``options`` are redis-py's own arguments of a connection, with the
    user, the password and the files for TLS; ``sentinel`` those for the Sentinels, where they differ.
    ``wait_replicas`` is how many replicas must have a script's writes before it is answered.
    """

    form: Form
    hosts: tuple[tuple[str, int], ...]
    tls: bool = False
    path: str = ""
    service: str = ""
    wait_replicas: int = 0
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    sentinel: dict[str, Any] = field(default_factory=dict, repr=False)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def _flag(text: str) -> bool:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError
    return int(text)


def _file(text: str) -> str:
    if not Path(text).exists():
        raise ValueError
    return text


def _requirement(text: str) -> str:
    return {"required": "required", "optional": "optional", "none": "none"}[text]


# How each option is read, and what is said where it cannot be.
_PLAIN: Final[dict[str, tuple[Callable[[str], Any], str]]] = {
    "db": (_number, "a database's number"),
    "wait_replicas": (_number, "how many replicas, 0 for none"),
    "username": (str, "a user's name"),
    "password": (str, "a password"),
    "client_name": (str, "a name"),
    "socket_timeout": (_seconds, "seconds above 0"),
    "socket_connect_timeout": (_seconds, "seconds above 0"),
}
_SENTINELS: Final[dict[str, tuple[Callable[[str], Any], str]]] = {
    "sentinel_username": (str, "a user's name"),
    "sentinel_password": (str, "a password"),
}
_TLS: Final[dict[str, tuple[Callable[[str], Any], str]]] = {
    "ssl_ca_certs": (_file, "a file that is there"),
    "ssl_ca_path": (_file, "a directory that is there"),
    "ssl_certfile": (_file, "a file that is there"),
    "ssl_keyfile": (_file, "a file that is there"),
    "ssl_password": (str, "the key file's password"),
    "ssl_cert_reqs": (_requirement, "required, optional or none"),
    "ssl_check_hostname": (_flag, "true or false"),
    "ssl_ciphers": (str, "OpenSSL's names of ciphers"),
}


def parse(url: str) -> Address:
    """The address that a URL names; `ConfigurationError`, with what is allowed, where it names none."""
    try:
        parts = urlsplit(url)
        scheme, netloc = parts.scheme, parts.netloc
    except ValueError:
        raise _refused("the URL cannot be read", *FORMS.values()) from None
    if scheme not in FORMS or "://" not in url:
        near = get_close_matches(scheme, FORMS, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise _refused(f"the URL has no known scheme{hint}", *FORMS.values())
    secure, _, kind = scheme.partition("+")
    form: Form = "sentinel" if kind == "sentinel" else "cluster" if kind == "cluster" else "single"
    shape = FORMS[scheme.replace("rediss", "redis")]
    if parts.fragment:
        raise _refused("the URL has a #; a password's is written %23", shape)

    given = _options(parts.query, form, tls=secure == "rediss")
    sentinel = {name.removeprefix("sentinel_"): given.pop(name) for name in _SENTINELS if name in given}
    replicas = given.pop("wait_replicas", 0)
    credentials, at, places = netloc.rpartition("@")
    if at:
        user, _, password = credentials.partition(":")
        given |= {"username": unquote(user)} if user else {}
        given |= {"password": unquote(password)} if password else {}
    if scheme == "unix":
        if places or not parts.path:
            raise _refused("the URL has no path of a socket, or a host before it", shape)
        return Address("single", (), path=unquote(parts.path), wait_replicas=replicas, options=given)

    if "@" in parts.path:
        raise _refused("the URL has an @ after its host; a password's / is written %2F", shape)
    hosts = _hosts(places, _SENTINEL_PORT if form == "sentinel" else _REDIS_PORT, shape)
    service = ""
    segments = [unquote(segment) for segment in parts.path.split("/") if segment]
    if form == "sentinel":
        if not segments:
            raise _refused("the URL does not name the service that the Sentinels watch", shape)
        service = segments.pop(0)
    if segments and form != "cluster":
        given["db"] = _read("the database in the path", segments.pop(0), *_PLAIN["db"])
    if segments or (form == "cluster" and given.pop("db", 0)):
        raise _refused("the URL's path has more than it may, or a Cluster's URL a database", shape)
    if form == "single" and len(hosts) > 1:
        others = (FORMS["redis+sentinel"], FORMS["redis+cluster"])
        raise _refused("the URL has several hosts, and says not of what", shape, *others)
    return Address(
        form,
        hosts,
        secure == "rediss",
        service=service,
        wait_replicas=replicas,
        options=given,
        sentinel=sentinel,
    )


def _hosts(places: str, usual_port: int, shape: str) -> tuple[tuple[str, int], ...]:
    hosts = []
    for place in places.split(","):
        found = re.fullmatch(r"(?P<host>\[[0-9A-Fa-f:.%a-z]+\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?", place)
        if found is None or not 0 < (port := int(found["port"] or usual_port)) < 65536:
            raise _refused(
                "a host or port in the URL cannot be read (in a password, @ : / ? and # are written %40 %3A "
                "%2F %3F and %23)",
                shape,
            )
        host = unquote(found["host"]).strip("[]")
        if not host and len(places.split(",")) > 1:
            raise _refused("a host in the URL is empty", shape)
        hosts.append((host or "localhost", port))
    return tuple(hosts)


def _options(query: str, form: Form, *, tls: bool) -> dict[str, Any]:
    known = _PLAIN | (_SENTINELS if form == "sentinel" else {}) | (_TLS if tls else {})
    found: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            if name in _TLS:
                raise _refused(f"the option {name} is for TLS", "it with rediss://")
            near = get_close_matches(name, known, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise _refused(f"the URL has an unknown option{hint}", *sorted(known))
        found[name] = _read(f"the option {name}", text, *known[name])
    return found


def _read(what: str, text: str, reader: Callable[[str], Any], allowed: str) -> Any:
    try:
        return reader(text)
    except (ValueError, KeyError, OSError):
        raise _refused(f"{what} cannot be used", allowed) from None


def _refused(why: str, *allowed: str) -> ConfigurationError:
    return ConfigurationError(f"redis: {why}; allowed: {', '.join(allowed)}")
