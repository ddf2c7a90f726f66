"""How is a shadow's report made from what Redis holds?"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis

from policies.shadow.judge import judge
from router.settings import Settings
from router.shadow_identity import generation
from router.store import shadows


async def report_of(redis: Redis, settings: Settings, name: str, now: float) -> dict[str, Any]:
    """The report of a known shadow, as JSON's types; ``now`` is unix seconds."""
    shadow, pairs = settings.shadows[name], generation(settings, name)
    sums = await shadows.read(redis, name, pairs)
    compare = shadow.compare
    found = await asyncio.to_thread(lambda: judge(sums, margin=compare.margin, alpha=compare.alpha))
    return {
        "shadow": name,
        "backend": shadow.backend,
        "routes": [route.path for route in settings.routes if name in route.shadows],
        "generation": pairs,
        "computed_at": now,
        **found,
    }
