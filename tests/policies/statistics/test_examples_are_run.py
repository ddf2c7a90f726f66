"""Has every public function an example that is really run, and does it say whence it is?

A docstring with ``>>>`` proves nothing by itself: a decorated function may not be collected, an example may
be skipped, or expect nothing. A method of one statement is plumbing, for which a line is enough; all other
methods, and every function, need an example.
"""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from policies.statistics import catalog

MODULES = list(catalog.modules())


def documented(module: ModuleType) -> Iterator[tuple[str, ast.FunctionDef, bool]]:
    """The public functions and methods that the module's text defines, and which may do without one."""
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield f"{module.__name__}.{node.name}", node, False
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for each in node.body:
                if isinstance(each, ast.FunctionDef) and not each.name.startswith("_"):
                    has_doc = ast.get_docstring(each) is not None
                    yield f"{module.__name__}.{node.name}.{each.name}", each, len(each.body) - has_doc <= 1


ALL = [found for module in MODULES for found in documented(module)]
DOCUMENTS = {name: ast.get_docstring(node) for name, node, _ in ALL}
FUNCTIONS = [name for name, _, plumbing in ALL if not plumbing]
RUN = {test.name: test for module in MODULES for test in doctest.DocTestFinder().find(module)}

# The packages that hold methods; the rest is arithmetic for them, or the report that uses them.
METHODS = (
    "adaptive", "adjustment", "always_valid", "bayes", "difference", "guardrail", "health", "lift",
    "multiplicity", "planned", "planning", "quantile", "strata",
)  # fmt: skip
OF_METHODS = [name for name in FUNCTIONS if name.split(".")[2] in METHODS and name.split(".")[-2].islower()]


def test_there_are_functions_to_judge() -> None:
    assert len(FUNCTIONS) > 200
    names = {name.rpartition(".")[2] for name in FUNCTIONS}
    assert {"welch", "rho", "group_sequential", "bernoulli_divergence", "combine", "units_needed"} <= names


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_says_what_it_is(name: str) -> None:
    assert DOCUMENTS[name]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_example_is_run_and_expects_something(name: str) -> None:
    assert name in RUN, "its docstring is not collected"
    examples = RUN[name].examples
    assert any(example.want for example in examples), "no example that expects anything"
    assert not any(option == doctest.SKIP and on for each in examples for option, on in each.options.items())


@pytest.mark.parametrize("name", OF_METHODS)
def test_it_says_whence_it_is(name: str) -> None:
    words = (DOCUMENTS[name] or "") + (inspect.getdoc(sys.modules[name.rpartition(".")[0]]) or "")
    assert re.search(r"\b(17|18|19|20)\d\d\b", words), "no source with a year"
