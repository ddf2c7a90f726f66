"""Where do the API tokens' digests outlive an empty Redis?

Without them a control plane whose Redis came back empty would take every local caller for an administrator.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from router.store.tokens import TokenRecord

_NAME = "tokens.json"


def save_tokens(data_dir: Path, records: list[TokenRecord]) -> None:
    """Replace the file whole, if it says something else; only its owner may read it."""
    if load_tokens(data_dir) == records:
        return
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = data_dir / f".{_NAME}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(records))
    temporary.replace(data_dir / _NAME)


def load_tokens(data_dir: Path) -> list[TokenRecord]:
    """The records last saved; none where there is no file that can be read."""
    try:
        return msgspec.json.decode((data_dir / _NAME).read_bytes(), type=list[TokenRecord])
    except (OSError, msgspec.MsgspecError):
        return []
