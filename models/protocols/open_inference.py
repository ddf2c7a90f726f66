"""What do servers of the Open Inference Protocol (version 2, REST) send and expect?

Specification: kserve/open-inference-protocol, ``specification/protocol/inference_rest.md``. KServe, Triton,
MLServer, Seldon and TorchServe speak it. The messages serve both faces: the client's, which is `PROTOCOL`,
and a server's, such as `models.demo.server`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Struct, UnsetType

from models.protocol import Answer, Call, ModelProtocol, ProtocolError, Value

INPUT = "input-0"
"""The name of the only input of `OpenInference.infer`, as servers of one-tensor models have it."""

Datatype = Literal[
    "BOOL", "BYTES", "FP16", "FP32", "FP64",
    "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64",
]  # fmt: skip


class TensorMetadata(Struct, frozen=True, kw_only=True):
    """A tensor's form; a dimension of -1 may have any size."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]


class Tensor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tensor with its elements in row-major order, flat or nested as its shape says."""

    name: str
    shape: tuple[int, ...]
    datatype: Datatype
    data: list[Any]
    parameters: dict[str, Any] | UnsetType = UNSET


class RequestedOutput(Struct, frozen=True):
    """An output that the client wants."""

    name: str


class InferenceRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a call to ``infer``."""

    inputs: tuple[Tensor, ...]
    id: str | UnsetType = UNSET
    outputs: tuple[RequestedOutput, ...] | UnsetType = UNSET


class InferenceResponse(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a successful answer."""

    model_name: str
    outputs: tuple[Tensor, ...]
    model_version: str | UnsetType = UNSET
    id: str | UnsetType = UNSET


class ServerMetadata(Struct, frozen=True):
    """The body of ``GET /v2``."""

    name: str
    version: str
    extensions: tuple[str, ...] = ()


class ModelMetadata(Struct, frozen=True, kw_only=True):
    """The body of ``GET /v2/models/{model}``."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


class Failure(Struct, frozen=True):
    """The body of every error."""

    error: str


_requests = msgspec.json.Decoder(InferenceRequest)
_responses = msgspec.json.Decoder(InferenceResponse)
_failures = msgspec.json.Decoder(Failure)


def read_request(body: bytes) -> InferenceRequest:
    """The request that a body holds; `ProtocolError` where it holds none."""
    try:
        return _requests.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProtocolError(f"the body is not an inference request: {error}") from None


class OpenInference:
    """The client's face: one unnamed matrix in, the first output's values back."""

    name = "open-inference"

    def infer(self, model: str, rows: Sequence[Sequence[float]], version: str | None = None) -> Call:
        """See `models.protocol.ModelProtocol`; the rows travel as one FP64 tensor of shape [n, width]."""
        widths = {len(row) for row in rows}
        if len(widths) != 1:
            raise ProtocolError(f"rows have the lengths {sorted(widths)}; allowed: rows of one length")
        tensor = Tensor(
            name=INPUT,
            shape=(len(rows), widths.pop()),
            datatype="FP64",
            data=[value for row in rows for value in row],
        )
        body = msgspec.json.encode(InferenceRequest(inputs=(tensor,)))
        return Call("POST", f"{_model_path(model, version)}/infer", body, "application/json")

    def ready(self, model: str) -> Call:
        """See `models.protocol.ModelProtocol`."""
        return Call("GET", f"{_model_path(model, None)}/ready")

    def answer(self, body: bytes) -> Answer:
        """See `models.protocol.ModelProtocol`."""
        try:
            response = _responses.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise ProtocolError(f"the body is not an inference response: {error}") from None
        if not response.outputs:
            raise ProtocolError("the inference response has no output; allowed: one or more")
        version = None if response.model_version is UNSET else response.model_version
        values: tuple[Value, ...] = tuple(response.outputs[0].data)
        return Answer(response.model_name, version, values)

    def failure(self, body: bytes) -> str | None:
        """See `models.protocol.ModelProtocol`."""
        try:
            return _failures.decode(body).error
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None


def _model_path(model: str, version: str | None) -> str:
    path = f"/v2/models/{quote(model, safe='')}"
    return path if version is None else f"{path}/versions/{quote(version, safe='')}"


PROTOCOL: ModelProtocol = OpenInference()
