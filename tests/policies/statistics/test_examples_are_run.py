"""Has every public function an example that is really run, and does it say whence it is?

A docstring with ``>>>`` proves nothing by itself: a decorated function may not be collected, an example may
be skipped, or expect nothing.
"""

from __future__ import annotations

import doctest
import inspect
import re
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from policies.statistics import catalog

FAMILIES = {
    "adaptive", "adjustment", "always_valid", "bayes", "difference", "guardrail", "health", "lift",
    "multiplicity", "planned", "planning", "quantile", "strata", "kernel", "arguments", "logarithms",
}  # fmt: skip
# Forms over whole arrays, for the report, of a method that stands beside them with its example.
ARRAYS = {
    "policies.statistics.strata.additive.fitted",
    "policies.statistics.strata.inverse_variance.combined",
}
MODULES = [module for module in catalog.modules() if module.__name__.split(".")[2] in FAMILIES]


def public(module: ModuleType) -> Iterator[tuple[str, object]]:
    """The functions that the module defines itself and does not hide, also where a decorator wraps them."""
    for name, found in vars(module).items():
        whole = inspect.unwrap(found) if callable(found) else found
        if inspect.isfunction(whole) and whole.__module__ == module.__name__ and not name.startswith("_"):
            yield f"{module.__name__}.{name}", found


FUNCTIONS = [pair for module in MODULES for pair in public(module) if pair[0] not in ARRAYS]
RUN = {test.name: test for module in MODULES for test in doctest.DocTestFinder().find(module)}


# These have no formula: they say which evidence can be compared at all.
CHECKS = {"usable", "empty_variant"}
OF_METHODS = [
    (name, function)
    for name, function in FUNCTIONS
    if name.count(".") > 3 and name.rpartition(".")[2] not in CHECKS
]


def test_there_are_functions_to_judge() -> None:
    assert len(FUNCTIONS) > 100
    names = {name.rpartition(".")[2] for name, _ in FUNCTIONS}
    assert {"welch", "rho", "group_sequential", "bernoulli_divergence"} <= names


@pytest.mark.parametrize(("name", "function"), FUNCTIONS, ids=[name for name, _ in FUNCTIONS])
def test_an_example_is_run_and_expects_something(name: str, function: object) -> None:
    assert name in RUN, "its docstring is not collected"
    examples = RUN[name].examples
    assert any(example.want for example in examples), "no example that expects anything"
    assert not any(option == doctest.SKIP and on for each in examples for option, on in each.options.items())


@pytest.mark.parametrize(("name", "function"), OF_METHODS, ids=[name for name, _ in OF_METHODS])
def test_it_says_whence_it_is(name: str, function: object) -> None:
    words = (inspect.getdoc(function) or "") + (inspect.getdoc(sys.modules[name.rpartition(".")[0]]) or "")
    assert re.search(r"\b(17|18|19|20)\d\d\b", words), "no source with a year"
