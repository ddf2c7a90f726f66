"""Under which key is each thing kept?

Everything of one experiment shares the hash tag ``{experiment}``, so that one script may touch all of it.
Names are checked where they are configured; none holds a colon or a brace.
"""

from __future__ import annotations

from typing import Final

STATE: Final = "turnout:state"
NOTICE: Final = "turnout:notice"
SIGNING_KEY: Final = "turnout:key"


def epochs(experiment: str) -> str:
    """Hash: epoch number -> the epoch as JSON."""
    return f"turnout:{{{experiment}}}:epochs"


def writer(experiment: str, name: str) -> str:
    """Text: the number of the last batch of one writer that was counted."""
    return f"turnout:{{{experiment}}}:writer:{name}"


def sums(experiment: str, epoch: int, variant: str, what: str) -> str:
    """What one epoch and variant has summed up; `router.store.layout` names what there is."""
    return f"turnout:{{{experiment}}}:{epoch}:{variant}:{what}"


def outcomes(experiment: str, epoch: int, variant: str, metric: str, kind: str, what: str) -> str:
    """A metric's ``count`` or ``sum``. The kind is in the key, so that sums of two kinds never mix."""
    return f"turnout:{{{experiment}}}:{epoch}:{variant}:{kind}:{metric}:{what}"


def dedupe(experiment: str, identity: bytes) -> bytes:
    """Present while an outcome of this identity (16 bytes) could come again."""
    return b"turnout:{%s}:seen:%s" % (experiment.encode(), identity)
