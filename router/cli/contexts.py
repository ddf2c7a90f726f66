"""Which control port does a command talk to, and as whom?

A URL that is given (``--url``, ``TURNOUT_URL``) goes with the token in ``TURNOUT_TOKEN``. A context
(``--context``, ``TURNOUT_CONTEXT``, else the file's ``current``) has its own URL and token, so that a token
is never sent to a router that it was not meant for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from re import MULTILINE, sub

from msgspec import Struct

from router import yaml_document
from router.errors import ConfigurationError
from router.problems import ABSENT, InvalidConfiguration, Problem, unknown
from router.typed_reader import TypedReader

DEFAULT_URL = "http://127.0.0.1:8081"


class Context(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A router's control port, and the token that opens it."""

    url: str
    token: str | None = None


class Contexts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contexts file; ``current`` is the one that is used where nothing else is said."""

    contexts: dict[str, Context]
    current: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where a command's requests go; ``origin`` says to a reader who decided that."""

    url: str
    token: str | None
    origin: str


def target_of(url: str | None, context: str | None, environment: Mapping[str, str] = os.environ) -> Target:
    """The target; what stands on the command line wins over the environment, that over the contexts file.

    `ConfigurationError` where two are named in the same place, or a context that there is not.
    """
    url, context = _decide(url, context, environment)
    token = environment.get("TURNOUT_TOKEN") or None
    if url is not None:
        origin = "TURNOUT_URL" if url == environment.get("TURNOUT_URL") else "--url"
        return Target(url, token, origin)
    file = contexts_file(environment)
    if context is None and not file.exists():
        return Target(DEFAULT_URL, token, "the default")
    known = load_contexts(file)
    name = context if context is not None else known.current
    if name is None:
        return Target(DEFAULT_URL, token, "the default")
    if name not in known.contexts:
        raise InvalidConfiguration([unknown((), name, "context", known.contexts)], str(file))
    found = known.contexts[name]
    return Target(found.url, found.token, f"context {name}")


def contexts_file(environment: Mapping[str, str] = os.environ) -> Path:
    """``TURNOUT_CONTEXTS``, else ``contexts.yaml`` in the user's directory for configuration."""
    named = environment.get("TURNOUT_CONTEXTS")
    if named:
        return Path(named)
    base = environment.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "turnout" / "contexts.yaml"


def load_contexts(file: Path) -> Contexts:
    """The contexts in a file; `InvalidConfiguration` names every mistake with its line."""
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        wrong = f"cannot be read: {error.strerror}"
        allowed = "a file with 'contexts: {NAME: {url: http://HOST:PORT, token: TOKEN}}'"
        raise InvalidConfiguration([Problem((), ABSENT, wrong, allowed)], str(file)) from None
    except UnicodeDecodeError:
        raise InvalidConfiguration([Problem((), ABSENT, "is not text", "UTF-8")], str(file)) from None
    document = yaml_document.read(text)
    reader = TypedReader()
    known = reader.read(Contexts, document.data, ()) if not document.problems else None
    if not document.problems and not reader.problems and isinstance(known, Contexts):
        return known
    problems = document.problems or [
        replace(problem, line=document.line(problem.path), value=_without_secret(problem))
        for problem in reader.problems
    ]
    raise InvalidConfiguration(problems, str(file))


def use_context(file: Path, name: str) -> Context:
    """Make a context the current one: one line of the file changes, its comments stay."""
    known = load_contexts(file)
    if name not in known.contexts:
        raise InvalidConfiguration([unknown((), name, "context", known.contexts)], str(file))
    text = file.read_text("utf-8-sig")
    line = f"current: {json.dumps(name, ensure_ascii=False)}"
    changed = sub(r"^current:.*$", lambda _: line, text, count=1, flags=MULTILINE)
    if known.current is None and changed == text:
        changed = f"{line}\n{text}"
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.touch(mode=0o600)
    temporary.write_text(changed, "utf-8")
    try:
        if load_contexts(temporary).current != name:
            raise ConfigurationError(f"{file}: 'current' is not on a line of its own; write it there by hand")
        temporary.chmod(file.stat().st_mode & 0o777)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    return known.contexts[name]


def _decide(
    url: str | None, context: str | None, environment: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """At most one of the two."""
    if not url or not context:
        return url or None, context or None
    url_is_ambient = url == environment.get("TURNOUT_URL")
    context_is_ambient = context == environment.get("TURNOUT_CONTEXT")
    if url_is_ambient and not context_is_ambient:
        return None, context
    if context_is_ambient and not url_is_ambient:
        return url, None
    raise ConfigurationError(
        f"the URL {url} and the context {context!r} are both given; allowed: one of them "
        "(--url or --context on the command line wins over TURNOUT_URL and TURNOUT_CONTEXT)"
    )


def _without_secret(problem: Problem) -> object:
    return ABSENT if "token" in problem.path else problem.value
