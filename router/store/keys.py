"""Under which key is each thing kept?

What one script, transaction or MGET touches shares a hash tag, so that in a Cluster it is on one node. There
are two kinds: ``{turnout}`` is the service's own (a commit touches the state, versions, audit log and epochs
together), and ``{experiment}`` is one experiment's sums, which spread over the nodes. Names are checked where
they are configured; none holds a colon or a brace.
"""

from __future__ import annotations

from typing import Final

from router.store.layout import outcome_name

STATE: Final = "{turnout}:state"
NOTICE: Final = "{turnout}:notice"
SIGNING_KEY: Final = "{turnout}:key"
# Hash: version -> its record as JSON; and the versions of each origin, the newest first.
VERSIONS: Final = "{turnout}:versions"
# Hash: version that changed the configuration -> the whole of it, as compressed JSON.
VERSIONS_SETTINGS: Final = "{turnout}:versions:settings"
VERSIONS_BY_HAND: Final = "{turnout}:versions:by-hand"
VERSIONS_AUTOMATIC: Final = "{turnout}:versions:automatic"
# Streams. What strangers try has one of its own, so that no flood of it pushes out what operators did.
AUDIT: Final = "{turnout}:audit"
AUDIT_STRANGERS: Final = "{turnout}:audit:strangers"
# Hash: name -> the token's record as JSON, with the digest of its secret.
TOKENS: Final = "{turnout}:tokens"
# Sorted set: worker -> unix seconds of its last report.
WORKERS: Final = "{turnout}:workers"
# Text that expires: who leads, after the fencing number; and the last fencing number that was given.
LEASE: Final = "{turnout}:lease"
FENCE: Final = "{turnout}:fence"
# Text: the newest version that is known to have been in force.
NEWEST: Final = "{turnout}:newest"


def worker(name: str) -> str:
    """Text that expires: a worker's last report as JSON."""
    return f"{{turnout}}:worker:{name}"


def epochs(experiment: str) -> str:
    """Hash: epoch number -> the epoch as JSON."""
    return f"{{turnout}}:epochs:{experiment}"


def writer(experiment: str, name: str) -> str:
    """Text: the number of the last batch of one writer that was counted."""
    return f"turnout:{{{experiment}}}:writer:{name}"


def sums(experiment: str, epoch: int, variant: str, what: str) -> str:
    """What one epoch and variant has summed up; `router.store.layout` names what there is."""
    return f"turnout:{{{experiment}}}:{epoch}:{variant}:{what}"


def folded(experiment: str, epoch: int, variant: str) -> str:
    """What an ended epoch's sums of one variant came to when they were folded: see `router.store.folded`."""
    return sums(experiment, epoch, variant, "folded")


def shadow_writer(shadow: str, generation: str, name: str) -> str:
    """Text that expires: the number of the last batch of one writer that was counted."""
    return f"turnout:{{shadow.{shadow}}}:{generation}:writer:{name}"


def shadow_sums(shadow: str, generation: str, what: str) -> str:
    """What one generation of a shadow has summed up; `router.store.shadows` names what there is."""
    return f"turnout:{{shadow.{shadow}}}:{generation}:{what}"


def outcomes(experiment: str, epoch: int, variant: str, metric: str, kind: str, what: str) -> str:
    """A metric's ``count`` or ``sum``, or of one with a cap the plain number of values that were ``capped``.

    The kind is in the key, so that sums of two kinds never mix.
    """
    return sums(experiment, epoch, variant, outcome_name(metric, kind, what))


def decisions(experiment: str) -> str:
    """List: the newest decisions that were logged with their features, a line each."""
    return f"turnout:{{{experiment}}}:decisions"


def rewards(experiment: str) -> str:
    """List: the newest rewards of decisions that were logged, a line each."""
    return f"turnout:{{{experiment}}}:rewards"


def dedupe(experiment: str, identity: bytes) -> bytes:
    """Present while an outcome of this identity (16 bytes) could come again."""
    return b"turnout:{%s}:seen:%s" % (experiment.encode(), identity)


def plans(experiment: str) -> str:
    """Hash: epoch number and start -> the record of the plan that opened it, compressed."""
    return f"turnout:{{{experiment}}}:plans"


def policy(experiment: str) -> str:
    """Text: what an experiment's policy said last, as JSON; not versioned."""
    return f"turnout:{{{experiment}}}:policy"
