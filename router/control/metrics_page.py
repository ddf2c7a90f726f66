"""How does Prometheus scrape the control port, or a proxy's own listener?

Whoever may read reports may scrape: with tokens Prometheus shows one of a viewer. Unlike the API this also
answers while Redis is away, by the tokens on disk.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from router.control.access import Forbidden, Gate, Unauthorized, require
from router.control.api.problem import MEDIA_TYPE, encode, problem
from router.control.token_file import load_tokens
from router.errors import StoreUnavailable
from router.store.tokens import TokenRecord


class MetricsGate(Gate):
    """A gate that also stands while Redis is away."""

    async def _tokens(self) -> list[TokenRecord]:
        try:
            return await super()._tokens()
        except StoreUnavailable:
            return load_tokens(self._data_dir)


def metrics_route(redis: Redis, data_dir: Path, collector: Collector) -> Route:
    """``GET /metrics``: what the collector finds at that moment."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    gate = MetricsGate(redis, data_dir)
    # One scrape at a time: each reads the same files.
    scraping = asyncio.Lock()

    async def metrics(request: Request) -> Response:
        try:
            require(await gate.identify(request), "viewer")
        except (Unauthorized, Forbidden) as error:
            headers = {"www-authenticate": 'Bearer realm="turnout"'} if error.status == 401 else {}
            document = problem(type(error).__name__, error.status, str(error))
            return Response(encode(document), error.status, headers, MEDIA_TYPE)
        write, content_type = choose_encoder(request.headers.get("accept", ""))
        async with scraping:
            content = await asyncio.to_thread(write, registry)
        return Response(content, headers={"content-type": content_type, "cache-control": "no-store"})

    return Route("/metrics", metrics, methods=["GET"])
