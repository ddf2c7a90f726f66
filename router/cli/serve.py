"""``turnout serve``: which settings and options does the supervisor start with?"""

from __future__ import annotations

import os
from pathlib import Path

from router.config_file import load
from router.errors import ConfigurationError
from router.logs import LogFormat
from router.options import ServeOptions
from router.supervisor import serve

_KEY_BYTES = range(16, 33)


def run(
    *,
    config_path: Path,
    host: str,
    port: int,
    control_host: str,
    control_port: int,
    workers: int | None,
    redis_url: str | None,
    data_dir: Path,
    key: str | None,
    log_format: LogFormat = "text",
    access_log: bool = False,
) -> int:
    """Serve until a signal says stop; the exit status. `ConfigurationError` before anything was started."""
    if key is not None and (length := len(key.encode())) not in _KEY_BYTES:
        raise ConfigurationError(
            f"--key has {length} bytes; allowed: {_KEY_BYTES[0]} to {_KEY_BYTES[-1]}, for instance from "
            "'openssl rand -hex 16'"
        )
    if port == control_port != 0 and host == control_host:
        raise ConfigurationError(f"--port and --control-port are both {port}; allowed: two different ports")
    options = ServeOptions(
        config_path=config_path,
        host=host,
        port=port,
        control_host=control_host,
        control_port=control_port,
        workers=workers or usable_cores(),
        redis_url=redis_url,
        data_dir=data_dir,
        key=key,
        log_format=log_format,
        access_log=access_log,
    )
    return serve(load(config_path), options)


def usable_cores() -> int:
    """The cores that this process may run on, where the system says so."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
