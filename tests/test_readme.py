"""Does the README say what is so?"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer.main
import yaml

from policies.assignment import assign, bucket_prefix, place
from policies.plan import Plan
from policies.policy import GROUP, known_kinds
from policies.statistics.means import Mean
from policies.statistics.observed import Observed, ObservedEpoch, ObservedMetric, ObservedVariant
from router.cli.app import app
from router.config_file import load
from router.experiment_policy import policy_of
from router.settings import Experiment, Settings

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text("utf-8")
COMMANDS = typer.main.get_command(app)


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


SMALL, *FRAGMENTS = [text for text in blocks("yaml") if "scrape_configs" not in text]
NAME = "digits"


def completed(fragment: str) -> dict[str, Any]:
    """The first configuration with a fragment in its place: of the whole, or of its experiment."""
    whole: dict[str, Any] = yaml.safe_load(SMALL)
    for key, value in yaml.safe_load(fragment).items():
        if key == "experiments":
            whole[key][NAME] |= value[NAME]
        elif key in Settings.__struct_fields__:
            whole[key] = value
        else:
            assert key in Experiment.__struct_fields__
            whole["experiments"][NAME][key] = value
    return whole


def commands() -> list[str]:
    """Every command line of the shell blocks that is Turnout's, without its name."""
    lines = [re.sub(r"\s#.*", "", line) for block in blocks("sh") for line in block.splitlines()]
    parts = [part for line in lines for part in re.split(r"[;&|]|\$\(", line)]
    return [found[1] for part in parts if (found := re.match(r"\s*turnout (.*?)\)?\s*$", part))]


def command_of(words: list[str]) -> tuple[click.Command, str, list[str]]:
    """The command that the first words name, and the words that are its arguments."""
    command: Any = COMMANDS
    name = "turnout"
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands
        name, command, words = words[0], command.commands[words[0]], words[1:]
    return command, name, words


def test_command_and_what_it_prints_stand_within_the_first_forty_lines() -> None:
    top = "\n".join(TEXT.splitlines()[:40])
    assert "$ make demo" in top
    assert "yes  the better model was found" in top


def test_the_first_configuration_can_be_used_as_it_stands() -> None:
    assert list(load(SMALL).experiments) == [NAME]


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda text: text.splitlines()[0])
def test_configuration_can_be_used(fragment: str) -> None:
    assert load(yaml.safe_dump(completed(fragment))).experiments


@pytest.mark.parametrize("line", commands())
def test_command_can_be_given_so(line: str) -> None:
    command, name, words = command_of(shlex.split(line))
    command.make_context(name, words)


def test_every_command_is_shown_or_named() -> None:
    known: Any = COMMANDS
    named = set(re.findall(r"`turnout ([a-z][a-z-]+)", TEXT))
    assert named <= set(known.commands)
    assert named | {line.split()[0] for line in commands()} == set(known.commands)


@pytest.mark.parametrize("option", sorted(set(re.findall(r"`(--[a-z-]+)", TEXT))))
def test_options_that_are_named_exist(option: str) -> None:
    def options(command: Any) -> Iterator[str]:
        for parameter in command.params:
            yield from parameter.opts
        for each in getattr(command, "commands", {}).values():
            yield from options(each)

    assert option in set(options(COMMANDS))


def test_every_kind_of_policy_is_named() -> None:
    assert [kind for kind in known_kinds() if not re.search(rf"\b{kind}\b", TEXT)] == []


def test_every_reason_of_a_refusal_is_listed() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "router" / "data").glob("*.py"))
    reasons = set(re.findall(r'Refusal\(\s*\d{3},\s*"([a-z-]+)"', sources))
    assert {"no-route", "pool-full", "first-byte-timeout"} <= reasons
    listed = set(re.findall(r"`([a-z-]+)`", TEXT))
    assert reasons - {"internal"} <= listed


def test_every_target_of_make_that_is_named_is_there() -> None:
    rules = re.findall(r"^([a-z -]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    assert set(re.findall(r"`make ([a-z-]+)`", TEXT)) <= targets


def test_modules_that_measure_are_there() -> None:
    modules = set(re.findall(r"`python -m ([a-z_.]+)", TEXT))
    assert "bench.canary" in modules
    assert [name for name in modules if not (ROOT / f"{name.replace('.', '/')}.py").exists()] == []


def test_files_and_sections_that_are_linked_exist() -> None:
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    titles = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    sections = {"#" + re.sub(r"[^a-z -]", "", title.lower()).replace(" ", "-") for title in titles}
    local = [link for link in links if "://" not in link]
    assert local
    assert [link for link in local if link not in sections and not (ROOT / link).exists()] == []


def test_folders_of_the_architecture_exist() -> None:
    rows = re.findall(r"^\| (`[a-z/]+/`.*?) \|", TEXT[TEXT.index("## Architecture") :], re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`([a-z/]+/)`", row)]
    assert len(names) > 10
    inner = ["", "policies/"]
    assert [name for name in names if not any((ROOT / (place + name)).is_dir() for place in inner)] == []


def test_units_move_only_where_the_text_says() -> None:
    before, after = Plan("ranker", {"a": 80, "b": 20}), Plan("ranker", {"a": 70, "b": 30})
    moved = {
        (assign(before, unit).variant, assign(after, unit).variant)
        for unit in (b"%d" % number for number in range(5_000))
    }
    assert moved == {("a", "a"), ("a", "b"), ("b", "b")}


def test_bucket_and_position_come_from_the_named_bytes() -> None:
    from hashlib import sha256

    whole = int.from_bytes(sha256(b"ranker..user-1").digest()[:8], "big")
    assert place(bucket_prefix("ranker"), b"user-1") == whole


class TestPolicyOfYourOwn:
    """The example of the README, as pip would leave it on the path."""

    @pytest.fixture(autouse=True)
    def _installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (code,) = blocks("python")
        (project,) = blocks("toml")
        assert len(code.splitlines()) <= 30
        assert f'[project.entry-points."{GROUP}"]' in project
        kind, target = re.findall(r'^(\w+) = "(\w+:\w+)"$', project, re.MULTILINE)[0]
        module = target.partition(":")[0]
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{kind} = {target}\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    def observed(self, requests: int, errors: int) -> Observed:
        def metric(total: float) -> ObservedMetric:
            return ObservedMetric(Mean(total / requests, 0.0, 1023.0, 1024), requests, total)

        variant = ObservedVariant(
            units=requests,
            requests=requests,
            immature_requests=0,
            errors=metric(errors),
            slow={},
            metrics={},
        )
        epoch = ObservedEpoch(1, 0.0, None, {"champion": 99.0, "challenger": 1.0}, {"challenger": variant})
        return Observed(NAME, "champion", (epoch,))

    @pytest.mark.parametrize(
        ("requests", "errors", "weight"),
        [(99, 0, 1.0), (1_000, 0, 21.0), (1_000, 1, 1.0), (1_000_000, 0, 50.0)],
    )
    def test_it_is_configured_and_plans(self, requests: int, errors: int, weight: float) -> None:
        settings = load(yaml.safe_dump(completed("policy: {kind: cautious, step: 2}")))
        policy = policy_of(NAME, settings.experiments[NAME])
        first = policy.plan(None, 0.0, None, {})
        assert first.weights == {"champion": 99.0, "challenger": 1.0}

        later = policy.plan(self.observed(requests, errors), 10.0, None, first.progress)
        assert later.weights == {"champion": 100.0 - weight, "challenger": weight}
        assert later.salt == first.salt
