"""Where is the last state kept, so that a worker can start while Redis is away?"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from router.state import State, decode_state, encode_state

_NAME = "state.json"


def save(data_dir: Path, state: State) -> None:
    """Replace the file whole; only its owner may read it, because it holds the key that signs tokens."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = data_dir / f".{_NAME}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(encode_state(state))
    temporary.replace(data_dir / _NAME)


def load(data_dir: Path) -> State | None:
    """The state last saved, or None if there is none that can be read."""
    try:
        return decode_state((data_dir / _NAME).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None
