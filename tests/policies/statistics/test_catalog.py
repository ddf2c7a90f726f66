"""Is every method found by its folder, and does it say what it is, whence, and how it fails?"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from policies import statistics
from policies.statistics import catalog
from policies.statistics.catalog import find, methods

METHODS = list(methods().items())
FAMILIES = {
    "adaptive", "adjustment", "always_valid", "bayes", "difference", "guardrail", "health", "lift",
    "multiplicity", "planned", "planning", "quantile", "strata",
}  # fmt: skip


def test_every_family_offers_a_method() -> None:
    offered = {function.__module__.split(".")[2] for _, function in METHODS}
    assert offered == FAMILIES


def test_every_module_of_a_family_offers_a_method_or_serves_one() -> None:
    folder = Path(statistics.__path__[0])
    sources = {path: path.read_text() for path in folder.rglob("*.py")}
    for module in catalog.modules():
        parts = module.__name__.split(".")
        if len(parts) == 4 and parts[2] in FAMILIES and not hasattr(module, "METHODS"):
            name = module.__name__
            users = [text for text in sources.values() if f"from {name} import" in text]
            assert users, f"{name} offers no METHODS and nothing imports it"


@pytest.mark.parametrize(("name", "function"), METHODS, ids=[name for name, _ in METHODS])
def test_contract(name: str, function: Callable[..., object]) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    assert not function.__name__.startswith("_")
    doc = inspect.getdoc(function) or ""
    module = sys.modules[function.__module__]
    assert ">>> " in doc, "no example"
    whole = doc + (module.__doc__ or "")
    assert re.search(r"\b(17|18|19|20)\d\d\b", whole), "no source with a year"
    assert re.search(r"NotEstimable|Raises|errors|Errors", whole), "says nothing of errors"
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(p.annotation is not inspect.Parameter.empty for p in signature.parameters.values())


def test_known_name() -> None:
    assert find("newcombe").__name__ == "newcombe"


def test_unknown_name_is_refused_with_the_nearest_and_all() -> None:
    with pytest.raises(KeyError, match="did you mean 'welch'") as error:
        find("welsh")
    assert all(name in str(error.value) for name in methods())


def test_two_functions_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["policies.statistics.lift.delta"]
    monkeypatch.setitem(module.METHODS, "welch", module.delta_lift)
    catalog.methods.cache_clear()
    try:
        with pytest.raises(ValueError, match="two methods are called 'welch'"):
            methods()
    finally:
        monkeypatch.undo()
        catalog.methods.cache_clear()
