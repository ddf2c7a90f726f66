"""How does an operator change one experiment: its weights, its start, its end?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape

from router.cli.answers import Experiment
from router.cli.client import Client
from router.cli.contexts import Target
from router.cli.options import Output
from router.cli.showing import rows, show
from router.errors import ConfigurationError


def set_weights(
    target: Target, name: str, words: Sequence[str], *, why: str, if_match: str | None, output: Output
) -> None:
    """Replace the weights of all variants of an experiment by ``VARIANT=WEIGHT`` words."""
    body = {"weights": read_weights(words)}
    _change(target, "PATCH", name, (), body, why=why, if_match=if_match, output=output)


def act(target: Target, name: str, action: str, *, why: str, if_match: str | None, output: Output) -> None:
    """Start, pause or archive an experiment."""
    _change(target, "POST", name, (action,), None, why=why, if_match=if_match, output=output)


def stop(
    target: Target, name: str, winner: str | None, *, why: str, if_match: str | None, output: Output
) -> None:
    """End an experiment with a winner; `ConfigurationError` with the variants where none is named."""
    if winner is None:
        with Client(target) as client:
            variants = [each.name for each in client.get("experiments", name).read(Experiment).variants]
        raise ConfigurationError(
            f"stop needs --winner, whose backend then serves everybody; allowed: {', '.join(variants)}. "
            f"To stop assigning without a decision: turnout pause {name}"
        )
    body = {"winner": winner}
    _change(target, "POST", name, ("stop",), body, why=why, if_match=if_match, output=output)


def read_weights(words: Sequence[str]) -> dict[str, float]:
    """``VARIANT=WEIGHT`` words as weights; `ConfigurationError` for a word that is none.

    >>> read_weights(["champion=80", "challenger=20"])
    {'champion': 80.0, 'challenger': 20.0}
    """
    weights: dict[str, float] = {}
    for word in words:
        variant, given, number = word.partition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = float("nan")
        if not (given and variant and isfinite(weight) and weight >= 0):
            raise ConfigurationError(
                f"{word!r} is no weight; allowed: VARIANT=WEIGHT, a number from 0 on, such as champion=80"
            )
        if variant in weights:
            raise ConfigurationError(f"{variant!r} has two weights; allowed: one for each variant")
        weights[variant] = weight
    return weights


def _change(
    target: Target,
    method: str,
    name: str,
    action: tuple[str, ...],
    body: Mapping[str, Any] | None,
    *,
    why: str,
    if_match: str | None,
    output: Output,
) -> None:
    """Change what was read: `LostRace` where it has become another thing since."""
    with Client(target) as client:
        found = client.get("experiments", name)
        before = found.read(Experiment)
        tag = if_match or found.etag
        answer = client.send(method, "experiments", name, *action, body=body, if_match=tag, why=why)
    after = answer.read(Experiment)
    data = msgspec.json.decode(answer.body) | {"etag": answer.etag}
    show(output, data, lambda to: _print(to, before, after))


def _print(to: Console, before: Experiment, after: Experiment) -> None:
    same = [_decided(each) for each in (before, after)]
    if same[0] == same[1]:
        text = f"nothing to change: {after.name} is as asked already, {after.status}, version {after.version}"
        to.print(escape(text), soft_wrap=True)
        return
    epoch = "" if after.epoch is None else f", epoch {after.epoch.number}"
    winner = ""
    if after.ending is not None and after.ending.winner is not None:
        winner = f", won by {after.ending.winner}"
    to.print(escape(f"{after.name}: {after.status}{winner}, version {after.version}{epoch}"), soft_wrap=True)
    was = {each.name: each for each in before.variants}
    cells = [
        (
            each.name,
            _step(f"{was.get(each.name, each).weight:g}", f"{each.weight:g}"),
            _step(f"{was.get(each.name, each).share:.2%}", f"{each.share:.2%}"),
            each.backend,
        )
        for each in after.variants
    ]
    to.print(rows("", ("variant", "weight#", "share#", "backend"), cells))


def _step(before: str, after: str) -> str:
    return after if before == after else f"{before} -> {after}"


def _decided(experiment: Experiment) -> tuple[Any, ...]:
    weights = {each.name: each.weight for each in experiment.variants}
    return experiment.status, weights, experiment.ending, experiment.routes
