"""Is what is printed what was said?"""

from __future__ import annotations

import pytest

from router.cli.showing import console


def test_a_name_between_colons_is_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("ok outcome_rate:m: no epoch")
    assert capsys.readouterr().out.strip() == "ok outcome_rate:m: no epoch"
