"""Which images are the demo's models trained on, and which are kept for its users?

The 1,797 images of handwritten digits that ship with scikit-learn (8 by 8 pixels of 0 to 16; UCI ML
repository, Alpaydin & Kaynak 1998), split in half, by class, with a fixed seed: no model ever saw the images
that the users send.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

PIXELS = 64
CLASSES = 10

_SEED = 20_240


@dataclass(frozen=True, slots=True)
class Examples:
    """Images, shape [n, 64], and the digit that each shows, shape [n]; read-only."""

    images: NDArray[np.float64]
    labels: NDArray[np.int64]


@cache
def _halves() -> tuple[Examples, Examples]:
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images, labels, test_size=0.5, random_state=_SEED, stratify=labels)
    for part in parts:
        part.flags.writeable = False
    return Examples(parts[0], parts[2]), Examples(parts[1], parts[3])


def training() -> Examples:
    """The half that models learn from."""
    return _halves()[0]


def held_out() -> Examples:
    """The half that users send."""
    return _halves()[1]
