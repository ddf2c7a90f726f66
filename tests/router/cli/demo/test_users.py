"""A model's own failure is told from the router's."""

from __future__ import annotations

import httpx
import pytest

from router.cli.demo.users import TOKEN, models_failure


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (httpx.Response(500, headers={TOKEN: "t"}, json={"error": "the model failed"}), True),
        (httpx.Response(500, json={"error": "the model failed"}), False),
        (httpx.Response(500, headers={TOKEN: "t"}, text="no JSON"), False),
        (httpx.Response(500, headers={TOKEN: "t"}, json={"title": "a problem", "status": 500}), False),
        (httpx.Response(503, headers={TOKEN: "t"}, json={"error": "busy"}), False),
        (httpx.Response(200, headers={TOKEN: "t"}, json={"error": "none"}), False),
    ],
)
def test_it_is_a_500_of_the_protocols_form_relayed_with_a_token(
    response: httpx.Response, expected: bool
) -> None:
    assert models_failure(response) is expected
