"""What does one see of the bandit?"""

from __future__ import annotations

from rich.table import Table

from router.cli.demo.bandit.configuration import SERVERS
from router.cli.demo.bandit.reading import Reading
from router.cli.demo.users import Tally


def make_table(progress: str, tally: Tally, reading: Reading) -> Table:
    """One row per arm: its weight, what it had, and what is believed of it."""
    caption = (
        f"{progress}   {reading.policy.why}\n"
        f"{tally.late:,} outcomes came late, {tally.posted_again:,} twice   "
        f"epoch {reading.policy.epoch}"
    )
    table = Table(title="digits: three models under Thompson sampling", caption=caption)
    table.caption_justify = "left"
    for column in ("arm", "model"):
        table.add_column(column)
    for column in ("weight", "requests", "outcomes", "accuracy (policy's)", "95 % credible", "P(best)"):
        table.add_column(column, justify="right")
    for name, server in SERVERS.items():
        interval, best = reading.of_arm("intervals", name), reading.of_arm("probability_best", name)
        table.add_row(
            name,
            server.strength,
            f"{reading.policy.share(name):.1%}",
            f"{reading.requests(name):,}",
            f"{reading.outcomes(name)[0]:,}",
            _mean(name, reading),
            "-" if interval is None else f"({interval[0]:.3f}, {interval[1]:.3f})",
            "-" if best is None else f"{best:.3f}",
        )
    return table


def make_line(reading: Reading) -> str:
    """The same in one line."""
    arms = [_arm(name, reading) for name in SERVERS]
    return "; ".join([*arms, reading.policy.why])


def _arm(name: str, reading: Reading) -> str:
    best = reading.of_arm("probability_best", name)
    known = "" if best is None else f", P(best) {best:.3f}"
    return (
        f"{name} weight {reading.policy.share(name):.1%}, {reading.requests(name):,} requests, "
        f"accuracy {_mean(name, reading)}{known}"
    )


def _mean(name: str, reading: Reading) -> str:
    """As the policy believes it: arms are compared within epochs."""
    mean = reading.of_arm("means", name)
    return "-" if mean is None else f"{mean:.3f}"
