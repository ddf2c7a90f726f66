"""What have all workers of this node done, those that are gone included?

A worker's file stays when it ends. Whoever reads adds the totals of the gone to one file of their own, so
that no counter goes back; a worker is gone when nobody holds its lock.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, field

from router.events import say
from router.worker_totals import (
    FOLDER,
    Totals,
    WorkerMetrics,
    decode_worker,
    encode,
    merge,
    replace_file,
)

_GONE = "gone.json"
_LOCK = "reading.lock"

log = logging.getLogger("turnout.control")


class Gone(Struct):
    """The sum over workers that are gone, and which of them have a file that is still to be removed."""

    totals: Totals = field(default_factory=Totals)
    workers: list[str] = field(default_factory=list)


_decode_gone = msgspec.json.Decoder(Gone).decode


def read_workers(data_dir: Path) -> tuple[list[WorkerMetrics], Totals]:
    """The living workers, and the totals over all that ever were."""
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The control port and the proxy's own listener may both be scraped, and only one may fold at a time.
    with (folder / _LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _read(folder)


def _read(folder: Path) -> tuple[list[WorkerMetrics], Totals]:
    gone = _read_gone(folder)
    _remove(folder, gone.workers)

    living: list[WorkerMetrics] = []
    ended: list[WorkerMetrics] = []
    for path in sorted(folder.glob("*.json")):
        if path.name == _GONE:
            continue
        # Asked before the file is read: who has ended by now has written for the last time.
        alive = _alive(path.with_suffix(".alive"))
        try:
            found = decode_worker(path.read_bytes())
        except (OSError, msgspec.MsgspecError) as error:
            text = f"the metrics of {path.stem} cannot be read: {error}"
            say(log, "metrics_unreadable", text, logging.WARNING, worker=path.stem, detail=error)
            continue
        (living if alive else ended).append(found)
    totals = merge([gone.totals, *(each.totals for each in ended)])

    if ended:
        names = [each.worker for each in ended]
        replace_file(folder / _GONE, encode(Gone(totals, names)))
        _remove(folder, names)
    return living, merge([totals, *(each.totals for each in living)])


def _read_gone(folder: Path) -> Gone:
    try:
        return _decode_gone((folder / _GONE).read_bytes())
    except FileNotFoundError:
        return Gone()


def _remove(folder: Path, workers: Sequence[str]) -> None:
    """Remove the files of workers whose totals have been added."""
    for worker in workers:
        (folder / f"{worker}.json").unlink(missing_ok=True)
        (folder / f"{worker}.alive").unlink(missing_ok=True)


def _alive(path: Path) -> bool:
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
