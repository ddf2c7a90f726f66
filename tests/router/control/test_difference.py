"""Does a difference say exactly what is different?"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from router.control.difference import difference
from router.store.versions import Change

documents = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("a/~", max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


def patched(document: Any, change: Change) -> Any:
    """A document after one change."""
    if not change.pointer:
        return change.after
    first, _, rest = change.pointer[1:].partition("/")
    step: Any = first.replace("~1", "/").replace("~0", "~")
    inner = Change(pointer=f"/{rest}" if "/" in change.pointer[1:] else "", before=None, after=change.after)
    if isinstance(document, list):
        place = int(step)
        return [patched(item, inner) if at == place else item for at, item in enumerate(document)]
    if not inner.pointer and change.after is UNSET:
        return {name: item for name, item in document.items() if name != step}
    return document | {step: patched(document.get(step), inner)}


@given(documents, documents)
def test_a_difference_turns_one_document_into_the_other(before: Any, after: Any) -> None:
    changes = difference(before, after)
    assert (changes == ()) == (before == after)
    found = before
    for change in changes:
        found = patched(found, change)
    assert found == after


def test_as_deep_as_mappings_go() -> None:
    before = {"a": {"b": 1, "c": [1, 2]}, "d": 0}
    after = {"a": {"b": 2, "c": [1, 2, 3]}, "e": 0}
    assert difference(before, after) == (
        Change(pointer="/a/b", before=1, after=2),
        Change(pointer="/a/c", before=[1, 2], after=[1, 2, 3]),
        Change(pointer="/d", before=0),
        Change(pointer="/e", after=0),
    )
