"""The server's routes, as the Open Inference Protocol has them, over a real socket."""

from __future__ import annotations

import httpx
import pytest

from models.demo.digits import held_out
from models.demo.server import BODY_BYTES, Faults, make_app
from models.protocols.open_inference import PROTOCOL

INFER = "/v2/models/digits/infer"


@pytest.fixture
async def client(serve, weak):
    async with serve(make_app(weak)) as url, httpx.AsyncClient(base_url=url) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v2", {"name": "turnout demo models", "version": "1", "extensions": []}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"live": True, "ready": True}),
        ("/v2/models/digits/ready", {"name": "digits", "ready": True}),
        ("/v2/models/digits/versions/1/ready", {"name": "digits", "ready": True}),
    ],
)
async def test_health_and_server_metadata(client, path, answer) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()) == (200, answer)


async def test_model_metadata_names_what_infer_takes_and_gives(client) -> None:
    metadata = (await client.get("/v2/models/digits")).json()
    assert metadata == (await client.get("/v2/models/digits/versions/1")).json()
    assert metadata["versions"] == ["1"]
    body = {
        "id": "42",
        "inputs": [
            {"name": tensor["name"], "datatype": tensor["datatype"], "shape": [1, 64], "data": [0] * 64}
            for tensor in metadata["inputs"]
        ],
        "outputs": [{"name": tensor["name"]} for tensor in metadata["outputs"]],
    }
    response = await client.post(INFER, json=body)
    assert response.status_code == 200
    assert response.json()["id"] == "42"
    assert response.json()["model_version"] == "1"
    output = response.json()["outputs"][0]
    assert (output["name"], output["datatype"]) == (
        metadata["outputs"][0]["name"],
        metadata["outputs"][0]["datatype"],
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", INFER, b"{", 400, "not an inference request"),
        ("POST", INFER, b'{"inputs": []}', 400, "allowed: exactly one"),
        ("POST", "/v2/models/letters/infer", b"{}", 404, "known: 'digits'"),
        ("POST", "/v2/models/digits/versions/9/infer", b"{}", 404, "known: '1'"),
        ("GET", "/v2/models/digits/versions/9", b"", 404, "known: '1'"),
        ("GET", "/v2/nothing", b"", 404, "Not Found"),
        ("GET", INFER, b"", 405, "Method Not Allowed"),
        ("POST", INFER, b" " * (BODY_BYTES + 1), 413, "longer than"),
    ],
)
async def test_errors_have_their_status_and_the_protocols_form(
    client, method, path, body, status, says
) -> None:
    response = await client.request(method, path, content=body)
    assert response.status_code == status
    assert says in response.json()["error"]
    assert list(response.json()) == ["error"]


async def test_it_fails_the_share_that_it_was_asked_to(serve, weak) -> None:
    call = PROTOCOL.infer("digits", held_out().images[:1].tolist())
    async with (
        serve(make_app(weak, Faults(fail_share=0.3))) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        statuses = [(await client.post(call.path, content=call.body)).status_code for _ in range(300)]
    assert set(statuses) == {200, 500}
    assert 60 <= statuses.count(500) <= 120


@pytest.mark.parametrize("wrong", [{"fail_share": 1.1}, {"fail_share": -0.1}, {"latency": -1}])
def test_faults_out_of_range_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="allowed"):
        Faults(**wrong)
