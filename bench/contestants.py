"""Which proxies are compared, and how is each told to do the same?

The same: split 80/20 by a hash of x-user-id over two backends of one address each, HTTP/1.1 with keep-alive
on both sides, at most 256 connections to a backend, 30 s for an answer, x-forwarded-for and a request id set,
no access log, one thread that handles requests. Each proxy's own defaults hold otherwise. Turnout signs a
token into every answer and records every request in Redis; the others have nothing like it to switch on.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import children, command_line, free_port, pin, running, wait_until_listening

PATH = "/v1/models/ranker"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A proxy that runs: the processes that are measured, those that work for it elsewhere, and its port."""

    name: str
    version: str
    port: int
    pids: tuple[int, ...]
    helpers: tuple[int, ...] = ()
    needs: str = ""
    control_port: int | None = None


Starter = Callable[[Path, tuple[int, int], int, int], "contextlib.AbstractContextManager[Contestant]"]


@contextlib.contextmanager
def turnout(
    folder: Path, backends: tuple[int, int], core: int, elsewhere: int, shadow: int | None = None
) -> Iterator[Contestant]:
    """One worker on ``core``; its supervisor, control plane and Redis on the other.

    ``shadow`` is the port of a backend that gets a copy of every request, and whose answers are compared.
    """
    urls = [f"http://127.0.0.1:{port}" for port in backends]
    config: dict[str, Any] = {
        "backends": {"a": {"url": urls[0]}, "b": {"url": urls[1]}},
        "routes": [{"path": PATH, "backend": "a", "experiment": "ranker"}],
        "experiments": {
            "ranker": {
                "unit": [{"header": "x-user-id"}],
                "variants": {
                    "champion": {"backend": "a", "weight": 80},
                    "challenger": {"backend": "b", "weight": 20},
                },
                "control": "champion",
                "policy": {"kind": "split"},
                "metrics": [{"name": "correct", "kind": "binary"}],
            }
        },
        "limits": {"idle_timeout": "30m"},
    }
    if shadow is not None:
        config["backends"]["c"] = {"url": f"http://127.0.0.1:{shadow}"}
        config["routes"][0] |= {"repeatable": True, "shadows": ["c"]}
        config["shadows"] = {"c": {"backend": "c", "max_in_flight": 256, "compare": {"ignore": ["/model"]}}}
    file, log = folder / "turnout.yaml", folder / "turnout.log"
    file.write_text(json.dumps(config))
    port, control = free_port(), free_port()
    command = [sys.executable, "-m", "router.cli", "serve", "--config", str(file), "--workers", "1"]
    command += ["--port", str(port), "--control-port", str(control), "--data-dir", str(folder / "data")]
    with running(command, elsewhere, log) as process:
        wait_until_listening(port, process, log)
        while "ready" not in log.read_text() and process.poll() is None:
            time.sleep(0.02)
        family = children(process.pid)
        workers = tuple(pid for pid in family if "router.data" in command_line(pid))
        if len(workers) != 1:
            names = "\n".join(f"{pid} {command_line(pid)}" for pid in family)
            raise SystemExit(f"expected one worker among:\n{names}\n{log.read_text()[-4000:]}")
        pin(workers[0], core)
        helpers = tuple(pid for pid in family if pid not in workers)
        version = f"Python {sys.version.split()[0]}"
        yield Contestant("turnout", version, port, workers, helpers, "x-turnout-token:", control)


@contextlib.contextmanager
def envoy(
    folder: Path, backends: tuple[int, int], core: int, elsewhere: int, shadow: int | None = None
) -> Iterator[Contestant]:
    """Envoy with one worker thread; all its threads are on ``core`` and are counted.

    ``shadow`` is the port of a backend to which every request is mirrored.
    """
    del elsewhere
    binary = find("envoy")
    port, control = free_port(), free_port()
    file, log = folder / "envoy.json", folder / "envoy.log"
    file.write_text(
        json.dumps(envoy_config(port, backends, shadow) | {"admin": {"address": address(control)}})
    )
    command = [binary, "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    with running(command, core, log) as process:
        wait_until_listening(port, process, log)
        version = re.search(r"/(\d+\.\d+\.\d+)/", output(binary, "--version"))
        yield Contestant("envoy", version[1] if version else "?", port, (process.pid,), control_port=control)


def envoy_config(port: int, backends: tuple[int, int], shadow: int | None = None) -> dict[str, object]:
    """Weighted clusters that choose by the hash of x-user-id, mirrored to a third where there is one."""
    kinds = "type.googleapis.com/envoy.extensions"
    route: dict[str, object] = {
        "timeout": "30s",
        "hash_policy": [{"header": {"header_name": "x-user-id"}}],
        "weighted_clusters": {
            "use_hash_policy": True,
            "clusters": [{"name": "a", "weight": 80}, {"name": "b", "weight": 20}],
        },
    }
    if shadow is not None:
        route["request_mirror_policies"] = [{"cluster": "c"}]
    routed = {"match": {"prefix": PATH}, "route": route}
    manager = {
        "@type": f"{kinds}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "codec_type": "HTTP1",
        "use_remote_address": True,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [routed]}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{kinds}.filters.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "address": address(port),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    clusters = [
        {
            "name": name,
            "type": "STATIC",
            "connect_timeout": "1s",
            "circuit_breakers": {"thresholds": [{"max_connections": 256}]},
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(backend)}}]}],
            },
        }
        for name, backend in zip("abc", (*backends, shadow), strict=True)
        if backend is not None
    ]
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def address(port: int) -> dict[str, object]:
    """Envoy's way to write a socket address."""
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


@contextlib.contextmanager
def nginx(folder: Path, backends: tuple[int, int], core: int, elsewhere: int) -> Iterator[Contestant]:
    """nginx with one worker process; its idle master is counted too."""
    del elsewhere
    binary = find("nginx")
    port = free_port()
    file, log = folder / "nginx.conf", folder / "nginx.log"
    file.write_text(nginx_config(port, backends, folder))
    with running([binary, "-c", str(file), "-p", str(folder), "-e", "stderr"], core, log) as process:
        wait_until_listening(port, process, log)
        version = output(binary, "-v").rpartition("/")[2].strip()
        yield Contestant("nginx", version, port, tuple(children(process.pid)))


def nginx_config(port: int, backends: tuple[int, int], folder: Path) -> str:
    """split_clients by the value of x-user-id over two upstreams that keep connections."""
    kept = "keepalive 256; keepalive_requests 1000000000;"
    upstreams = "".join(
        f"upstream {name} {{ server 127.0.0.1:{backend} max_conns=256; {kept} }}\n"
        for name, backend in zip("ab", backends, strict=True)
    )
    folders = "".join(
        f"{kind}_temp_path {folder / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""
daemon off;
worker_processes 1;
pid {folder / "nginx.pid"};
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
access_log off;
{folders}{upstreams}
split_clients "$http_x_user_id" $chosen {{ 80% a; * b; }}
server {{
    listen 127.0.0.1:{port} backlog=4096;
    keepalive_requests 1000000000;
    location {PATH} {{
        proxy_pass http://$chosen;
        proxy_http_version 1.1;
        proxy_read_timeout 30s;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Request-ID $request_id;
    }}
}}
}}
"""


def find(name: str) -> str:
    """The binary of that name, on PATH or beside this Python."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise FileNotFoundError(name)
    return found


def output(*command: str) -> str:
    """What a command prints on both of its streams."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout + done.stderr


STARTERS: dict[str, Starter] = {"turnout": turnout, "envoy": envoy, "nginx": nginx}
