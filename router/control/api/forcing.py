"""How does an operator get a variant for a test, whatever the unit: the header that forces it?"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from router.control import edits
from router.control.api.endpoint import Answer, Call, Endpoint
from router.control.changes import read_state
from router.problems import InvalidConfiguration, Problem, unknown
from router.token import sign_force

HEADER = "x-turnout-force"
_LONGEST = 7 * 86400


class Forcing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which variant, and for how many seconds."""

    variant: str
    seconds: Annotated[int, Meta(ge=1, le=_LONGEST)] = 3600


class Forced(Struct, frozen=True, kw_only=True):
    """A header for requests of one experiment, good until ``expires`` (unix seconds)."""

    header: str
    value: str
    expires: int


async def force(call: Call) -> Answer:
    """The signed header; requests that carry it are never counted."""
    name, wanted = call.path["name"], call.body
    state = await read_state(call.desk.redis)
    experiment = edits.experiment_of(state, name)
    if wanted.variant not in experiment.variants:
        what = "variant of this experiment"
        raise InvalidConfiguration([unknown(("variant",), wanted.variant, what, experiment.variants)])
    if not 1 <= wanted.seconds <= _LONGEST:
        problem = Problem(("seconds",), wanted.seconds, "is out of range", f"1 to {_LONGEST}")
        raise InvalidConfiguration([problem])
    expires = int(call.desk.clock()) + wanted.seconds
    value = sign_force(state.key, name, wanted.variant, expires)
    return Answer(Forced(header=HEADER, value=value, expires=expires))


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api/v1/experiments/{name}/force",
        name="force_variant",
        summary="The header by which a test's requests get one variant, and are not counted",
        handler=force,
        answers={200: Forced},
        role="operator",
        body=Forcing,
    ),
)
