"""Was the experiment run as planned, so that its effects can be trusted?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from policies.statistics.health.sequential_srm import sequential_srm_of, sequential_srm_over_epochs
from policies.statistics.health.srm import Split, srm_of, srm_over_epochs
from policies.statistics.multiplicity.adjusted import bonferroni
from policies.statistics.reporting.result import Check, Status
from policies.statistics.reporting.settings import AnalysisSettings
from policies.statistics.reporting.traffic import Traffic
from policies.statistics.result import NotEstimable, Test

SRM_ALARM: Final = "sample ratio mismatch: units were lost or moved, no effect can be trusted"
BY_FEATURES: Final = (
    "variants were chosen by the requests' features, so that their means are of different requests; "
    "the off-policy values compare them"
)
_RANK: Final[dict[Status, int]] = {"ok": 0, "warning": 1, "alarm": 2}


def checks(traffic: Traffic, settings: AnalysisSettings) -> tuple[Check, ...]:
    """The checks of the traffic itself, in the order in which they should be read.

    Raises nothing.

    >>> from policies.statistics.sample import evidence
    >>> [(each.name, each.status) for each in checks(Traffic.of(evidence()), AnalysisSettings())]
    [('sample_ratio_sequential', 'ok'), ('sample_ratio', 'ok'), ('maturity', 'ok')]
    """
    return (
        *_sample_ratio(traffic, settings),
        *_strays(traffic),
        *_by_features(traffic),
        _maturity(traffic, settings),
    )


def worst(found: Sequence[Check]) -> Status:
    """The status of them all together.

    >>> worst([Check("a", "ok", ""), Check("b", "warning", "")])
    'warning'
    """
    return max((check.status for check in found), key=_RANK.__getitem__, default="ok")


def _sample_ratio(traffic: Traffic, settings: AnalysisSettings) -> Iterator[Check]:
    """The sequential test raises the alarm, since reports are looked at often; the fixed one only warns."""
    numbers = [epoch.number for epoch in traffic.evidence.epochs]
    fixed: list[Test | NotEstimable] = []
    sequential: list[Test | NotEstimable] = []
    for e, epoch in enumerate(traffic.evidence.epochs):
        weights = traffic.weights[e]
        if not weights.any() or epoch.drawn == "features":
            paused = "every variant was paused"
            nothing = NotEstimable("sample ratio", BY_FEATURES if weights.any() else paused)
            fixed.append(nothing)
            sequential.append(nothing)
            continue
        if epoch.drawn == "request":
            # A unit that comes again is in several variants: the requests were split, and are counted.
            split = Split.of(traffic.routed[e], weights)
        else:
            split = Split.of(traffic.units[e], weights, traffic.units_variance[e])
        fixed.append(srm_of(split))
        sequential.append(sequential_srm_of(split, settings.srm_concentration))
    yield _check(
        "sample_ratio_sequential", sequential_srm_over_epochs(sequential), settings, "alarm", SRM_ALARM,
        tuple(zip(numbers, map(_p_value, sequential), strict=True)),
    )  # fmt: skip
    yield _check(
        "sample_ratio", srm_over_epochs(fixed), settings, "warning",
        "the split differs from the weights more than chance explains at one look",
        tuple(zip(numbers, map(_p_value, fixed), strict=True)),
    )  # fmt: skip


def _by_features(traffic: Traffic) -> Iterator[Check]:
    numbers = [epoch.number for epoch in traffic.evidence.epochs if epoch.drawn == "features"]
    if numbers:
        span = f"epoch {numbers[0]}" if len(numbers) == 1 else f"epochs {numbers[0]} to {numbers[-1]}"
        yield Check("assigned_by_features", "warning", f"{span}: {BY_FEATURES}")


def held(found: Sequence[Check]) -> str | None:
    """Why no effect is decided about, whatever it looks like; None where there is no reason.

    >>> held([Check("sample_ratio_sequential", "alarm", "")]) == SRM_ALARM
    True
    """
    if worst(found) == "alarm":
        return SRM_ALARM
    return BY_FEATURES if any(check.name == "assigned_by_features" for check in found) else None


def _strays(traffic: Traffic) -> Iterator[Check]:
    strays = [
        (epoch.number, name)
        for e, epoch in enumerate(traffic.evidence.epochs)
        for v, name in enumerate(traffic.variants)
        if traffic.units[e, v] > 0 and traffic.weights[e, v] == 0
    ]
    if strays:
        where = ", ".join(f"{name} in epoch {number}" for number, name in strays)
        yield Check("stray_units", "warning", f"units were counted for variants without weight: {where}")


def _maturity(traffic: Traffic, settings: AnalysisSettings) -> Check:
    shares = {name: traffic.immature_share(v) for v, name in enumerate(traffic.variants)}
    late = max(shares.values()) > settings.max_immature_share
    stated = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    message = f"requests whose outcomes may still come: {stated}"
    if late:
        message += f"; no decision about outcomes above {settings.max_immature_share:.0%}"
    return Check("maturity", "warning" if late else "ok", message)


def rate_checks(
    tests: Sequence[tuple[str, Test | NotEstimable]], settings: AnalysisSettings
) -> Iterator[Check]:
    """The outcome rate tests, (metric's name, test) each; a metric per request has its rate in its effect.

    Source: Bonferroni (1936).

    >>> lost = Test("outcome rate", 20.0, 1e-5)
    >>> [check.status for check in rate_checks([("clicks", lost)], AnalysisSettings())]
    ['warning']
    """
    judged = [test for _, test in tests if isinstance(test, Test) and test.p_value is not None]
    adjusted = iter(bonferroni([test.p_value for test in judged if test.p_value is not None]))
    for metric, test in tests:
        name = f"outcome_rate:{metric}"
        if isinstance(test, NotEstimable):
            yield Check(name, "ok", test.reason)
            continue
        p_value = next(adjusted)
        off = p_value < settings.srm_alpha
        message = (
            "outcomes per request differ between variants: lost, late, or an effect of the variant itself"
        )
        yield Check(name, "warning" if off else "ok", message if off else "no difference found", p_value)


def _check(
    name: str,
    test: Test | NotEstimable,
    settings: AnalysisSettings,
    status: Status,
    message: str,
    epochs: tuple[tuple[int, float | None], ...],
) -> Check:
    if isinstance(test, NotEstimable):
        return Check(name, "ok", test.reason, None, epochs)
    off = test.p_value is not None and test.p_value < settings.srm_alpha
    return Check(name, status if off else "ok", message if off else "no mismatch found", test.p_value, epochs)


def _p_value(test: Test | NotEstimable) -> float | None:
    return test.p_value if isinstance(test, Test) else None
