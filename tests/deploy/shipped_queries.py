"""What do the shipped dashboards and rules ask a Prometheus, and which of it may have no data?"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import yaml

from tests.deploy.files import DEPLOY
from tests.deploy.prometheus import SHIPPED, Prometheus

DASHBOARDS = DEPLOY / "grafana" / "dashboards"
# Some of the values that each variable has to offer, whatever those before it are.
VALUES = {
    "route": ("/ranker", "/gradual", "/learner", "/plain"),
    "experiment": ("ranker", "gradual", "learner"),
    "metric": ("correct", "spent", "first_byte_mean"),
    "shadow": ("next",),
}

# Panels that have nothing to show for some values of their variables: for which, and why. For one they have.
EMPTY_FOR_SOME: Mapping[tuple[str, str], tuple[str, str]] = {
    ("experiment", "Decision by $metric"): ("", "there is none before the evidence suffices"),
    ("experiment", "Days left"): (
        "",
        "only declared metrics have them, and those whose difference is not too small",
    ),
    ("experiment", "Probability to be the best"): (
        'metric="(?!correct|spent)',
        "only declared metrics have it",
    ),
    ("experiment", "Effect, with the interval that is always valid"): (
        'metric="(first|last)_byte_p',
        "that of a quantile has no ends before there are many requests beyond it",
    ),
    ("policies", "Probability to be the best"): ('experiment="(ranker|gradual)"', "only bandits have it"),
    ("service", "Router's own overhead"): ('route=~"/_turnout', "its own paths have none"),
}


@dataclass(frozen=True, slots=True)
class Query:
    """One expression for one choice of the variables' values; ``panel`` is the title before that."""

    dashboard: str
    panel: str
    written: str
    expression: str
    instant: bool

    def __str__(self) -> str:
        return f"{self.dashboard}, {self.panel!r}: {self.expression}"

    @property
    def place(self) -> tuple[str, str]:
        """Where it stands."""
        return self.dashboard, self.panel


def filled(text: str, values: Mapping[str, str]) -> str:
    """An expression as Grafana sends it."""
    found = re.sub(r"\$(\w+)", lambda match: values[match[1]], text)
    assert "$" not in found
    return found


def choices(prometheus: Prometheus, dashboard: Mapping[str, Any]) -> list[dict[str, str]]:
    """Every choice of the variables' values, each found by its own query, which may name those before it."""
    chosen = [{"__rate_interval": "30s", "__range": "1h"}]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "datasource":
            continue
        form = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert form, variable
        every = [variable["allValue"]] if variable.get("includeAll") else []
        chosen = [
            {**values, variable["name"]: value}
            for values in chosen
            for value in (*every, *prometheus.labels(filled(form[1], values), form[2]))
        ]
    return chosen


def shipped() -> dict[str, dict[str, Any]]:
    """The dashboards, by their files' names."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(DASHBOARDS.glob("*.json"))}


def not_offered(prometheus: Prometheus) -> list[str]:
    """The choices that some dashboard should have, and has not yet."""
    found = []
    for name, dashboard in shipped().items():
        names = [each["name"] for each in dashboard["templating"]["list"] if each["type"] != "datasource"]
        offered = {tuple(each[name] for name in names) for each in choices(prometheus, dashboard)}
        wanted = set(product(*(VALUES[each] for each in names)))
        found += [f"{name}: the choice {' '.join(each)}" for each in sorted(wanted - offered)]
    return found


def queries(prometheus: Prometheus) -> list[Query]:
    """Every expression of every panel and annotation, for every choice of the variables' values."""
    found: dict[Query, None] = {}
    for name, dashboard in shipped().items():
        asked = [
            (panel["title"], target["expr"], target["instant"])
            for panel in dashboard["panels"]
            for target in panel.get("targets", ())
        ]
        asked += [(each["name"], each["expr"], False) for each in dashboard["annotations"]["list"]]
        for values, (title, written, instant) in product(choices(prometheus, dashboard), asked):
            found[Query(name, title, written, filled(written, values), instant)] = None
    return list(found)


def without_data(prometheus: Prometheus, asked: Sequence[Query]) -> list[Query]:
    """Those that have no data, though they should."""
    nothing = [each for each in asked if not prometheus.values(each.expression, instant=each.instant)]
    something = {each.place for each in set(asked) - set(nothing)}
    return [each for each in nothing if not may_be_empty(each) or each.place not in something]


def may_be_empty(query: Query) -> bool:
    """Whether there is a reason that a query has no data."""
    which, _ = EMPTY_FOR_SOME.get(query.place, (None, ""))
    return which is not None and re.search(which, query.expression) is not None


def rules() -> list[dict[str, Any]]:
    """The shipped rules."""
    documents = [yaml.safe_load(file.read_text()) for file in sorted((SHIPPED / "rules").glob("*.yml"))]
    return [rule for document in documents for group in document["groups"] for rule in group["rules"]]


def name_of(rule: Mapping[str, Any]) -> str:
    """What a rule is called."""
    name: str = rule.get("alert") or rule["record"]
    return name


def selectors(expression: str) -> set[str]:
    """The series that an expression selects."""
    return set(re.findall(r"\b(?:turnout_[a-z0-9_]+|up)\b(?:\{[^}]*\})?", expression))
