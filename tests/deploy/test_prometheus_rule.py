"""The PrometheusRule: the groups of the rule files, in order, and the shipped one is what they say."""

from __future__ import annotations

from pathlib import Path

import yaml

from deploy.kubernetes.prometheus_rule import prometheus_rule, text_of
from tests.deploy.files import script

GROUP = "groups: [{name: %s, rules: [{record: a:b, expr: 'sum(a)'}]}]\n"


def test_every_files_groups_are_in_it_and_survive_the_writing(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.yml").write_text(GROUP % name)
    rule = prometheus_rule(tmp_path)
    assert [group["name"] for group in rule["spec"]["groups"]] == ["a", "b"]
    assert yaml.safe_load(text_of(rule)) == rule


def test_the_shipped_one_is_up_to_date() -> None:
    done = script("kubernetes/prometheus_rule.py", "--check")
    assert done.returncode == 0, done.stderr


def test_an_unknown_argument_is_refused() -> None:
    assert script("kubernetes/prometheus_rule.py", "--chek").returncode == 2
