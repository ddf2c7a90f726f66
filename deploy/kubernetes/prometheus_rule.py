"""Which PrometheusRule holds the rules of deploy/prometheus/rules?

``python deploy/kubernetes/prometheus_rule.py`` writes base/prometheus-rule.yaml from them; with ``--check``
it writes nothing, and exits 1 where the two differ. The rules are kept once, as Prometheus reads them, and
tested there; the operator's kind is the same groups under another head.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
RULES = HERE.parent / "prometheus" / "rules"
WRITTEN = HERE / "base" / "prometheus-rule.yaml"

_HEAD = """\
# Written by deploy/kubernetes/prometheus_rule.py from deploy/prometheus/rules: change them there, not here.
"""


def prometheus_rule(folder: Path) -> dict[str, Any]:
    """The object for every rule file of ``folder``, in their names' order."""
    groups: list[dict[str, Any]] = []
    for file in sorted(folder.glob("*.yml")):
        groups += yaml.safe_load(file.read_text("utf-8"))["groups"]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "turnout"},
        "spec": {"groups": groups},
    }


def text_of(rule: dict[str, Any]) -> str:
    """The YAML file's text."""
    written: str = yaml.dump(rule, Dumper=_Indented, sort_keys=False, width=100, allow_unicode=True)
    return _HEAD + written


class _Indented(yaml.SafeDumper):
    """As people write it: lists further in than their keys, and expressions of several lines as such."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def text(self, value: str) -> yaml.ScalarNode:
        """A string's node."""
        return self.represent_scalar("tag:yaml.org,2002:str", value, "|" if "\n" in value else None)


_Indented.add_representer(str, _Indented.text)


def main(arguments: list[str]) -> int:
    """The exit status."""
    expected = text_of(prometheus_rule(RULES))
    if arguments == ["--check"]:
        if WRITTEN.read_text("utf-8") == expected:
            return 0
        print(f"{WRITTEN} is not what {RULES} says; write it: python {__file__}", file=sys.stderr)
        return 1
    if arguments:
        print(f"unknown arguments {' '.join(arguments)!r}; known: --check", file=sys.stderr)
        return 2
    WRITTEN.write_text(expected, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
