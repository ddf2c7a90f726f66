"""Images are read from tensors of every allowed form, and others are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.demo.tensors import ROWS, read_images
from models.protocol import ProtocolError
from models.protocols.open_inference import read_request

PIXELS = list(range(64))


def request(shape, data, datatype="FP32", name="input-0", **rest):
    tensor = {"name": name, "shape": shape, "datatype": datatype, "data": data}
    return read_request(json.dumps({"inputs": [tensor]} | rest).encode())


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ([1, 64], PIXELS),
        ([1, 64], [PIXELS]),
        ([1, 8, 8], [[PIXELS[row : row + 8] for row in range(0, 64, 8)]]),
        ([1, 8, 8], PIXELS),
    ],
)
@pytest.mark.parametrize("datatype", ["UINT8", "INT64", "FP32", "FP64"])
def test_every_form_of_one_image_is_the_same_image(shape, data, datatype) -> None:
    images = read_images(request(shape, data, datatype))
    assert images.dtype == np.float64
    assert images.tolist() == [PIXELS]


def test_a_batch_keeps_its_order() -> None:
    assert read_images(request([2, 64], PIXELS + PIXELS[::-1])).tolist() == [PIXELS, PIXELS[::-1]]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            lambda: request([1, 64], PIXELS, name="pixels"),
            "inputs are .'pixels'.; allowed: exactly one, named",
        ),
        (lambda: read_request(b'{"inputs": []}'), "inputs are .*allowed: exactly one"),
        (lambda: request([1, 64], PIXELS, outputs=[{"name": "other"}]), "outputs are .'other'.; allowed"),
        (lambda: request([64], PIXELS), r"shape of 'input-0' is \[64\]"),
        (lambda: request([0, 64], []), "n from 1 to"),
        (lambda: request([ROWS + 1, 64], []), "n from 1 to"),
        (lambda: request([1, -8, -8], PIXELS), "shape"),
        (lambda: request([1, 64], PIXELS, "BYTES"), "datatype of 'input-0' is BYTES"),
        (lambda: request([1, 64], PIXELS[:-1]), r"form \[63\]; allowed: 64 elements"),
        (lambda: request([1, 64], [*PIXELS[:-1], "1"]), "not all numbers"),
        (lambda: request([1, 64], [*PIXELS[:-1], None]), "not all numbers"),
        (lambda: request([1, 64], [*PIXELS[:-1], 10**40]), "not all numbers"),
        (lambda: request([1, 64], [True] * 64), "not all numbers"),
        (lambda: request([1, 64], [PIXELS[:60], PIXELS[60:]]), "ragged"),
    ],
)
def test_what_holds_no_images_is_refused_with_what_is_allowed(wrong, says) -> None:
    with pytest.raises(ProtocolError, match=says):
        read_images(wrong())
