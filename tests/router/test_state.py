"""Is a state the same after it was written and read?"""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.settings import Backend, Duration, Limits, Route, Settings, Size
from router.state import Epoch, State, decode_state, encode_state

seconds = st.floats(1e-6, 1e9).map(Duration)
names = st.text("abcXYZ019_-", min_size=1, max_size=24)
epochs = st.builds(
    Epoch,
    number=st.integers(1, 2**32 - 1),
    started=st.floats(0, 4e9),
    salt=st.text(max_size=64),
    weights=st.dictionaries(names, st.floats(0, 1e9), max_size=4),
    why=st.text(max_size=64),
)
states = st.builds(
    State,
    version=st.integers(1, 2**53),
    settings=st.builds(
        Settings,
        backends=st.dictionaries(
            names,
            st.builds(Backend, url=st.just("http://a:1"), timeout=st.none() | seconds, set_aside=seconds),
        ),
        routes=st.tuples(st.builds(Route, path=st.just("/"), backend=names)),
        limits=st.builds(Limits, header_bytes=st.integers(1, 2**40).map(Size), idle_timeout=seconds),
    ),
    epochs=st.dictionaries(names, epochs, max_size=3),
    key=st.binary(min_size=16, max_size=32),
)


@given(states)
def test_what_is_written_is_read(state: State) -> None:
    read = decode_state(encode_state(state))
    assert read == state
    # Equal numbers are not enough: the configuration's own types come back.
    assert type(read.settings.limits.header_bytes) is Size
    assert type(read.settings.limits.idle_timeout) is Duration


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b"null", b'{"version":1}', b"\xff", b"[" * 100_000])
def test_what_is_no_state_is_told_apart(document: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, RecursionError, UnicodeDecodeError)):
        decode_state(document)
