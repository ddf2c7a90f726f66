"""Does a configuration file become its settings, and what is said of one that cannot?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from router.config_file import load, read_settings
from router.errors import ConfigurationError
from router.problems import InvalidConfiguration
from router.settings import Duration, Size, UnitSource
from tests.router.full_file import FULL


def test_the_full_file() -> None:
    settings = load(FULL)
    assert settings.backends["ranker-v1"].addresses == ("http://127.0.0.1:9001",)
    assert settings.backends["ranker-v2"].addresses == ("http://127.0.0.1:9002", "http://127.0.0.1:9003")
    assert settings.backends["ranker-v2"].timeout == Duration(2)
    assert [route.path for route in settings.routes] == ["/v1/models/ranker", "/"]
    ranker = settings.experiments["ranker"]
    assert ranker.unit[2] == UnitSource(json="/user/id")
    assert {name: variant.weight for name, variant in ranker.variants.items()} == {
        "champion": 90,
        "challenger": 10,
    }
    assert ranker.attribution == Duration(3 * 86400)
    assert ranker.metrics[1].maximum == 1000
    assert (settings.limits.json_prefix, settings.limits.headers) == (Size(16384), 50)


def test_quantities_have_their_own_types() -> None:
    settings = load(FULL)
    assert type(settings.backends["ranker-v2"].timeout) is Duration
    assert type(settings.limits.json_prefix) is Size


def test_a_file_is_read_from_disk_also_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "turnout.yaml"
    file.write_text(FULL, encoding="utf-8-sig")
    assert load(file) == load(FULL)


def test_plain_data_gives_the_same_settings() -> None:
    assert read_settings(yaml.safe_load(FULL)) == load(FULL)


def test_a_message_has_file_line_path_value_allowed_and_nearest(tmp_path: Path) -> None:
    file = tmp_path / "turnout.yaml"
    file.write_text(FULL.replace("{backend: ranker-v2, weight", "{backend: ranker-v3, weight"))
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    assert str(caught.value) == (
        f"{file}:13: experiments.ranker.variants.challenger.backend: 'ranker-v3' is no known backend; "
        "allowed: ranker-v1, ranker-v2; did you mean 'ranker-v2'?"
    )
    assert caught.value.status == 422


def test_problems_have_json_pointers_for_whoever_sent_json() -> None:
    data = yaml.safe_load(FULL.replace("name: correct", "nam/e: correct"))
    with pytest.raises(InvalidConfiguration) as caught:
        read_settings(data)
    assert {problem.pointer for problem in caught.value.problems} == {
        "/experiments/ranker/metrics/0/nam~1e",
        "/experiments/ranker/metrics/0/name",
    }
    assert all(problem.line is None for problem in caught.value.problems)


def test_a_weight_of_zero_is_allowed() -> None:
    assert (
        load(FULL.replace("weight: 10", "weight: 0")).experiments["ranker"].variants["challenger"].weight == 0
    )


def test_a_cookie_that_is_given_is_read_last_unless_the_operator_placed_it() -> None:
    added = load(FULL.replace("attribution: 3d", "cookie: {name: visitor}")).experiments["ranker"]
    assert added.unit[-1] == UnitSource(cookie="visitor")
    placed = load(FULL.replace("attribution: 3d", "cookie: {name: uid, max_age: 30d}")).experiments["ranker"]
    assert placed.unit == load(FULL).experiments["ranker"].unit


@pytest.mark.parametrize("document", ["", "[]", "text", "7"])
def test_a_document_of_another_shape_is_refused(document: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        load(document)
    assert all(
        "is missing" in str(problem) or "a mapping" in str(problem) for problem in caught.value.problems
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "cannot be read: No such file"),
        (lambda path: path.mkdir(), "cannot be read: Is a directory"),
        (lambda path: path.write_bytes(b"a: \xff"), "is not UTF-8 text at byte 3"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, make: Any, said: str) -> None:
    file = tmp_path / "turnout.yaml"
    make(file)
    with pytest.raises(InvalidConfiguration, match=said) as caught:
        load(file)
    assert str(caught.value).startswith(str(file))
