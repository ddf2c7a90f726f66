"""The users' images are none that a model has seen."""

from __future__ import annotations

import numpy as np
import pytest

from models.demo.digits import CLASSES, PIXELS, held_out, training


def test_the_halves_share_no_image_and_are_the_whole() -> None:
    assert training().images.shape[1] == held_out().images.shape[1] == PIXELS
    both = np.vstack([training().images, held_out().images])
    assert len(np.unique(both, axis=0)) == len(both) == 1797


def test_every_digit_is_in_both_halves_in_the_same_share() -> None:
    seen, unseen = (np.bincount(half.labels, minlength=CLASSES) for half in (training(), held_out()))
    assert np.abs(seen - unseen).max() <= 1


def test_nobody_can_change_them() -> None:
    with pytest.raises(ValueError, match="read-only"):
        held_out().images[0, 0] = 1
