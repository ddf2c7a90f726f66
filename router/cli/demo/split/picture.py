"""What does one see of the split?"""

from __future__ import annotations

from rich.table import Table

from router.cli.demo.configuration import CHALLENGER
from router.cli.demo.split.configuration import SERVERS
from router.cli.demo.split.reading import Reading
from router.cli.demo.users import Tally


def make_table(progress: str, tally: Tally, reading: Reading) -> Table:
    """The whole picture: one row per variant, and below it what holds for all."""
    caption = (
        f"{progress}   {tally.late:,} outcomes came late, {tally.posted_again:,} twice   "
        f"SRM {reading.sample_ratio}"
    )
    table = Table(title="digits: two models behind one URL", caption=caption, caption_justify="left")
    for column in ("variant", "model"):
        table.add_column(column)
    for column in (
        "users",
        "split",
        "requests",
        "outcomes",
        "accuracy",
        "effect",
        "95 % interval",
        "p-value",
    ):
        table.add_column(column, justify="right")

    for name, server in SERVERS.items():
        table.add_row(
            name,
            server.strength,
            f"{reading.users(name):,.0f}",
            f"{reading.share(name):.1%}",
            f"{reading.requests(name):,}",
            f"{reading.outcomes(name)[0]:,}",
            reading.accuracy(name),
            *(_effect(reading) if name == CHALLENGER else ("", "", "")),
        )
    return table


def make_line(reading: Reading) -> str:
    """The same in one line."""
    variants = [
        f"{name} {reading.share(name):.1%} of users, {reading.requests(name):,} requests, "
        f"accuracy {reading.accuracy(name)}"
        for name in SERVERS
    ]
    difference, interval, p_value = _effect(reading)
    effect = f"effect {difference} {interval}, p {p_value}" if interval else f"effect {difference}"
    return "; ".join([*variants, effect, f"SRM {reading.sample_ratio}"])


def _effect(reading: Reading) -> tuple[str, str, str]:
    effect = reading.effect
    if effect is None:
        return "not yet", "", ""
    p_value = "-" if effect.p_value is None else f"{effect.p_value:.2g}"
    return f"{effect.estimate:+.4f}", f"({effect.lower:+.4f}, {effect.upper:+.4f})", p_value
