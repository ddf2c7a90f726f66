"""What is a process of the service told when it starts?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from router.logs import LogFormat


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What ``turnout serve`` was asked for."""

    config_path: Path
    host: str
    port: int
    control_host: str
    control_port: int
    workers: int
    redis_url: str | None
    data_dir: Path
    key: str | None
    log_format: LogFormat = "text"
    access_log: bool = False


class WorkerOptions(Struct, frozen=True, kw_only=True):
    """What the supervisor tells a worker."""

    socket_fd: int
    redis_url: str
    data_dir: str
    log_format: LogFormat = "text"
    access_log: bool = False


class ControlOptions(Struct, frozen=True, kw_only=True):
    """What the supervisor tells the control process."""

    socket_fd: int
    redis_url: str
    data_dir: str
    config_path: str
    key: str | None = None
    log_format: LogFormat = "text"
