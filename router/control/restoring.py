"""How does the last snapshot become the state again, when Redis came back empty or older?

The evidence that Redis held is gone, and what workers sent to the empty Redis since is no whole epoch's. So
every experiment goes on in a new epoch, and the old ones are in no analysis: the evidence starts anew, clean.
A Redis that came back older has the evidence of that time: that stays in the analysis, and what came between
is lost for all variants alike.
"""

from __future__ import annotations

import logging
from pathlib import Path

from msgspec.structs import replace
from redis.asyncio import Redis

from router.control.changes import Author, entry_of, record_of
from router.control.token_file import load_tokens
from router.errors import TurnoutError
from router.events import event
from router.last_state import load
from router.state import State
from router.store import states
from router.store.tokens import restore_tokens
from router.store.workers import newest_reported

log = logging.getLogger("turnout.control")


class NothingToRestore(TurnoutError):
    """There is a state, or there is no snapshot."""

    status = 409


async def restore(redis: Redis, data_dir: Path, author: Author, now: float) -> State:
    """Put the API tokens back and commit the last snapshot, one version on; `NothingToRestore` else."""
    newest = max(await states.newest(redis), await newest_reported(redis))
    found = await states.read(redis)
    if found is not None and newest <= found.version:
        raise NothingToRestore(
            f"Redis has a state, version {found.version}; to undo a change, roll back instead"
        )
    last = max((load(data_dir), found), key=lambda state: 0 if state is None else state.version)
    if last is None:
        raise NothingToRestore(f"{data_dir} holds no snapshot that can be read")

    following = restored(last, newest, now)
    record = record_of(last, following, author, now)
    entry = entry_of(author, now, status=200, version=following.version)
    over = 0 if found is None else found.version
    # Before there is a state: once there is one, nothing is restored again, and the tokens on the disk are
    # replaced by those in Redis.
    await restore_tokens(redis, load_tokens(data_dir))
    if not await states.restore(redis, following, record, entry, over):
        raise NothingToRestore("another call restored the state at the same time")
    event(log, "restored", version=following.version, snapshot=last.version, who=author.who)
    return following


def restored(last: State, newest: int, now: float) -> State:
    """The state after the last one and the ``newest`` known, each experiment in an epoch never given."""
    lost = max(newest - last.version, 0)
    why = f"Redis lost the state; restored from the snapshot of version {last.version}"
    # A version opens at most one epoch of each experiment, so those that are lost had no higher numbers.
    epochs = {
        name: replace(epoch, number=epoch.number + lost + 1, started=max(now, epoch.started), why=why)
        for name, epoch in last.epochs.items()
    }
    return replace(last, version=last.version + lost + 1, epochs=epochs)
