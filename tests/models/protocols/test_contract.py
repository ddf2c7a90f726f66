"""What every protocol must do, against a real model server that speaks it."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.demo.classifier import MODEL
from models.demo.digits import held_out
from models.demo.server import make_app
from models.protocol import Call, ModelProtocol, ProtocolError
from models.registry import find_protocol, protocol_names


@pytest.fixture(params=protocol_names())
def protocol(request) -> ModelProtocol:
    return find_protocol(request.param)


async def send(url: str, call: Call) -> httpx.Response:
    headers = {} if call.content_type is None else {"content-type": call.content_type}
    async with httpx.AsyncClient(base_url=url) as client:
        return await client.request(call.method, call.path, content=call.body, headers=headers)


async def test_what_a_real_server_answers_is_what_its_model_says(protocol, serve, strong) -> None:
    images = held_out().images[:5]
    async with serve(make_app(strong)) as url:
        response = await send(url, protocol.infer(MODEL, images.tolist()))
        versioned = await send(url, protocol.infer(MODEL, images.tolist(), strong.version))
    answer = protocol.answer(response.content)
    assert response.status_code == 200
    assert answer.model == MODEL
    assert answer.version == strong.version
    assert answer.values == tuple(strong.predict(images).tolist())
    assert protocol.answer(versioned.content) == answer


async def test_ready_is_2xx_for_the_model_that_is_there_and_no_other(protocol, serve, strong) -> None:
    async with serve(make_app(strong)) as url:
        assert (await send(url, protocol.ready(MODEL))).status_code == 200
        assert (await send(url, protocol.ready("letters"))).status_code == 404


async def test_an_error_is_read_in_the_servers_own_words(protocol, serve, strong) -> None:
    async with serve(make_app(strong)) as url:
        unknown = await send(url, protocol.infer("letters", [[0.0] * 64]))
        narrow = await send(url, protocol.infer(MODEL, [[0.0] * 63]))
    assert (unknown.status_code, narrow.status_code) == (404, 400)
    assert "'letters'" in (protocol.failure(unknown.content) or "")
    assert "63" in (protocol.failure(narrow.content) or "")


async def test_names_cannot_leave_their_place_in_the_path(protocol) -> None:
    assert protocol.infer("a/../b?c", [[1.0]]).path.count("/") == protocol.infer("a", [[1.0]]).path.count("/")
    assert "?" not in protocol.ready("a?b").path


@pytest.mark.parametrize("rows", [[], [[1.0], [1.0, 2.0]]])
def test_rows_that_are_no_matrix_are_refused(protocol, rows) -> None:
    with pytest.raises(ProtocolError, match="rows of one length"):
        protocol.infer(MODEL, rows)


@given(body=st.binary(max_size=64) | st.sampled_from([b"[" * 100_000, b'{"error": 1}', b"{}", b"null"]))
def test_a_body_of_anything_is_read_or_refused(body: bytes) -> None:
    for name in protocol_names():
        protocol = find_protocol(name)
        with pytest.raises(ProtocolError):
            protocol.answer(body)
        assert protocol.failure(body) is None
