"""Which images does an inference request hold?"""

from __future__ import annotations

from math import prod

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from models.demo.digits import PIXELS
from models.protocol import ProtocolError
from models.protocols.open_inference import INPUT, InferenceRequest, Tensor, TensorMetadata

OUTPUT = "output-0"
ROWS = 1024
"""The most images in one request."""

INPUTS = (TensorMetadata(name=INPUT, datatype="FP64", shape=(-1, PIXELS)),)
OUTPUTS = (TensorMetadata(name=OUTPUT, datatype="INT64", shape=(-1,)),)

_NUMERIC = ("UINT", "INT", "FP")


def read_images(request: InferenceRequest) -> NDArray[np.float64]:
    """The images, shape [n, 64], n from 1 to `ROWS`; `ProtocolError` where the request holds none."""
    names = [tensor.name for tensor in request.inputs]
    if names != [INPUT]:
        raise ProtocolError(f"inputs are {names}; allowed: exactly one, named {INPUT!r}")
    wanted = [] if request.outputs is UNSET else [output.name for output in request.outputs]
    if any(name != OUTPUT for name in wanted):
        raise ProtocolError(f"requested outputs are {wanted}; allowed: {OUTPUT!r}")

    tensor = request.inputs[0]
    shape = tensor.shape
    if len(shape) < 2 or not 1 <= shape[0] <= ROWS or prod(shape[1:]) != PIXELS or min(shape) < 1:
        raise ProtocolError(
            f"shape of {INPUT!r} is {list(shape)}; allowed: [n, {PIXELS}] or [n, 8, 8], n from 1 to {ROWS}"
        )
    if not tensor.datatype.startswith(_NUMERIC):
        raise ProtocolError(f"datatype of {INPUT!r} is {tensor.datatype}; allowed: a UINT, INT or FP type")
    return _elements(tensor).reshape(shape[0], PIXELS)


def _elements(tensor: Tensor) -> NDArray[np.float64]:
    try:
        elements = np.asarray(tensor.data)
    except (ValueError, OverflowError):
        raise ProtocolError(
            f"data of {tensor.name!r} is ragged; allowed: a flat or an evenly nested list"
        ) from None
    if elements.dtype.kind not in "iuf":
        raise ProtocolError(
            f"data of {tensor.name!r} is not all numbers; allowed: {tensor.datatype} elements"
        )
    if elements.shape not in {tensor.shape, (prod(tensor.shape),)}:
        raise ProtocolError(
            f"data of {tensor.name!r} has the form {list(elements.shape)}; "
            f"allowed: {prod(tensor.shape)} elements, flat or nested as {list(tensor.shape)}"
        )
    return elements.astype(np.float64)
