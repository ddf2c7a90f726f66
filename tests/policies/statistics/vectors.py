"""Which product function computes a vector's numbers, and are they what was expected?

A vector is ``{id, method, inputs, expected, tolerance{rel[,abs]}, source}``. An adapter is a pair of
functions in one of ``adapters/*.py``:

    matches(method, inputs) -> bool          method in lower case; decide by its words and the inputs' keys
    compute(method, inputs) -> dict          more keys than expected are welcome, fewer are a failure

A key that ends in ``*`` holds a function of the number that an expected key has there: ``power_at_*`` answers
``power_at_1500``. A list of sizes that is expected as ``n`` says at which of them the rest is expected.

Each such file has a list ``ADAPTERS`` of pairs. An adapter knows the method, never the vector's id, so that
vectors with other inputs are computed too. The first one that yields every expected key counts.
"""

from __future__ import annotations

import json
import math
import os
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Adapter = tuple[Callable[[str, dict], bool], Callable[[str, dict], dict]]
HERE = Path(__file__).parent


def adapters() -> list[Adapter]:
    """All adapters, in the order of their files' names."""
    files = sorted((HERE / "adapters").glob("[!_]*.py"))
    return [adapter for file in files for adapter in runpy.run_path(str(file))["ADAPTERS"]]


def named(value: str) -> list[Path]:
    """The files named in TURNOUT_VECTORS, separated by ':'. Raises ValueError for one that is none."""
    files = [Path(name) for name in value.split(":") if name]
    for file in files:
        if not file.is_file():
            what = "is a folder" if file.is_dir() else "does not exist"
            allowed = "paths of JSON files that hold a list of vectors each, separated by ':'"
            raise ValueError(f"TURNOUT_VECTORS names {str(file)!r}, which {what}; allowed: {allowed}")
    return files


def vectors() -> Iterator[dict]:
    """All vectors of data/*_vectors.json and of the files named in TURNOUT_VECTORS (separated by ':')."""
    files = sorted((HERE / "data").glob("*vectors*.json"))
    for file in [*files, *named(os.environ.get("TURNOUT_VECTORS", ""))]:
        yield from json.loads(file.read_text())


def computed(vector: dict, known: list[Adapter]) -> dict:
    """What the product says to the vector's inputs. Raises LookupError when no adapter fits."""
    method, inputs, reasons = vector["method"].lower(), dict(vector["inputs"]), []
    if isinstance(vector["expected"].get("n"), list):
        inputs.setdefault("n", vector["expected"]["n"])
    for matches, compute in known:
        if not matches(method, inputs):
            continue
        try:
            result = numbered(compute(method, inputs), vector["expected"])
        except (KeyError, TypeError, ValueError) as error:
            reasons.append(f"{compute.__module__}.{compute.__name__}: {error!r}")
            continue
        missing = sorted(set(vector["expected"]) - set(result))
        if not missing:
            return result
        reasons.append(f"{compute.__name__} lacks {missing}")
    why = "; ".join(reasons) or f"none knows this method with the inputs {sorted(inputs)}"
    raise LookupError(f"no adapter computes {vector['id']!r} ({vector['method']}): {why}")


def numbered(result: dict, expected: dict) -> dict:
    """The result with each ``name_*`` asked for every number that an expected ``name_...`` ends in."""
    functions = {key[:-1]: function for key, function in result.items() if key.endswith("*")}
    asked = {
        key: function(float(key.removeprefix(start)))
        for key in expected
        for start, function in functions.items()
        if key.startswith(start)
    }
    return {**{key: value for key, value in result.items() if not key.endswith("*")}, **asked}


def differences(expected: Any, got: Any, tolerance: dict, at: str = "") -> Iterator[str]:
    """Each place where the two differ by more than the tolerance."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            yield from differences(value, got[key], tolerance, f"{at}.{key}")
    elif isinstance(expected, list):
        if len(expected) != len(got):
            yield f"{at}: {len(got)} values for {len(expected)}"
        for i, (one, other) in enumerate(zip(expected, got, strict=False)):
            yield from differences(one, other, tolerance, f"{at}[{i}]")
    elif isinstance(expected, bool) or not isinstance(expected, (int, float)):
        if expected != got:
            yield f"{at}: expected {expected!r}, got {got!r}"
    elif not math.isclose(
        expected, got, rel_tol=tolerance.get("rel", 1e-9), abs_tol=tolerance.get("abs", 1e-14)
    ):
        yield f"{at}: expected {expected!r}, got {got!r}"
