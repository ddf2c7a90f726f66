"""Which models does the demo compare, and how good are they?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.naive_bayes import MultinomialNB
from sklearn.svm import SVC

from models.demo.digits import held_out, training

MODEL = "digits"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A classifier not trained yet; ``version`` is the one it is served as."""

    version: str
    platform: str
    build: Callable[[], Any]


RECIPES = MappingProxyType(
    {
        "weak": Recipe("1", "sklearn_multinomial_nb", MultinomialNB),
        "strong": Recipe("2", "sklearn_svc", lambda: SVC(gamma=0.001)),
        "fair": Recipe("3", "sklearn_lda", LinearDiscriminantAnalysis),
    }
)


@dataclass(frozen=True, slots=True)
class Classifier:
    """A trained model, and the share of the held-out images that it reads rightly."""

    strength: str
    version: str
    platform: str
    accuracy: float
    estimator: Any

    def predict(self, images: NDArray[np.float64]) -> NDArray[np.int64]:
        """The digits that images of shape [n, 64] show, shape [n]."""
        predicted: NDArray[np.int64] = self.estimator.predict(images)
        return predicted


def train(strength: str) -> Classifier:
    """The model of that strength, trained now; `ValueError` with the known ones where there is none."""
    recipe = RECIPES.get(strength)
    if recipe is None:
        nearest = get_close_matches(strength, RECIPES, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"unknown model {strength!r}; known: {', '.join(RECIPES)}{hint}")

    seen, unseen = training(), held_out()
    estimator = recipe.build().fit(seen.images, seen.labels)
    accuracy = float(estimator.score(unseen.images, unseen.labels))

    return Classifier(strength, recipe.version, recipe.platform, accuracy, estimator)
