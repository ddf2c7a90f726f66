"""Which queries do endpoints take?"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from router.store.versions import MOST_LISTED

_Why = Annotated[str, Meta(max_length=500)]
_FileName = Annotated[str, Meta(max_length=255)]
_Number = Annotated[int, Meta(ge=0, le=2**53)]
_Limit = Annotated[int, Meta(ge=1, le=MOST_LISTED)]


class Why(Struct, frozen=True, kw_only=True):
    """Why a change is made, for those who read the history."""

    why: _Why = ""


class Wanted(Struct, frozen=True, kw_only=True):
    """``prune`` removes what the configuration does not name. ``source`` is its file's base name.

    What an operator paused or ended stays so, unless the configuration says ``running`` of it.

    A configuration with a source stands by itself. A control plane that starts with a file of that name, and
    of the same settings, does not apply it again over what was changed since.
    """

    prune: bool = False
    source: _FileName = ""


class Apply(Wanted, frozen=True, kw_only=True):
    """What is wanted, and why."""

    why: _Why = ""


class Listing(Struct, frozen=True, kw_only=True):
    """``archived`` lists what is archived, too."""

    archived: bool = False


class Page(Struct, frozen=True, kw_only=True):
    """At most ``limit``, the newest first, of those ``before`` a version."""

    limit: _Limit = 50
    before: _Number | None = None


class Newest(Struct, frozen=True, kw_only=True):
    """At most ``limit``, the newest first."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class Against(Struct, frozen=True, kw_only=True):
    """``against`` is the version to compare with; the one before where it is not given."""

    against: _Number | None = None


class OfUnit(Struct, frozen=True, kw_only=True):
    """``unit`` is what a request would carry, for instance a user's id."""

    unit: Annotated[str, Meta(min_length=1, max_length=4096)]
