"""How does the last snapshot become the state again, when Redis came back empty?

The evidence that Redis held is gone, and what workers sent to the empty Redis since is no whole epoch's. So
every experiment goes on in a new epoch, and the old ones are in no analysis: the evidence starts anew, clean.
"""

from __future__ import annotations

import logging
from pathlib import Path

from msgspec.structs import replace
from redis.asyncio import Redis

from router.control.changes import Author, entry_of, record_of
from router.control.events import event
from router.control.token_file import load_tokens
from router.errors import TurnoutError
from router.last_state import load
from router.state import State
from router.store import states
from router.store.tokens import restore_tokens

log = logging.getLogger("turnout.control")


class NothingToRestore(TurnoutError):
    """There is a state, or there is no snapshot."""

    status = 409


async def restore(redis: Redis, data_dir: Path, author: Author, now: float) -> State:
    """Commit the last snapshot, one version on, and put the API tokens back; `NothingToRestore` else."""
    version = await states.version(redis)
    if version:
        raise NothingToRestore(f"Redis has a state, version {version}; to undo a change, roll back instead")
    last = load(data_dir)
    if last is None:
        raise NothingToRestore(f"{data_dir} holds no snapshot that can be read")

    following = restored(last, now)
    record = record_of(last, following, author, now)
    entry = entry_of(author, now, status=200, version=following.version)
    if not await states.restore(redis, following, record, entry):
        raise NothingToRestore("another call restored the state at the same time")
    await restore_tokens(redis, load_tokens(data_dir))
    event(log, "restored", version=following.version, snapshot=last.version, who=author.who)
    return following


def restored(last: State, now: float) -> State:
    """The state after the last one, each experiment in a new epoch."""
    why = f"Redis came back empty; restored from the snapshot of version {last.version}"
    epochs = {
        name: replace(epoch, number=epoch.number + 1, started=now, why=why)
        for name, epoch in last.epochs.items()
    }
    return replace(last, version=last.version + 1, epochs=epochs)
