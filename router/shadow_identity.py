"""When are a shadow's pairs still pairs of the same two things?"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from router.settings import Settings


def generation(settings: Settings, name: str) -> str:
    """A name for what a shadow compares: its backend, its rules, and who serves the routes that it follows.

    Pairs of two generations are never added up: another backend or other rules start from nothing.
    """
    shadow = settings.shadows[name]
    served = [
        (route.path, route.backend, [_backends(settings, each) for each in route.experiments])
        for route in settings.routes
        if name in route.shadows
    ]
    compare = shadow.compare
    rules = (compare.ignore, compare.relative, compare.absolute, compare.top, compare.ranking)
    return sha256(msgspec.json.encode((shadow.backend, rules, served))).hexdigest()[:12]


def _backends(settings: Settings, experiment: str) -> list[str]:
    return sorted({variant.backend for variant in settings.experiments[experiment].variants.values()})
