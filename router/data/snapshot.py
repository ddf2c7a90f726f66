"""What does a worker route by? Built once from a state; a request only reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from policies.assignment import bucket_prefix
from policies.plan import Plan
from router.data.context import Context, read_headers, reads_body
from router.data.decision_log import DecisionLog
from router.data.pool import Pool
from router.data.recorder import Accumulator, Recorder, Tally
from router.data.unit import Extractor, capture, captures, extractor, needs_body
from router.data.wire import REQUEST_KINDS
from router.settings import Limits
from router.state import State
from router.token import Signer

_REMEMBERED_PATHS = 4096
OWN_ROUTES = b"/_turnout"
# The service's own, too, unless a route claims it or what is below it; one for every path does not.
REMOTE_EVALUATION = b"/ofrep"


@dataclass(frozen=True, slots=True)
class Slot:
    """One variant of a running experiment: where its requests go, and how they are signed and recorded."""

    variant: str
    pool: Pool
    signer: Signer
    accumulator: Accumulator
    forced: Tally
    headers: bytes
    log: DecisionLog | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """A running experiment, as a request needs it.

    ``plain``: the unit alone decides. ``context`` does where a request's own features do.
    """

    name: str
    plan: Plan
    bucket_prefix: bytes
    slots: Mapping[str, Slot]
    unit_of: Extractor
    needs_body: bool
    cookie: Callable[[bytes], bytes] | None
    plain: bool = True
    context: Context | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A route: its pool when no experiment runs, the experiment that splits it, and what may be repeated.

    The service's own routes are one, too: ``local``, and without a pool. ``tally`` counts the requests that
    no experiment splits.
    """

    pool: Pool | None
    tally: Tally
    trial: Trial | None = None
    repeatable: bool = False
    local: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a request reads, of one version; replaced whole, never edited."""

    state: State
    limits: Limits
    kinds: dict[bytes, int]
    prefixes: Mapping[bytes, Entry]
    trials: Mapping[str, Trial]
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


def build(state: State, pools: Mapping[str, Pool], recorder: Recorder) -> Snapshot:
    """Build the snapshot of a state; ``pools`` has one pool for every backend. May fail; changes nothing."""
    settings = state.settings
    kinds = dict(REQUEST_KINDS)
    for name, experiment in settings.experiments.items():
        captures(experiment.unit, kinds)
        if state.assigns(name) and (rule := state.epochs[name].rule) is not None:
            for header in read_headers(rule):
                capture(header, kinds)

    running = [name for name in settings.experiments if state.assigns(name)]
    prefixes = {
        route.path.rstrip("/").encode(): Entry(
            pool=pools[route.backend],
            tally=recorder.tally(route.path, backend=route.backend),
            trial=next(
                (
                    _trial(state, name, route.path, pools, recorder, kinds)
                    for name in route.experiments
                    if name in running
                ),
                None,
            ),
            repeatable=route.repeatable,
        )
        for route in settings.routes
    }
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
        trials={name: _trial(state, name, "", pools, recorder, kinds) for name in running},
        plain_bytes=min(limits.header_bytes, limits.url_bytes),
        plain_head=4 * limits.headers,
        plain_digits=len(str(limits.body_bytes)),
    )


def _trial(
    state: State,
    name: str,
    route: str,
    pools: Mapping[str, Pool],
    recorder: Recorder,
    kinds: dict[bytes, int],
) -> Trial:
    """A running experiment on one of its routes."""
    experiment, epoch = state.settings.experiments[name], state.epochs[name]
    plan = epoch.plan
    served = {variant: experiment.variants[epoch.copies.get(variant, variant)] for variant in epoch.weights}
    reason = plan.arms[0].decision.reason
    cookie = experiment.cookie
    json_prefix = state.settings.limits.json_prefix
    decisions = context = None
    if plan.rule is not None:
        decisions = recorder.decision_log(name, plan.rule["keep"])
        context = Context(plan, kinds, json_prefix, decisions)
    return Trial(
        name=name,
        plan=plan,
        bucket_prefix=bucket_prefix(epoch.salt),
        slots={
            variant: Slot(
                variant=variant,
                pool=pools[spec.backend],
                signer=Signer(state.key, name, epoch.number, variant),
                accumulator=recorder.accumulator(name, epoch.number, variant, route, spec.backend, reason),
                forced=recorder.tally(route, name, variant, spec.backend, "forced"),
                headers=f"x-turnout-variant: {variant}\r\n".encode() if experiment.expose_variant else b"",
                log=decisions,
            )
            for variant, spec in served.items()
        },
        unit_of=extractor(experiment.unit, kinds, json_prefix),
        needs_body=needs_body(experiment.unit) or (plan.rule is not None and reads_body(plan.rule)),
        cookie=None if cookie is None else _cookie_line(cookie.name, int(cookie.max_age), cookie.secure),
        plain=context is None and plan.draw == "unit",
        context=context,
    )


def _cookie_line(name: str, max_age: int, secure: bool) -> Callable[[bytes], bytes]:
    before = f"set-cookie: {name}=".encode()
    after = f"; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}\r\n".encode()
    return lambda unit: before + unit + after
