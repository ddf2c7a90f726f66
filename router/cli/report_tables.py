"""How does a report look in a terminal?"""

from __future__ import annotations

from math import inf

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from router.cli.change_lines import when
from router.cli.interval_plot import interval_plot
from router.cli.report_bandit import print_bandit
from router.cli.report_texts import interval_text, lift_text, mean_text, number, p_text
from router.cli.report_view import Interval, Report, Status

_STYLES: dict[Status, str] = {"ok": "green", "warning": "yellow", "alarm": "bold red"}
_SHORT = {"no difference larger than the margin": "within margin"}
_WIDE = 118  # columns
_DECISIONS = {"better": "bold green", "worse": "bold red"}


def print_report(console: Console, report: Report) -> None:
    """Health first, then traffic, then each variant's own numbers, then what they differ by."""
    style = _STYLES[report.health]
    console.print(
        f"{escape(report.experiment)}: health [{style}]{report.health}[/], control {escape(report.control)}, "
        f"{report.immature_share:.1%} of the requests not mature, computed {when(report.computed_at)}",
        soft_wrap=True,
    )
    for check in report.checks:
        p_value = "" if check.p_value is None else f" ({p_text(check.p_value)})"
        line = f"{escape(check.name)}: {escape(check.message)}{p_value}"
        console.print(f"  [{_STYLES[check.status]}]{check.status}[/] {line}", soft_wrap=True)
    console.print(traffic_table(report))
    for line in as_counted(report):
        console.print(line, soft_wrap=True)
    console.print(means_table(report))
    for variant in dict.fromkeys(effect.variant for effect in report.effects if effect.interval):
        console.print(effects_table(report, variant, wide=console.width >= _WIDE))
        if changes := relative(report, variant):
            console.print(f"relative to {escape(report.control)}: {'; '.join(changes)}", soft_wrap=True)
        for line in undecided(report, variant):
            console.print(line, soft_wrap=True)
    if any(effect.interval for effect in report.effects):
        console.print(caption(report), soft_wrap=True)
    for line in without_estimate(report):
        console.print(line, soft_wrap=True)
    if report.bandit is not None:
        print_bandit(console, report.bandit, report.control)


def traffic_table(report: Report) -> Table:
    """One row for each variant."""
    table = Table("variant", title="Traffic", title_justify="left")
    for column in ("weight", "units", "requests", "not mature"):
        table.add_column(column, justify="right")
    for variant in report.variants:
        table.add_row(
            escape(variant.name) + (" (control)" if variant.control else ""),
            f"{variant.weight:g}",
            f"{variant.units:,.0f}",
            f"{variant.requests:,}",
            f"{variant.immature_share:.1%}",
        )
    return table


def as_counted(report: Report) -> list[str]:
    """Which variants' requests others served, and which values were cut off: what the numbers do not show."""
    lines = []
    for variant in report.variants:
        if variant.fallback_share:
            share = f"{variant.fallback_share:.1%}"
            lines.append(
                f"{escape(variant.name)}: {share} of its requests were served by the fallback's backend"
            )
        capped = [f"{each.count:,} of {escape(each.metric)}" for each in variant.capped if each.count]
        if capped:
            lines.append(f"{escape(variant.name)}: values that counted as the cap: {', '.join(capped)}")
    return lines


def means_table(report: Report) -> Table:
    """One row for each metric, one column for each variant; standard errors behind the means."""
    table = Table("metric", title="Means, with standard errors; latencies in seconds", title_justify="left")
    for variant in report.variants:
        table.add_column(escape(variant.name), justify="right")
    means = [{each.metric: each for each in variant.metrics} for variant in report.variants]
    for metric in dict.fromkeys(name for of_variant in means for name in of_variant):
        table.add_row(escape(metric), *[mean_text(of_variant.get(metric)) for of_variant in means])
    return table


def effects_table(report: Report, variant: str, wide: bool) -> Table:
    """One row for each metric of a variant, where there is an estimate; what fits into 80 columns, or all."""
    level = 1 - report.settings.alpha
    title = f"{escape(variant)} minus {escape(report.control)}"
    table = Table(
        title=title, title_justify="left", box=None, header_style="bold", padding=(0, 2 if wide else 1, 0, 0)
    )
    table.add_column("metric", overflow="fold")
    table.add_column("difference", justify="right", no_wrap=True)
    table.add_column(f"{100 * level:g} % interval", justify="right", no_wrap=True)
    table.add_column("around zero", no_wrap=True)
    if wide:
        table.add_column("relative", justify="right", no_wrap=True)
        table.add_column("p", justify="right", no_wrap=True)
    table.add_column("decision", overflow="fold")
    for effect in report.effects:
        interval = effect.interval
        if interval is None or effect.variant != variant:
            continue
        row = [
            escape(effect.metric),
            number(effect.difference, signed=True, digits=3),
            interval_text(interval) + ("*" if effect.shown == "fixed" else ""),
            plot(interval, effect.difference or 0.0, 25 if wide else 13),
        ]
        if wide:
            p_value = "" if interval.p_value is None else p_text(interval.p_value).removeprefix("p ")
            row += ["" if effect.lift is None else f"{effect.lift.estimate:+.1%}", p_value]
        row.append(_SHORT.get(effect.decision, escape(effect.decision)))
        table.add_row(*row, style=_DECISIONS.get(effect.decision))
    return table


def undecided(report: Report, variant: str) -> list[str]:
    """Why there is no decision, by reason, with the metrics and how much they lack."""
    reasons: dict[str, list[str]] = {}
    for effect in report.effects:
        if effect.variant == variant and effect.interval is not None and effect.reason is not None:
            needed = effect.units_needed
            lacking = "" if needed is None else f" (about {needed:,} more units)"
            reasons.setdefault(effect.reason, []).append(effect.metric + lacking)
    return [f"not enough data, {escape(why)}: {escape(', '.join(some))}" for why, some in reasons.items()]


def relative(report: Report, variant: str) -> list[str]:
    """The relative differences with their intervals."""
    return [
        f"{escape(effect.metric)} {lift_text(effect)}"
        for effect in report.effects
        if effect.variant == variant and effect.lift is not None
    ]


def without_estimate(report: Report) -> list[str]:
    """What cannot be had, by variant and reason, with the metrics for which that holds."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for effect in report.effects:
        if effect.interval is None:
            reasons.setdefault((effect.variant, effect.reason or "no reason given"), []).append(effect.metric)
    return [
        f"no estimate for {escape(variant)}: {escape(reason)} ({escape(', '.join(metrics))})"
        for (variant, reason), metrics in reasons.items()
    ]


def plot(interval: Interval, estimate: float, width: int) -> str:
    """The interval as a line of text."""
    low = -inf if interval.low is None else interval.low
    high = inf if interval.high is None else interval.high
    return escape(interval_plot(low, estimate, high, width))


def caption(report: Report) -> str:
    """How the intervals may be read."""
    text = "Intervals hold however often one looks; decisions are adjusted for the number of comparisons."
    if any(effect.shown == "fixed" for effect in report.effects):
        text += " *: the planned look, valid once."
    return text
