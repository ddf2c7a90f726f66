"""The models are trained, reproducible, and differ in strength by enough to be told apart."""

from __future__ import annotations

import numpy as np
import pytest

from models.demo.classifier import train
from models.demo.digits import held_out


def test_the_strong_model_is_better_than_the_weak_by_a_clear_margin(strong, weak) -> None:
    assert 0.85 < weak.accuracy < 0.92
    assert 0.96 < strong.accuracy < 1
    assert strong.accuracy - weak.accuracy > 0.06


def test_the_fair_model_is_between_them(strong, weak) -> None:
    assert weak.accuracy + 0.03 < train("fair").accuracy < strong.accuracy - 0.03


def test_the_stated_accuracy_is_that_of_its_predictions(strong, weak) -> None:
    unseen = held_out()
    for model in (strong, weak):
        assert model.accuracy == np.mean(model.predict(unseen.images) == unseen.labels)


def test_training_again_gives_the_same_model(strong) -> None:
    unseen = held_out().images
    assert np.array_equal(train("strong").predict(unseen), strong.predict(unseen))


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match="unknown model 'stron'; known: weak, strong, fair; did you mean 'strong'"
    ):
        train("stron")
