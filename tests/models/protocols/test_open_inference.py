"""The Open Inference Protocol's own messages, as its specification prints them."""

from __future__ import annotations

import json

import pytest

from models.protocol import Answer, ProtocolError
from models.protocols.open_inference import PROTOCOL, read_request


def test_the_call_has_the_specified_path_and_body() -> None:
    call = PROTOCOL.infer("digits", [[1.0, 2.0], [3.0, 4.5]], "7")
    assert (call.method, call.path) == ("POST", "/v2/models/digits/versions/7/infer")
    assert json.loads(call.body) == {
        "inputs": [{"name": "input-0", "shape": [2, 2], "datatype": "FP64", "data": [1.0, 2.0, 3.0, 4.5]}]
    }
    assert PROTOCOL.ready("digits").path == "/v2/models/digits/ready"


def test_an_answer_is_read_with_and_without_what_is_optional() -> None:
    output = {"name": "output0", "shape": [2], "datatype": "FP32", "data": [1.5, 2]}
    minimal = {"model_name": "m", "outputs": [output]}
    full = minimal | {"model_version": "3", "id": "42", "parameters": {"a": 1}}
    assert PROTOCOL.answer(json.dumps(minimal).encode()) == Answer("m", None, (1.5, 2))
    assert PROTOCOL.answer(json.dumps(full).encode()) == Answer("m", "3", (1.5, 2))
    with pytest.raises(ProtocolError, match="no output"):
        PROTOCOL.answer(b'{"model_name": "m", "outputs": []}')


def test_the_specifications_example_request_is_read() -> None:
    request = read_request(
        b"""{"id": "42", "outputs": [{"name": "output0"}], "inputs": [
        {"name": "input0", "shape": [2, 2], "datatype": "UINT32", "data": [1, 2, 3, 4]},
        {"name": "input1", "shape": [3], "datatype": "BOOL", "data": [true]}]}"""
    )
    assert request.id == "42"
    assert [tensor.data for tensor in request.inputs] == [[1, 2, 3, 4], [True]]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "truncated"),
        (b"{}", "missing required field `inputs`"),
        (b'{"inputs": [{"name": "a", "shape": [1], "datatype": "FP8", "data": [1]}]}', "FP8"),
        (b'{"inputs": [{"name": "a", "shape": [1.5], "datatype": "FP32", "data": [1]}]}', "shape"),
        (b'{"inputs": [{"data": ' + b"[" * 100_000, "recursion"),
    ],
)
def test_a_body_that_is_no_request_is_refused_with_where_and_what(body: bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        read_request(body)
