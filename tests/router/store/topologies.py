"""How is a Sentinel set-up, or a Cluster, of real servers started on this machine, and ended?"""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.router.store.servers import until

SLOTS = 16384
SERVICE = "turnout"


def free_port() -> int:
    """A port of this machine; the one a Cluster's node talks on to the others, 10,000 above, is free, too."""
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as first, socket.socket() as second, suppress(OSError):
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 10_000))
            return port


@dataclass(frozen=True, slots=True)
class Secrets:
    """What servers ask for: passwords, and TLS where there are ``certificates``."""

    password: str = ""
    sentinel_password: str = ""
    certificates: Path | None = None

    def listen(self, port: int) -> dict[str, str | int]:
        """The options of a server on this port."""
        if self.certificates is None:
            return {"port": port}
        folder = self.certificates
        files = {"tls-cert-file": folder / "server.pem", "tls-key-file": folder / "server.key"}
        named = {name: str(path) for name, path in {**files, "tls-ca-cert-file": folder / "ca.pem"}.items()}
        return {"port": 0, "tls-port": port, "tls-replication": "yes", "tls-auth-clients": "no", **named}


OPEN = Secrets()


@dataclass(slots=True)
class Server:
    """A process on a port of 127.0.0.1; it can be ended, and started again with the same data."""

    command: list[str]
    folder: Path
    port: int
    password: str = ""
    certificates: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, stdout=log, stderr=log)
        until(self._answers)

    def ask(self, *command: str | bytes | int) -> Any:
        """What this very server answers to a command, as it came over the wire."""
        client = redis.Redis(
            port=self.port,
            password=self.password or None,
            ssl=self.certificates is not None,
            ssl_ca_certs=str(self.certificates and self.certificates / "ca.pem"),
            socket_timeout=10,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        client.response_callbacks.clear()
        with client:
            return client.execute_command(*command)

    def told(self, *command: str | bytes | int) -> dict[str, str]:
        """The lines ``name:value`` of an answer."""
        lines = (line.partition(":") for line in self.ask(*command).decode().splitlines())
        return {name: value for name, _, value in lines}

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            return self.ask("PING") == b"PONG"
        except redis.BusyLoadingError:
            return False
        except (redis.ConnectionError, redis.TimeoutError):
            return False


def server(binary: Path, folder: Path, *options: str | int, secrets: Secrets = OPEN) -> Server:
    """A server that keeps nothing on disk; not started yet."""
    folder.mkdir()
    port = free_port()
    listen = [str(part) for name, value in secrets.listen(port).items() for part in (f"--{name}", value)]
    secret = ["--requirepass", secrets.password, "--masterauth", secrets.password] if secrets.password else []
    command = [str(binary), *listen, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *secret]
    return Server(
        [*command, *map(str, options)], folder, port, secrets.password, certificates=secrets.certificates
    )


@dataclass(frozen=True, slots=True)
class Watched:
    """A primary, its replicas, and the Sentinels that watch them."""

    servers: list[Server]
    sentinels: list[Server]

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"redis+sentinel://{hosts(self.sentinels)}/{SERVICE}"

    def primary(self) -> Server:
        """The server that the first Sentinel names."""
        port = named(self.sentinels[0])
        return next(each for each in self.servers if each.port == port)


def named(sentinel: Server) -> int:
    """The port of the primary that a Sentinel names."""
    _, port = sentinel.ask("SENTINEL", "get-master-addr-by-name", SERVICE)
    return int(port)


@contextmanager
def watched(binary: Path, folder: Path, replicas: int = 1, secrets: Secrets = OPEN) -> Iterator[Watched]:
    """One primary, some replicas, and three Sentinels that know each other."""
    with ExitStack() as running:

        def started(one: Server) -> Server:
            running.callback(one.kill)
            one.start()
            return one

        fast = (
            "--repl-diskless-sync",
            "yes",
            "--repl-diskless-sync-delay",
            0,
            "--repl-ping-replica-period",
            1,
        )
        first = started(server(binary, folder / "server-0", *fast, secrets=secrets))
        servers = [first]
        for number in range(1, replicas + 1):
            copy = ("--replicaof", "127.0.0.1", first.port)
            servers.append(
                started(server(binary, folder / f"server-{number}", *fast, *copy, secrets=secrets))
            )
        until(lambda: first.told("INFO", "replication")["connected_slaves"] == str(replicas))
        until(lambda: all(each.ask("ROLE")[3] == b"connected" for each in servers[1:]))

        sentinels = [
            started(_sentinel(binary, folder / f"sentinel-{n}", first.port, secrets)) for n in range(3)
        ]
        until(lambda: all(_knows(each, replicas) for each in sentinels))
        yield Watched(servers, sentinels)


def _sentinel(binary: Path, folder: Path, watches: int, secrets: Secrets) -> Server:
    folder.mkdir()
    port = free_port()
    lines = [f"{name} {value}" for name, value in secrets.listen(port).items()]
    lines += ["bind 127.0.0.1", f"dir {folder}", f"sentinel monitor {SERVICE} 127.0.0.1 {watches} 2"]
    lines += [f"sentinel down-after-milliseconds {SERVICE} 500", f"sentinel failover-timeout {SERVICE} 2000"]
    if secrets.password:
        lines.append(f"sentinel auth-pass {SERVICE} {secrets.password}")
    if secrets.sentinel_password:
        lines += [
            f"requirepass {secrets.sentinel_password}",
            f"sentinel sentinel-pass {secrets.sentinel_password}",
        ]
    (folder / "sentinel.conf").write_text("\n".join([*lines, ""]))
    return Server(
        [str(binary), str(folder / "sentinel.conf"), "--sentinel"],
        folder,
        port,
        secrets.sentinel_password,
        certificates=secrets.certificates,
    )


def _knows(sentinel: Server, replicas: int) -> bool:
    answer = [part.decode() for part in sentinel.ask("SENTINEL", "master", SERVICE)]
    found = dict(zip(answer[::2], answer[1::2], strict=True))
    return (found["num-other-sentinels"], found["num-slaves"]) == ("2", str(replicas))


@dataclass(frozen=True, slots=True)
class Cluster:
    """Three primaries with a third of the slots each."""

    servers: list[Server]

    @property
    def url(self) -> str:
        """Where clients connect: two of the nodes are enough to find all."""
        return f"redis+cluster://{hosts(self.servers[:2])}"

    def move(self, slot: int, source: Server, target: Server) -> None:
        """Move a slot with all its keys, as ``redis-cli --cluster reshard`` does."""
        to, of = identity(target), identity(source)
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", of)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to)
        self.carry(slot, source, target)
        for each in (target, source, *self.servers):
            each.ask("CLUSTER", "SETSLOT", slot, "NODE", to)

    def carry(self, slot: int, source: Server, target: Server) -> None:
        """Carry a slot's keys over."""
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)

    def holder(self, slot: int) -> Server:
        """Who holds a slot."""
        for first, last, (_, port, *_), *_ in self.servers[0].ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(each for each in self.servers if each.port == port)
        raise AssertionError(f"nobody holds slot {slot}")


