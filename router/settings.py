"""What may an operator configure?

The types of the configuration file, with their defaults. Reading a file into them, and saying where it is
wrong, is `router.config_file`'s.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field


class Duration(float):
    """Seconds; written as a number of seconds or as text: ``250ms``, ``2s``, ``5m``, ``1h``, ``7d``."""


class Size(int):
    """Bytes; written as a number of bytes or as text such as ``64KiB``, ``10MB``, ``1GiB``."""


class Backend(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model server: one address or several that serve the same model.

    ``timeout`` bounds the whole answer and is off by default, because an answer may be an endless stream.
    """

    url: str | tuple[str, ...]
    timeout: Duration | None = None
    connect_timeout: Duration = Duration(1)
    first_byte_timeout: Duration = Duration(30)
    max_connections: int = 256
    max_waiting: int = 1024
    wait_timeout: Duration = Duration(1)
    idle_timeout: Duration = Duration(55)
    set_aside: Duration = Duration(10)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses, one or several."""
        return (self.url,) if isinstance(self.url, str) else self.url


class Route(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A path prefix, who serves it, and the experiments that split it while they run.

    Of several experiments the first one counts that the request's unit takes part in; a request of no
    experiment goes to ``backend``. ``repeatable``: the backend may get a request of this route twice.
    ``shadows``: who gets copies of the requests.
    """

    path: str
    backend: str
    experiment: str | tuple[str, ...] | None = None
    repeatable: bool = False
    shadows: tuple[str, ...] = ()

    @property
    def experiments(self) -> tuple[str, ...]:
        """The experiments, none, one or several."""
        if self.experiment is None:
            return ()
        return (self.experiment,) if isinstance(self.experiment, str) else self.experiment


class UnitSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One place where the unit of randomisation may be found; exactly one field is given."""

    header: str | None = None
    cookie: str | None = None
    json: str | None = None
    query: str | None = None


class UnitCookie(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cookie that a request without a unit is given, so that its next one has one."""

    name: str
    max_age: Duration = Duration(365 * 86400)
    secure: bool = False


class Variant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One arm of an experiment."""

    backend: str
    weight: float


class Prior(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is believed of a variant's mean before its first outcome.

    Of a binary metric, as if ``a`` successes and ``b`` failures had been seen; of a mean, where it lies,
    ``mean``, and how far from there it may be, ``deviation``, a standard deviation in the metric's unit.
    """

    a: float | None = None
    b: float | None = None
    mean: float | None = None
    deviation: float | None = None


