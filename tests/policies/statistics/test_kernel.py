"""Is a product in blocks the product, for any number of rows and columns?"""

from __future__ import annotations

import numpy as np
import pytest

from policies.statistics.kernel import over_rows


@pytest.mark.parametrize("shape", [(1, 1), (50, 1024), (3, 7), (20_000, 6), (5, 3744), (0, 4), (4, 0)])
@pytest.mark.parametrize("many", [(), (3,)])
def test_over_rows(shape: tuple[int, int], many: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    rows, weights = rng.normal(size=(shape[0], 2, shape[1]))[:, 1], rng.normal(size=(*many, shape[0]))
    found = over_rows(weights, rows)
    assert found.shape == (*many, shape[1])
    assert np.allclose(found, weights @ rows)


def test_over_rows_takes_many_products_at_once() -> None:
    rng = np.random.default_rng(2)
    rows, weights = rng.normal(size=(50, 3, 96)), rng.normal(size=(3, 5, 50))
    found = over_rows(weights, rows.swapaxes(0, 1))
    assert np.allclose(found, np.einsum("vre,evb->vrb", weights, rows))
