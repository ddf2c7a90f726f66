"""Group-sequential boundaries and constants."""

from __future__ import annotations

from policies.statistics.planned.group_sequential import (
    crossing_probabilities,
    group_sequential,
    obrien_fleming_constant,
    pocock_constant,
)

TIMES = ("t", "information", "information_fractions", "fractions")


def named(method: str) -> bool:
    return any(word in method for word in ("pocock", "brien", "obf", "lan-demets", "group sequential"))


def timed(inputs: dict) -> bool:
    return any(key in inputs for key in TIMES)


def spending_of(method: str) -> str:
    if "power" in method:
        return "power"
    return "pocock" if "pocock" in method else "obrien_fleming"


def of_constant(method: str, inputs: dict) -> dict:
    function = pocock_constant if "pocock" in method else obrien_fleming_constant
    sides = inputs.get("sides", 1 if "one-sided" in method else 2)
    looks = inputs["K"]
    if isinstance(looks, list):
        return {"c": [function(k, inputs["alpha"], sides) for k in looks]}
    return {"c": function(looks, inputs["alpha"], sides)}


def of_schedule(method: str, inputs: dict) -> dict:
    times = next((inputs[key] for key in TIMES if key in inputs), None)
    times = times or [(k + 1) / inputs["K"] for k in range(inputs["K"])]
    phi = inputs.get("phi", inputs.get("rho", 1.0))
    sides = inputs.get("sides", 1 if "one-sided" in method else 2)
    found = group_sequential(times, inputs["alpha"], sides, spending_of(method), phi)
    nominal = crossing_probabilities(times, found.z, 0.0, sides)
    return {"z": list(found.z), "bounds": list(found.z), "spent": list(found.spent),
            "cumulative_alpha": list(found.spent), "exit": list(nominal)}  # fmt: skip


def of_crossing(method: str, inputs: dict) -> dict:
    times = next(inputs[key] for key in ("t", "information") if key in inputs)
    sides = inputs.get("sides", 2)
    found = crossing_probabilities(times, inputs["z"], inputs.get("drift", 0.0), sides)
    return {"probability": list(found), "power": found[-1], "exit": list(found), "total": found[-1]}


ADAPTERS = [
    (lambda m, i: "K" in i and "spending" not in m and named(m), of_constant),
    (lambda m, i: "z" in i and ("t" in i or "information" in i), of_crossing),
    (lambda m, i: "z" not in i and ("spending" in m or (named(m) and timed(i))), of_schedule),
]
