"""What is a node of the service asked for, and what is each of its processes told when it starts?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from router.logs import LogFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions:
    """The data plane of a node; ``metrics_port`` None means no listener for metrics and probes.

    ``drain_delay`` is for how many seconds connections are still accepted after the signal to end.
    """

    host: str
    port: int
    workers: int
    access_log: bool = False
    drain_delay: float = 0.0
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlOptions:
    """The control plane of a node; without ``config_path`` it serves whatever state there is."""

    host: str
    port: int
    config_path: Path | None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """One supervisor with a data plane, a control plane, or both; without ``redis_url`` with a Redis, too."""

    redis_url: str | None
    data_dir: Path
    log_format: LogFormat = "text"
    proxy: ProxyOptions | None = None
    control: ControlOptions | None = None


class WorkerProcess(Struct, frozen=True, kw_only=True):
    """What the supervisor tells a worker: ``place`` is its slot (from 0) of ``places`` heartbeats."""

    socket_fd: int
    redis_url: str
    data_dir: str
    beats_fd: int
    place: int
    places: int
    log_format: LogFormat = "text"
    access_log: bool = False


class ControlProcess(Struct, frozen=True, kw_only=True):
    """What the supervisor tells the control process; ``workers`` says whether this node has any."""

    socket_fd: int
    redis_url: str
    data_dir: str
    workers: bool
    config_path: str | None = None
    key: str | None = None
    log_format: LogFormat = "text"


class ProbeProcess(Struct, frozen=True, kw_only=True):
    """What the supervisor tells the process that answers for a node's workers.

    ``draining_fd`` is the end of a pipe, closed on the other side as soon as the node begins to end.
    """

    socket_fd: int
    redis_url: str
    data_dir: str
    beats_fd: int
    places: int
    draining_fd: int
    log_format: LogFormat = "text"