def identity(server: Server) -> str:
    """A node's name for the others."""
    name: bytes = server.ask("CLUSTER", "MYID")
    return name.decode()


@contextmanager
def clustered(
    binary: Path, folder: Path, announced: Sequence[int] = (), secrets: Secrets = OPEN
) -> Iterator[Cluster]:
    """Three nodes that agree on who holds which slots; clients are told the ``announced`` ports, if any."""
    folder.mkdir(exist_ok=True)
    with ExitStack() as running:
        servers = []
        for number in range(3):
            enabled = ("--cluster-enabled", "yes", "--cluster-node-timeout", 1000)
            place = folder / f"node-{number}"
            told = ("--cluster-announce-port", announced[number]) if announced else ()
            servers.append(server(binary, place, *enabled, *told, secrets=secrets))
            running.callback(servers[-1].kill)
            servers[-1].start()
        assign(servers)
        yield Cluster(servers)


def assign(servers: list[Server]) -> None:
    """Give each of some nodes its part of the slots, and wait until they all know."""
    for number, each in enumerate(servers):
        first, last = (SLOTS * part // len(servers) for part in (number, number + 1))
        each.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        each.ask("CLUSTER", "ADDSLOTS", *range(first, last))
        each.ask("CLUSTER", "MEET", "127.0.0.1", servers[0].port)
    until(lambda: all(agrees(each, len(servers)) for each in servers))


def agrees(server: Server, nodes: int) -> bool:
    """Whether a node knows so many, itself among them, and that all slots are served."""
    told = server.told("CLUSTER", "INFO")
    return (told["cluster_state"], told["cluster_known_nodes"]) == ("ok", str(nodes))


def hosts(servers: list[Server]) -> str:
    """Servers as a URL names them."""
    return ",".join(f"127.0.0.1:{each.port}" for each in servers)
