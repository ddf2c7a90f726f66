"""Which commands run the router: both planes in one, or each of them alone?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from router.cli.options import Config, LogForm

app = typer.Typer()

_PANEL = "Run the router"
# Short, since help cuts what does not fit into its narrowest column.
_REDIS_FORMS = (
    "redis://H/0; rediss:// over TLS; unix:///PATH by a socket; redis+sentinel://H/N by Sentinels, N their "
    "service; redis+cluster://H of a Cluster. H is HOST or HOST:PORT; for those two also several, by commas"
)

Host = Annotated[str, typer.Option(envvar="TURNOUT_HOST", help="Address of the data port, for clients.")]
Port = Annotated[
    int, typer.Option(envvar="TURNOUT_PORT", min=0, max=65535, help="The data port; 0 takes a free one.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        envvar="TURNOUT_WORKERS",
        min=1,
        max=1024,
        help="Processes that share the data port.",
        show_default="one for each usable core",
    ),
]
AccessLog = Annotated[
    bool, typer.Option("--access-log", envvar="TURNOUT_ACCESS_LOG", help="Log a line for each request.")
]
DrainDelay = Annotated[
    float,
    typer.Option(
        envvar="TURNOUT_DRAIN_DELAY",
        min=0,
        metavar="SECONDS",
        help="How long to take new connections after SIGTERM, not ready any more, so that load balancers "
        "notice. A second signal ends it.",
    ),
]
MetricsHost = Annotated[
    str,
    typer.Option(envvar="TURNOUT_METRICS_HOST", help="Address of this node's own /metrics and probes."),
]
MetricsPort = Annotated[
    int,
    typer.Option(
        envvar="TURNOUT_METRICS_PORT",
        min=0,
        max=65535,
        help="Port of /metrics, /healthz and /readyz of this node's workers; 0 takes a free one.",
    ),
]
OwnMetricsPort = Annotated[
    int | None,
    typer.Option(
        envvar="TURNOUT_METRICS_PORT",
        min=0,
        max=65535,
        help="Port of /metrics, /healthz and /readyz of the workers; 0 takes a free one.",
        show_default="none: the control port shows the metrics",
    ),
]
ControlHost = Annotated[
    str, typer.Option(envvar="TURNOUT_CONTROL_HOST", help="Address of the control port, for operators.")
]
ControlPort = Annotated[
    int,
    typer.Option(
        envvar="TURNOUT_CONTROL_PORT", min=0, max=65535, help="The control port; 0 takes a free one."
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        envvar="TURNOUT_KEY",
        help="Signs tokens, 16 to 32 bytes, the same on every node. Better given by the environment, "
        "because others on this machine can read a command line.",
        show_default="made once and kept in Redis",
    ),
]
OptionalConfig = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="TURNOUT_CONFIG",
        help="The configuration file, applied at the start.",
        metavar="FILE",
        show_default="whatever state is in Redis",
    ),
]
OptionalRedis = Annotated[
    str | None,
    typer.Option(
        "--redis-url",
        "--redis",
        envvar="TURNOUT_REDIS",
        metavar="URL",
        help=f"A Redis or Valkey, 6.2 or newer: {_REDIS_FORMS}.",
        show_default="an embedded one, in the data directory",
    ),
]
Redis = Annotated[
    str,
    typer.Option(
        "--redis-url",
        "--redis",
        envvar="TURNOUT_REDIS",
        metavar="URL",
        help=f"The Redis or Valkey, 6.2 or newer, that all nodes share: {_REDIS_FORMS}.",
    ),
]
DataDir = Annotated[
    Path,
    typer.Option(
        envvar="TURNOUT_DATA_DIR", metavar="DIR", help="Where state outlives a restart; made if missing."
    ),
]
LogFormat = Annotated[
    LogForm, typer.Option(envvar="TURNOUT_LOG_FORMAT", help="The log's lines: text, or JSON objects.")
]

_DATA_DIR = Path("turnout-data")


@app.command(
    rich_help_panel=_PANEL,
    epilog="Example: turnout serve --config turnout.yaml --port 8080 --workers 4 --data-dir /var/lib/turnout",
)
def serve(
    config: Config,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    control_host: ControlHost = "127.0.0.1",
    control_port: ControlPort = 8081,
    workers: Workers = None,
    redis_url: OptionalRedis = None,
    data_dir: DataDir = _DATA_DIR,
    key: Key = None,
    log_format: LogFormat = LogForm.text,
    access_log: AccessLog = False,
    drain_delay: DrainDelay = 0,
    metrics_host: MetricsHost = "127.0.0.1",
    metrics_port: OwnMetricsPort = None,
) -> None:
    """Run the router: the data port for clients, the control port for operators and analysts.

    Prints one line that starts with "ready:" when both answer. SIGTERM or Ctrl-C stops it without losing a
    request that was accepted. For several machines, run "turnout proxy" on each and one "turnout control".
    """
    from router.cli import serve as command
    from router.options import ControlOptions, NodeOptions, ProxyOptions

    proxied = ProxyOptions(
        host=host,
        port=port,
        workers=workers or command.usable_cores(),
        access_log=access_log,
        drain_delay=drain_delay,
        metrics_host=metrics_host,
        metrics_port=metrics_port,
    )
    controlled = ControlOptions(host=control_host, port=control_port, config_path=config, key=key)
    options = NodeOptions(
        redis_url=redis_url,
        data_dir=data_dir,
        log_format=log_format.value,
        proxy=proxied,
        control=controlled,
    )
    raise typer.Exit(command.run(options))


@app.command(
    rich_help_panel=_PANEL,
    epilog="Example: turnout proxy --redis-url redis://redis:6379/0 --host 0.0.0.0 --metrics-host 0.0.0.0 "
    "--drain-delay 5",
)
def proxy(
    redis_url: Redis,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    workers: Workers = None,
    data_dir: DataDir = _DATA_DIR,
    log_format: LogFormat = LogForm.text,
    access_log: AccessLog = False,
    drain_delay: DrainDelay = 0,
    metrics_host: MetricsHost = "127.0.0.1",
    metrics_port: MetricsPort = 8082,
) -> None:
    """Run the data plane alone: the data port for clients, and this node's metrics and probes.

    It routes by the state that "turnout control" puts in Redis, or while Redis is away by its last snapshot
    in the data directory; where there is neither it waits, live and not ready. Any number of them share one
    Redis. Each needs a data directory of its own.
    """
    from router.cli import serve as command
    from router.options import NodeOptions, ProxyOptions

    proxied = ProxyOptions(
        host=host,
        port=port,
        workers=workers or command.usable_cores(),
        access_log=access_log,
        drain_delay=drain_delay,
        metrics_host=metrics_host,
        metrics_port=metrics_port,
    )
    options = NodeOptions(redis_url=redis_url, data_dir=data_dir, log_format=log_format.value, proxy=proxied)
    raise typer.Exit(command.run(options))


@app.command(
    rich_help_panel=_PANEL,
    epilog="Example: turnout control --redis-url redis://redis:6379/0 --config turnout.yaml",
)
def control(
    redis_url: Redis,
    config: OptionalConfig = None,
    control_host: ControlHost = "127.0.0.1",
    control_port: ControlPort = 8081,
    data_dir: DataDir = _DATA_DIR,
    key: Key = None,
    log_format: LogFormat = LogForm.text,
) -> None:
    """Run the control plane alone: the admin API, the statistics, and the metrics of both.

    Proxies go on without it. Without --config it serves whatever state is in Redis; the first one is made by
    turnout apply. An address that others can reach needs an API token first: turnout token create --redis
    URL.
    """
    from router.cli import serve as command
    from router.options import ControlOptions, NodeOptions

    controlled = ControlOptions(host=control_host, port=control_port, config_path=config, key=key)
    options = NodeOptions(
        redis_url=redis_url, data_dir=data_dir, log_format=log_format.value, control=controlled
    )
    raise typer.Exit(command.run(options))
