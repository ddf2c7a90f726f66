"""How do a bandit's findings look in a terminal: what each arm gains, and what it cost to find out?"""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from router.cli.change_lines import when
from router.cli.report_texts import interval_text, number, p_text
from router.cli.report_view import Bandit, BatchedDifference

_CAPTION = (
    "Of a bandit, read these: batched OLS allows for weights that followed the outcomes. "
    "The first interval holds for one look at all epochs, the second for a look after every closed one."
)


def print_bandit(console: Console, bandit: Bandit, control: str) -> None:
    """The arms against the control, and the regret, as of the bandit's last plan."""
    if bandit.contrasts:
        console.print(contrasts_table(bandit, control))
        console.print(_CAPTION, soft_wrap=True)
    for contrast in bandit.contrasts:
        if contrast.fixed.reason is not None:
            arm, reason = escape(contrast.variant), escape(contrast.fixed.reason)
            console.print(f"no batched OLS for {arm}: {reason}", soft_wrap=True)
    console.print(regret_text(bandit), soft_wrap=True)


def contrasts_table(bandit: Bandit, control: str) -> Table:
    """One row for each arm; what fits into 80 columns."""
    title = f"Bandit on {bandit.metric} by batched OLS, planned {when(bandit.planned)}"
    table = Table(
        title=escape(title), title_justify="left", box=None, header_style="bold", padding=(0, 1, 0, 0)
    )
    table.add_column(f"minus {escape(control)}", overflow="fold")
    table.add_column("difference", justify="right", no_wrap=True)
    level = next((one.fixed.interval.level for one in bandit.contrasts if one.fixed.interval), 0.95)
    table.add_column(f"one look, {100 * level:g} %", justify="right", no_wrap=True)
    table.add_column("p", justify="right", no_wrap=True)
    table.add_column(f"every epoch, {100 * level:g} %", justify="right", no_wrap=True)
    table.add_column("epochs", justify="right", no_wrap=True)
    for contrast in bandit.contrasts:
        once = contrast.fixed
        table.add_row(
            escape(contrast.variant),
            number(once.difference, signed=True, digits=3),
            _interval(once),
            "" if once.interval is None or once.interval.p_value is None else _p(once.interval.p_value),
            _interval(contrast.always_valid),
            str(once.epochs),
        )
    return table


def regret_text(bandit: Bandit) -> str:
    """The estimate with its standard error, or why there is none."""
    if bandit.regret is None:
        return f"no estimate of the regret: {escape(bandit.regret_reason or 'no reason given')}"
    lost, error = number(bandit.regret.estimate, digits=3), f"{bandit.regret.standard_error:.2g}"
    return (
        f"estimated regret: {lost} ± {error} of {escape(bandit.metric)}, summed over the outcomes so far, "
        "lost against the arm that looks best now"
    )


def _interval(found: BatchedDifference) -> str:
    return "none" if found.interval is None else interval_text(found.interval)


def _p(p_value: float) -> str:
    return p_text(p_value).removeprefix("p ")
