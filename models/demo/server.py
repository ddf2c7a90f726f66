"""How does a demo model serve the Open Inference Protocol over HTTP?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.demo.classifier import MODEL, Classifier
from models.demo.tensors import INPUTS, OUTPUT, OUTPUTS, read_images
from models.protocol import ProtocolError
from models.protocols.open_inference import (
    Failure,
    InferenceResponse,
    ModelMetadata,
    ServerMetadata,
    Tensor,
    read_request,
)

BODY_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Faults:
    """How the server misbehaves on purpose: the share of answers that fail, what each takes longer (s)."""

    fail_share: float = 0.0
    latency: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.fail_share <= 1:
            raise ValueError(f"fail share is {self.fail_share}; allowed: from 0 to 1")
        if not 0 <= self.latency < float("inf"):
            raise ValueError(f"latency is {self.latency} s; allowed: 0 or more")


def make_app(classifier: Classifier, faults: Faults | None = None) -> Starlette:
    """The application that serves one trained model as ``digits``, in one version."""
    faults = faults or Faults()
    luck = Random(faults.seed)

    async def infer(request: Request) -> Response:
        _require_model(request, classifier)
        body = await _read_body(request)
        if faults.latency:
            await asyncio.sleep(faults.latency)
        if luck.random() < faults.fail_share:
            raise HTTPException(500, "the model failed: this server was asked to fail a share of its answers")
        return _json(_infer(classifier, body))

    async def metadata(request: Request) -> Response:
        _require_model(request, classifier)
        return _json(
            ModelMetadata(
                name=MODEL,
                versions=(classifier.version,),
                platform=classifier.platform,
                inputs=INPUTS,
                outputs=OUTPUTS,
            )
        )

    async def model_ready(request: Request) -> Response:
        _require_model(request, classifier)
        return _json({"name": MODEL, "ready": True})

    routes = [
        Route("/v2", _always(ServerMetadata("turnout demo models", "1"))),
        Route("/v2/health/live", _always({"live": True})),
        Route("/v2/health/ready", _always({"live": True, "ready": True})),
    ]
    for path in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        routes += [
            Route(path, metadata),
            Route(f"{path}/ready", model_ready),
            Route(f"{path}/infer", infer, methods=["POST"]),
        ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _fail, ProtocolError: _refuse})


def _infer(classifier: Classifier, body: bytes) -> InferenceResponse:
    request = read_request(body)
    digits = classifier.predict(read_images(request))
    output = Tensor(name=OUTPUT, shape=digits.shape, datatype="INT64", data=digits.tolist())
    return InferenceResponse(
        model_name=MODEL, model_version=classifier.version, id=request.id, outputs=(output,)
    )


def _require_model(request: Request, classifier: Classifier) -> None:
    model = request.path_params["model"]
    if model != MODEL:
        raise HTTPException(404, f"unknown model {model!r}; known: {MODEL!r}")
    version = request.path_params.get("version", classifier.version)
    if version != classifier.version:
        raise HTTPException(404, f"unknown version {version!r} of {MODEL!r}; known: {classifier.version!r}")


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise HTTPException(413, f"the body is longer than {BODY_BYTES} bytes")
    return bytes(body)


def _always(answer: object) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return _json(answer)

    return endpoint


def _json(answer: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(answer), status, media_type="application/json")


def _fail(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = _json(Failure(error.detail), error.status_code)
    response.headers.update(error.headers or {})
    return response


def _refuse(request: Request, error: Exception) -> Response:
    return _json(Failure(str(error)), 400)
