"""What may be kept of a pair that differs, for somebody to look at?

Nothing that the operator wants hidden, and not more than fits on a page.
"""

from __future__ import annotations

import json
from typing import Any, Final

from policies.shadow.compare import UNREADABLE, Answer, Rules, document, finding_where
from policies.shadow.json_difference import MISSING, Steps, finished
from policies.shadow.pointers import Paths, tokens

PLACES: Final = 10
LONGEST_VALUE: Final = 200
LONGEST_BODY: Final = 2048
REDACTED: Final = "[redacted]"


def example(client: Answer, other: Answer, rules: Rules, redacted: Paths) -> dict[str, Any]:
    """Both answers and where they differ, redacted and cut, as JSON's types.

    A body that is not JSON cannot be redacted: where something is to be, its length is all that is shown.
    """
    return finished(making_example(client, other, rules, redacted))


def making_example(client: Answer, other: Answer, rules: Rules, redacted: Paths) -> Steps[dict[str, Any]]:
    """`example` in steps."""
    found = yield from finding_where(client, other, rules, PLACES)
    places = [
        {
            "pointer": _cut(place.pointer, LONGEST_VALUE),
            "client": _value(place.left, place.pointer, redacted),
            "other": _value(place.right, place.pointer, redacted),
        }
        for place in found
    ]
    yield
    shown = _answer(client, redacted)
    yield
    return {
        "client": shown,
        "other": _answer(other, redacted),
        "differences": places,
    }


def _answer(answer: Answer, redacted: Paths) -> dict[str, Any]:
    return {
        "status": answer.status,
        "seconds": answer.seconds,
        "bytes": len(answer.body),
        "body": _body(answer.body, redacted),
    }


def _body(body: bytes, redacted: Paths) -> str | None:
    found = document(body)
    if found is UNREADABLE:
        return None if redacted.members else _cut(body.decode("utf-8", "replace"), LONGEST_BODY)
    return _cut(_text(_hidden(found, (redacted,))), LONGEST_BODY)


def _value(value: Any, pointer: str, redacted: Paths) -> str | None:
    if value is MISSING:
        return None
    rules: tuple[Paths, ...] = (redacted,)
    for token in tokens(pointer):
        rules = tuple(each for rule in rules for each in rule.below(token))
        if any(rule.whole for rule in rules):
            return REDACTED
    return _cut(_text(_hidden(value, rules)), LONGEST_VALUE)


def _hidden(value: Any, rules: tuple[Paths, ...]) -> Any:
    """The value without what the rules name: as deep as they go."""
    if any(rule.whole for rule in rules):
        return REDACTED
    if not rules:
        return value
    if isinstance(value, dict):
        return {name: _hidden(each, _below(rules, name)) for name, each in value.items()}
    if isinstance(value, list):
        return [_hidden(each, _below(rules, str(index))) for index, each in enumerate(value)]
    return value


def _below(rules: tuple[Paths, ...], token: str) -> tuple[Paths, ...]:
    return tuple(each for rule in rules for each in rule.below(token))


def _text(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "[nested too deeply to be shown]"


def _cut(text: str, longest: int) -> str:
    shown = text if len(text) <= longest else text[:longest] + f"... ({len(text)} characters)"
    return shown.encode("utf-8", "replace").decode()  # JSON can spell halves of characters, UTF-8 cannot
