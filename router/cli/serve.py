"""``turnout serve``, ``proxy`` and ``control``: with which options does a node's supervisor start?"""

from __future__ import annotations

import logging
import os
from collections import Counter

from router.cli import exit_code
from router.config_file import load
from router.errors import ConfigurationError, TurnoutError
from router.logs import configure
from router.options import NodeOptions
from router.store.address import parse
from router.supervisor import supervise
from router.voice import Voice

_KEY_BYTES = range(16, 33)


def run(options: NodeOptions) -> int:
    """Run a node until a signal says stop; the exit status. `TurnoutError` where it cannot start.

    A log in JSON has that error, too: then the exit status alone is left to say.
    """
    if options.log_format == "text":
        return _run(options)
    configure(options.log_format)
    try:
        return _run(options)
    except TurnoutError as error:
        Voice(options.log_format).say("not_started", str(error), logging.ERROR)
        return exit_code(error)


def _run(options: NodeOptions) -> int:
    """The configuration file is read to see whether it can be used; whoever applies it reads it again."""
    _check_ports(options)
    if options.redis_url is not None:
        parse(options.redis_url)
    if options.control is not None:
        key, path = options.control.key, options.control.config_path
        if key is not None and (length := len(key.encode())) not in _KEY_BYTES:
            raise ConfigurationError(
                f"--key has {length} bytes; allowed: {_KEY_BYTES[0]} to {_KEY_BYTES[-1]}, for instance from "
                "'openssl rand -hex 16'"
            )
        if key is not None and path is None:
            raise ConfigurationError("--key comes into force with a configuration; give --config, too")
        if path is not None:
            load(path)
    return supervise(options)


def _check_ports(options: NodeOptions) -> None:
    """Two listeners cannot have one port."""
    asked: list[tuple[str, str, int]] = []
    if options.proxy is not None:
        asked.append(("--port", options.proxy.host, options.proxy.port))
    if options.control is not None:
        asked.append(("--control-port", options.control.host, options.control.port))
    if options.proxy is not None and options.proxy.metrics_port is not None:
        asked.append(("--metrics-port", options.proxy.metrics_host, options.proxy.metrics_port))
    for (host, port), number in Counter((host, port) for _, host, port in asked).items():
        if port and number > 1:
            names = [name for name, *where in asked if where == [host, port]]
            raise ConfigurationError(f"{' and '.join(names)} are both {port}; allowed: different ports")


def usable_cores() -> int:
    """The cores that this process may run on, where the system says so."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
