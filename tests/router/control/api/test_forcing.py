"""Does an operator get the header that forces a variant, and nobody else?"""

from __future__ import annotations

from time import time

import pytest

from router.token import read_force
from tests.router.control.stage import Stage


async def test_the_header_is_signed_for_one_variant_and_a_time(stage: Stage) -> None:
    answer = await stage.call("POST", "/experiments/ranker/force", {"variant": "challenger", "seconds": 60})
    assert answer.status_code == 200, answer.text
    forced = answer.json()
    assert forced["header"] == "x-turnout-force"
    key = (await stage.state()).key
    assert read_force(forced["value"], key, time()) == ("ranker", "challenger")
    assert 50 < forced["expires"] - time() <= 60


@pytest.mark.parametrize(
    ("path", "body", "status", "word"),
    [
        ("ranker", {"variant": "chalenger"}, 422, "challenger"),
        ("rankr", {"variant": "challenger"}, 404, "ranker"),
        ("ranker", {"variant": "challenger", "seconds": 0}, 422, "seconds"),
        ("ranker", {}, 422, "variant"),
    ],
)
async def test_what_cannot_be_forced(
    stage: Stage, path: str, body: dict[str, object], status: int, word: str
) -> None:
    answer = await stage.call("POST", f"/experiments/{path}/force", body)
    assert (answer.status_code, word in answer.text) == (status, True), answer.text
