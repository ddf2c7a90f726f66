"""What does the control port answer?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import time

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from router.control.access import Gate
from router.control.api import (
    administration,
    backends,
    configuration,
    experiments,
    forcing,
    observing,
    off_policy,
    policies,
    shadows,
    versions,
)
from router.control.api.endpoint import Desk, Endpoint
from router.control.api.public import public
from router.control.api.serving import failed, not_routed, routes_of
from router.control.metrics import ControlCollector
from router.control.metrics_of_reports import ReportBook
from router.control.metrics_page import metrics_route
from router.control.planning_book import PlanningBook
from router.control.probes import probe_routes
from router.control.watch import Sight

ENDPOINTS: tuple[Endpoint, ...] = (
    *experiments.ENDPOINTS,
    *backends.ENDPOINTS,
    *configuration.ENDPOINTS,
    *versions.ENDPOINTS,
    *observing.ENDPOINTS,
    *policies.ENDPOINTS,
    *forcing.ENDPOINTS,
    *off_policy.ENDPOINTS,
    *shadows.ENDPOINTS,
    *administration.ENDPOINTS,
)


def make_app(
    redis: Redis,
    data_dir: Path,
    clock: Callable[[], float] = time,
    book: ReportBook | None = None,
    planning: PlanningBook | None = None,
    sight: Sight | None = None,
    *,
    workers: bool = False,
    begun: Callable[[], bool] = lambda: True,
) -> Starlette:
    """The control plane's application; ``clock`` gives unix seconds, ``book`` the last statistics,
    ``planning`` what was planned last, ``sight`` whether Redis is there.

    ``workers`` says whether this node has any, ``begun`` whether the configuration has been applied.
    """
    books = (book or ReportBook(), planning or PlanningBook(), sight or Sight())
    collector = ControlCollector(data_dir, *books, clock, workers=workers)
    endpoints = (*public(ENDPOINTS), *ENDPOINTS)
    return Starlette(
        routes=[
            *routes_of(endpoints, Desk(redis, data_dir, clock), Gate(redis, data_dir)),
            metrics_route(redis, data_dir, collector),
            *probe_routes(redis, begun),
        ],
        exception_handlers={HTTPException: not_routed, Exception: failed},
    )
