"""What is different between two configurations?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from router.problems import Path, pointer_of
from router.settings import Settings
from router.state import Ending, flatten
from router.store.versions import Change


def plain(value: Any) -> Any:
    """A value of the configuration as JSON's own types."""
    return msgspec.json.decode(msgspec.json.encode(value, enc_hook=flatten))


def document(settings: Settings, endings: Mapping[str, Ending]) -> dict[str, Any]:
    """All that an operator decides, as one plain document."""
    whole: dict[str, Any] = plain(settings)
    return whole | {"endings": plain(endings)}


def difference(before: Any, after: Any) -> tuple[Change, ...]:
    """The places that differ, as deep as mappings go, in the order of the documents."""
    return tuple(_walk(before, after, ()))


def _walk(before: Any, after: Any, path: Path) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            here = (*path, name)
            if name not in after:
                yield Change(pointer=pointer_of(here), before=before[name])
            elif name not in before:
                yield Change(pointer=pointer_of(here), after=after[name])
            else:
                yield from _walk(before[name], after[name], here)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _walk(old, new, (*path, index))
    elif before != after:
        yield Change(pointer=pointer_of(path), before=before, after=after)
