"""What does a worker route by? Built once from a state; a request only reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import is_

from router.data.admission import Admission
from router.data.mirroring import Mirror
from router.data.pool import Pool
from router.data.recorder import Recorder
from router.data.tallies import Tally
from router.data.trial import Trial, TrialBuilder, Trials, captured_headers
from router.data.wire import REQUEST_KINDS
from router.settings import Limits
from router.state import State

_REMEMBERED_PATHS = 4096
OWN_ROUTES = b"/_turnout"
# The service's own, too, unless a route claims it or what is below it; one for every path does not.
REMOTE_EVALUATION = b"/ofrep"


@dataclass(frozen=True, slots=True)
class Entry:
    """A route: its pool when no experiment runs, the experiment that splits it, and what may be repeated.

    ``trial`` is of a route with one experiment in which everybody takes part; where there is more to ask,
    ``admission`` is whom to ask instead. The service's own routes are one, too: ``local``, and without a
    pool. ``tally`` counts the requests that no experiment splits. ``mirror`` copies to the route's shadows.
    """

    pool: Pool | None
    tally: Tally
    trial: Trial | None = None
    admission: Admission | None = None
    repeatable: bool = False
    local: bool = False
    mirror: Mirror | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a request reads, of one version; replaced whole, never edited."""

    state: State
    limits: Limits
    kinds: dict[bytes, int]
    prefixes: Mapping[bytes, Entry]
    # The headers of which requests keep the value, by number; all trials, by experiment and route.
    captured: Mapping[bytes, int]
    trials: Trials
    # What counts requests that no route serves, or that cannot be read.
    unrouted: Entry
    # What arrives in one piece and within these cannot break a limit, which then need not be looked at.
    plain_bytes: int
    plain_head: int
    plain_digits: int
    remembered: dict[bytes, Entry | None] = field(default_factory=dict)
    longest: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "longest", max(map(len, self.prefixes), default=0))

    def trial(self, experiment: str) -> Trial | None:
        """A running experiment, for those who ask without a request."""
        return self.trials.get((experiment, ""))

    def entry(self, path: bytes) -> Entry | None:
        """The route with the longest prefix of ``path`` that ends at its end, at ``/`` or at ``:``."""
        try:
            return self.remembered[path]
        except KeyError:
            found = self._search(path)
            if len(self.remembered) < _REMEMBERED_PATHS and len(path) <= 256:
                self.remembered[path] = found
            return found

    def _search(self, path: bytes) -> Entry | None:
        end = len(path)
        if end > self.longest:
            # What is longer than all prefixes is none of them: a path of slashes alone costs no more.
            end = _boundary(path, self.longest + 1)
        while end > 0:
            entry = self.prefixes.get(path[:end])
            if entry is not None:
                return entry
            end = _boundary(path, end)
        return self.prefixes.get(b"")


def _boundary(path: bytes, end: int) -> int:
    """Where the last ``/`` or ``:`` before ``end`` stands; -1 where there is none."""
    return max(path.rfind(b"/", 0, end), path.rfind(b":", 0, end))


def build(
    state: State,
    pools: Mapping[str, Pool],
    recorder: Recorder,
    before: Snapshot | None = None,
    mirrors: Mapping[str, Mirror] | None = None,
) -> Snapshot:
    """Build the snapshot of a state; ``pools`` has one pool for every backend. May fail; changes nothing.

    What has not changed since the snapshot ``before`` is taken from there. ``mirrors`` are the shadows of
    those routes, by path, that have any.
    """
    settings = state.settings
    captured = captured_headers(state, {} if before is None else before.captured)
    kinds = {**REQUEST_KINDS, **captured}
    known, built = (None, {}) if before is None else (before.state, before.trials)
    trials = TrialBuilder(state, pools, recorder, kinds, known, built)

    running = {name for name in settings.experiments if state.assigns(name)}
    prefixes = {}
    for route in settings.routes:
        names = [name for name in route.experiments if name in running]
        found = [trials.trial(name, route.path) for name in names]
        alone = len(found) == 1 and found[0].audience.everybody
        path = route.path.rstrip("/").encode()
        admission = None
        if found and not alone:
            old = None if before is None or path not in before.prefixes else before.prefixes[path].admission
            if old is not None and len(old.trials) == len(found) and all(map(is_, old.trials, found)):
                admission = old
            else:
                admission = Admission(found, [settings.experiments[name].unit for name in names])
        prefixes[path] = Entry(
            pool=pools[route.backend],
            tally=recorder.tally(route.path, backend=route.backend),
            trial=found[0] if alone else None,
            admission=admission,
            repeatable=route.repeatable,
            mirror=None if mirrors is None else mirrors.get(route.path),
        )
    for name in running:
        trials.trial(name, "")
    own = [OWN_ROUTES]
    if not any(path == REMOTE_EVALUATION or path.startswith(REMOTE_EVALUATION + b"/") for path in prefixes):
        own.append(REMOTE_EVALUATION)
    for path in own:
        prefixes[path] = Entry(pool=None, tally=recorder.tally(path.decode()), local=True)
    limits = settings.limits
    return Snapshot(
        state=state,
        limits=limits,
        kinds=kinds,
        prefixes=prefixes,
        unrouted=Entry(pool=None, tally=recorder.tally("")),
        captured=captured,
        trials=trials.built,
        plain_bytes=min(limits.header_bytes, limits.url_bytes),
        plain_head=4 * limits.headers,
        plain_digits=len(str(limits.body_bytes)),
    )