class Metric(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An outcome that is posted back, and which way is better.

    ``cap``: larger values are counted as this one, in all variants alike; a value beyond ``minimum`` or
    ``maximum`` is refused instead. ``covariate``: another metric of the experiment whose values were settled
    before the unit's first request (what it bought the month before, say) and are posted with the same
    tokens. What it explains of this metric's variance is taken out; what the variant may have influenced
    must not be used as one. ``prior``: what is believed before the start, used where the report says which
    variant is probably best, and nowhere in its intervals and decisions.
    """

    name: str
    kind: Literal["binary", "mean"]
    goal: Literal["increase", "decrease"] = "increase"
    per: Literal["outcome", "request"] = "outcome"
    margin: float | None = None
    guardrail: bool = False
    minimum: float | None = None
    maximum: float | None = None
    cap: float | None = None
    covariate: str | None = None
    prior: Prior | None = None


class Analysis(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an experiment is judged; fixed before it starts.

    ``alpha``: how often any interval of a comparison may be wrong. ``planned_units``: of control and variant
    together, at which the interval for one look may be read. ``tuning_units``: likewise, at which the
    always-valid interval is narrowest. ``srm_alpha``: the level of the health checks. ``multiplicity``: how
    many metrics and variants are allowed for. ``weighting``: whether an epoch counts by its traffic, or by
    what its two variants have to compare (Cochran-Mantel-Haenszel). ``max_immature_share``: of a variant's
    requests, how many may be younger than the attribution window for outcomes to be decided about; 1 decides
    at any time, which is fair only where outcomes take equally long in all variants.
    """

    alpha: float = 0.05
    planned_units: int | None = None
    tuning_units: int = 10_000
    srm_alpha: float = 0.001
    multiplicity: Literal["holm", "bonferroni", "benjamini_hochberg", "none"] = "holm"
    weighting: Literal["traffic", "cmh"] = "traffic"
    max_immature_share: float = 0.05


class Layer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Experiments that share no unit: each takes a part of its own of the layer's units.

    ``salt``, which is the layer's name where there is none, draws a unit's place; layers are independent.
    """

    salt: str | None = None


class Holdout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units that take part in none of the experiments that name it, and so are always served the default."""

    share: float
    salt: str | None = None


class Schedule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when until when a running experiment assigns: ISO 8601 with an offset, ``2030-01-31T08:00Z``."""

    start: str | None = None
    end: str | None = None


class Audience(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which requests and units take part in an experiment; all, unless something here says less.

    ``when`` is a condition in CEL on the request. ``layer`` and ``part``, [from, to) of 0 to 1, say which of
    a layer's units take part; ``share`` which part of all units; ``holdouts`` which never do. ``forced`` are
    units, by variant, that get that variant and are never counted.
    """

    when: str | None = None
    layer: str | None = None
    part: tuple[float, ...] = (0.0, 1.0)
    share: float = 1.0
    holdouts: tuple[str, ...] = ()
    forced: dict[str, tuple[str, ...]] = {}


class Experiment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is randomised, into what, by which policy, and judged by which metrics.

    ``fallback``: the variant whose backend serves when the assigned one's cannot; such a request counts for
    the variant that was assigned, and as its error. None answers with the failure instead.
    """

    unit: tuple[UnitSource, ...]
    variants: dict[str, Variant]
    control: str
    policy: dict[str, Any] = field(default_factory=lambda: {"kind": "split"})
    metrics: tuple[Metric, ...] = ()
    salt: str | None = None
    cookie: UnitCookie | None = None
    attribution: Duration = Duration(7 * 86400)
    expose_variant: bool = False
    running: bool = True
    analysis: Analysis = Analysis()
    audience: Audience = Audience()
    schedule: Schedule | None = None
    fallback: str | None = None


class Comparison(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a shadow's answer is compared with the one that the client got.

    ``ignore``, ``top``, ``ranking`` and ``redact`` are JSON pointers in which ``*`` stands for every member.
    Numbers are the same when they differ by at most ``absolute``, or by ``relative`` times the larger one.
    ``top`` is where the best result stands, ``ranking`` where an ordered list does (``/hits/*/id``).
    ``redact``: what no example shows. ``share`` of the copied requests are compared, as far as there is time
    for it; the others are only copied. ``max_body``: larger answers are not compared. ``margin``: how much
    more often than the current model's own noise a candidate may differ and still count as the same, and
    ``alpha`` how often that verdict may be wrong.
    """

    ignore: tuple[str, ...] = ()
    relative: float = 0.0
    absolute: float = 0.0
    top: str | None = None
    ranking: str | None = None
    redact: tuple[str, ...] = ()
    share: float = 1.0
    max_body: Size = Size(64 * 1024)
    margin: float = 0.01
    alpha: float = 0.05


class Shadow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A backend that gets copies of requests, and whose answers no client ever sees.

    ``share`` of the units (of the requests, where a route has no experiment) is copied, each request
    ``multiply`` times, at most ``rate`` copies a second and ``max_in_flight`` at once, both for each worker;
    bodies above ``max_body`` are not. ``noise``: the share of compared requests that the backend which served
    the client gets a second time, so that its own noise is known. ``side_effects: allowed`` says that copies
    do no harm also where a route's requests may not be repeated.
    """

    backend: str
    share: float = 1.0
    noise: float = 0.0
    max_body: Size = Size(64 * 1024)
    max_in_flight: int = 32
    timeout: Duration = Duration(5)
    multiply: int = 1
    rate: float | None = None
    side_effects: Literal["none", "allowed"] = "none"
    compare: Comparison = Comparison()


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client may ask of a worker; each has a safe default."""

    header_bytes: Size = Size(32 * 1024)
    headers: int = 100
    url_bytes: Size = Size(8 * 1024)
    body_bytes: Size = Size(4 * 1024**3)
    json_prefix: Size = Size(64 * 1024)
    header_timeout: Duration = Duration(10)
    body_timeout: Duration = Duration(30)
    idle_timeout: Duration = Duration(75)
    send_timeout: Duration = Duration(60)
    drain_idle: Duration = Duration(1)
    half_closed: Duration = Duration(3)
    pipelined: int = 64
    outcome_bytes: Size = Size(4 * 1024**2)
    outcome_items: int = 10_000


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration."""

    backends: dict[str, Backend]
    routes: tuple[Route, ...]
    experiments: dict[str, Experiment] = {}
    layers: dict[str, Layer] = {}
    holdouts: dict[str, Holdout] = {}
    shadows: dict[str, Shadow] = {}
    limits: Limits = Limits()
