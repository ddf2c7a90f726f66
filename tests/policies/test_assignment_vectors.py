"""Do the published vectors say what the code does, and can they be had from their description alone?

The vectors are written by the second implementation below, which follows the description in the file and
shares no code with the product: logarithms are taken to 40 digits, and a winner is found among fractions.
``python tests/policies/test_assignment_vectors.py`` writes the file anew.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest

import policies
from policies.assignment import BUCKETS, POSITIONS, assign, bucket_prefix, draw, draw_prefix, place, score
from policies.plan import Plan

FILE = Path(policies.__file__).with_name("assignment_vectors.json")

DESCRIPTION = [
    "A unit is assigned by weighted rendezvous hashing. All text is UTF-8.",
    "For each variant with a weight above 0: h = the first 8 bytes of SHA-256(salt + '.' + variant + '.' + "
    "unit), read as a big-endian unsigned integer.",
    "u = (h + 0.5) / 2^64 in IEEE 754 doubles: h is rounded to the nearest double, then 0.5 is added.",
    "score = ln(u) / weight. The variant with the largest score (the one nearest to 0) gets the unit; of two "
    "equal scores, the variant whose name comes first by code points.",
    "A variant of weight 0 has no score (null) and never gets a unit.",
    "p = the first 8 bytes of SHA-256(salt + '..' + unit), big-endian: bucket = p mod 1024, position = p "
    "shifted right by 44 bits. Neither depends on the variants or their weights.",
    "Who takes part: q = the first 8 bytes of SHA-256(salt + '..' + purpose + '.' + unit), big-endian, "
    "shifted right by 11 bits, over 2^53, which is exact in a double. Purposes are layer and holdout, each "
    "with the layer's or holdout's salt (its name, unless it has one), and share, with the experiment's.",
    "A unit is in a layer's part [from, to) if from <= q < to, in a holdout or in a share of size s if q "
    "< s.",
    "Scores may differ in the last digits between libraries; compare them to a relative error of 1e-12.",
]

SALTS = ["ranker", "checkout_2024", "a", "search-v2.holdout:7", "Z" * 32]
ALLOCATIONS: list[dict[str, float]] = [
    {"champion": 90, "challenger": 10},
    {"champion": 80, "challenger": 20},
    {"champion": 70, "challenger": 30},
    {"a": 1, "b": 1},
    {"a": 0.1, "b": 0.2, "c": 0.7},
    {"only": 1},
    {"on": 5, "paused": 0},
    {"tiny": 1e-6, "rest": 1},
    {"a": 1e300, "b": 1e299},
    {f"v{number:02}": number + 1 for number in range(24)},
    {"B": 2.5, "a": 2.5, "_": 2.5, "-": 2.5},
]
UNITS = [
    *[f"user-{number}" for number in range(12)],
    *[str(number) for number in (0, 1, 42, 2**63)],
    *["", " ", ".", "..", "a.b", "user-1 ", "User-1", "\u0000", "line\nbreak", "tab\tstop"],
    *["Zoë", "Zoe\u0308", "用户-1", "пользователь", "🚂", "👩🏽‍🔬", "\ufeffbom", "עברית", "x" * 300],
    "3f2b8f0e-5a2e-4d0e-9b1a-6f0d4b9c7a11",
]


def reference(salt: str, weights: dict[str, float], unit: str) -> dict[str, Any]:
    """One case, from the description."""
    scores: dict[str, float | None] = {}
    for name, weight in weights.items():
        if weight == 0:
            scores[name] = None
            continue
        digest = hashlib.sha256(f"{salt}.{name}.{unit}".encode()).hexdigest()
        u = (float(int(digest[:16], 16)) + 0.5) / float(2**64)
        with localcontext() as context:
            context.prec = 40
            scores[name] = float(Decimal(u).ln() / Decimal(weight))
    best = max(value for value in scores.values() if value is not None)
    variant = sorted(name for name, value in scores.items() if value == best)[0]
    draws = {
        purpose: (int(hashlib.sha256(f"{salt}..{purpose}.{unit}".encode()).hexdigest()[:16], 16) >> 11)
        / 2**53
        for purpose in ("layer", "holdout", "share")
    }
    place_digest = hashlib.sha256(f"{salt}..{unit}".encode()).hexdigest()
    return {
        "salt": salt,
        "weights": weights,
        "unit": unit,
        "variant": variant,
        "bucket": int(place_digest[13:16], 16) % 1024,
        "position": int(place_digest[:5], 16),
        "draws": draws,
        "scores": scores,
    }


def generate() -> list[dict[str, Any]]:
    """Every unit under every allocation, with the salts in turn."""
    pairs = [(weights, unit) for weights in ALLOCATIONS for unit in UNITS]
    return [
        reference(SALTS[index % len(SALTS)], weights, unit) for index, (weights, unit) in enumerate(pairs)
    ]


def text() -> str:
    """The file's contents: one case in each line."""
    rows = ",\n".join("    " + json.dumps(case, ensure_ascii=False) for case in generate())
    head = json.dumps(DESCRIPTION, indent=2).replace("\n", "\n  ")
    return f'{{\n  "description": {head},\n  "cases": [\n{rows}\n  ]\n}}\n'


CASES: list[dict[str, Any]] = json.loads(FILE.read_text("utf-8"))["cases"] if FILE.exists() else []


def test_the_published_file_is_what_the_description_gives() -> None:
    assert FILE.read_text("utf-8") == text()


def test_a_few_hundred_cases_with_every_variant_winning_somewhere() -> None:
    assert len(CASES) >= 300
    for weights in ALLOCATIONS[:6]:
        won = {case["variant"] for case in CASES if case["weights"] == weights}
        assert won == set(weights)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['salt'][:9]}-{case['unit'][:9]!a}")
def test_the_code_agrees_with_the_vectors(case: dict[str, Any]) -> None:
    unit = case["unit"].encode()
    plan = Plan(case["salt"], case["weights"])
    placed = place(bucket_prefix(case["salt"]), unit)

    assert assign(plan, unit).variant == case["variant"]
    assert placed % BUCKETS == case["bucket"]
    assert placed >> 44 == case["position"] < POSITIONS
    assert {each: draw(draw_prefix(case["salt"], each), unit) for each in case["draws"]} == case["draws"]
    computed = {arm.decision.variant: score(arm.prefix, arm.weight, unit) for arm in plan.arms}
    expected = {name: value for name, value in case["scores"].items() if value is not None}
    assert computed == pytest.approx(expected, rel=1e-12, abs=0)


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
