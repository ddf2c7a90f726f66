"""Does the README say what is so?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policies.assignment import assign, bucket_prefix, place
from policies.plan import Plan
from router.config_file import load

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_command_and_what_it_prints_stand_within_the_first_forty_lines() -> None:
    top = "\n".join(TEXT.splitlines()[:40])
    assert "$ make demo" in top
    assert "yes  the better model was found" in top


@pytest.mark.parametrize("document", [block for block in blocks("yaml") if "experiments:" in block])
def test_configuration_can_be_used(document: str) -> None:
    assert load(document).experiments


def test_every_reason_of_a_refusal_is_listed() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "router" / "data").glob("*.py"))
    reasons = set(re.findall(r'Refusal\(\s*\d{3},\s*"([a-z-]+)"', sources))
    assert {"no-route", "pool-full", "first-byte-timeout"} <= reasons
    listed = set(re.findall(r"`([a-z-]+)`", TEXT))
    assert reasons - {"internal"} <= listed


def test_every_target_of_make_that_is_named_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", TEXT)) <= targets


def test_files_that_are_linked_exist() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


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
