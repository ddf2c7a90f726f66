"""How was this analysis done? Fixed before the start, and recorded in every report."""

from __future__ import annotations

from dataclasses import dataclass

from policies.statistics.arguments import nonnegative, one_of, positive, share
from policies.statistics.multiplicity.levels import LEVELLED
from policies.statistics.strata.stratified import Weighting


@dataclass(frozen=True, slots=True)
class AnalysisSettings:
    """What must not follow the data.

    ``alpha``: the chance that any interval of one comparison is ever wrong. ``n_star``: the units, of control
    and variant together, at which the always-valid interval is narrowest; the size you expect to decide at. A
    unit seen in two epochs counts twice, which widens the interval a little and never invalidates it.
    ``planned_units``: the size, in the same count, at which the fixed interval may be read once; None when
    there is no plan. ``srm_alpha``: the level of the health checks. ``srm_concentration``: the sequential
    sample ratio test's prior, large for small mismatches. ``multiplicity``: how p-values and intervals are
    adjusted over metrics and variants. ``weighting``: how epochs are weighed. ``minimum_units``: of each
    variant, below which no normal approximation is trusted; ``minimum_events``: likewise the successes, and
    the failures, of a binary metric in both variants together. ``max_immature_share``: of a variant's
    requests, above which no decision about outcomes is taken.

    Raises ValueError for values out of their range.
    """

    alpha: float = 0.05
    n_star: float = 10_000
    planned_units: int | None = None
    srm_alpha: float = 0.001
    srm_concentration: float = 10_000.0
    multiplicity: str = "holm"
    weighting: Weighting = "traffic"
    minimum_units: int = 100
    minimum_events: int = 10
    max_immature_share: float = 0.05

    def __post_init__(self) -> None:
        share("alpha", self.alpha)
        share("srm_alpha", self.srm_alpha)
        positive("n_star", self.n_star)
        positive("srm_concentration", self.srm_concentration)
        one_of("multiplicity", self.multiplicity, LEVELLED)
        one_of("weighting", self.weighting, ("traffic", "cmh"))
        positive("minimum_units", self.minimum_units)
        nonnegative("minimum_events", self.minimum_events)
        nonnegative("max_immature_share", self.max_immature_share)
        if self.planned_units is not None:
            positive("planned_units", self.planned_units)
