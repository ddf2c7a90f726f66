"""Are servers spoken to over TLS, and as the user that the URL names, in every form?

Not every server is built with TLS: what terminates it is in most tests a proxy before a real server, and real
servers of a build that has it where there is one.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from router.errors import StoreUnavailable
from router.settings import Settings
from router.state import State
from router.store import states
from router.store.client import connect
from router.store.embedded import find_server
from tests.router.store.fixtures import BINARIES
from tests.router.store.topologies import (
    SERVICE,
    Secrets,
    Server,
    clustered,
    free_port,
    hosts,
    server,
    watched,
)

PASSWORD = "p@ss/w:rd?#"
SECRETS = Secrets(password=PASSWORD.replace("#", ""), sentinel_password="other-word")


def speaks_tls(binary: Path) -> bool:
    """Whether a server was built with TLS: one that was not does not know the option."""
    said = subprocess.run([binary, "--tls-port", "none"], capture_output=True, text=True, check=False)
    return "Bad directive" not in said.stdout + said.stderr


WITH_TLS = [path for path in BINARIES.values() if speaks_tls(path)]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, what it issued to servers on this machine and to a client, and one to another name."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, issued in (
        ("server", authority.issue_cert("127.0.0.1", "localhost")),
        ("elsewhere", authority.issue_cert("elsewhere.example")),
        ("client", authority.issue_cert("client@example.org")),
    ):
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    return folder


@contextlib.asynccontextmanager
async def before(
    target: Server, certificates: Path, *, port: int = 0, name: str = "server", asks: bool = False
) -> AsyncIterator[int]:
    """What terminates TLS before a server, and perhaps asks for a client's certificate; its port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates / "ca.pem")

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while part := await reader.read(65536):
                writer.write(part)
                await writer.drain()
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", target.port)
        await asyncio.gather(pump(reader, to_server), pump(from_server, writer))

    proxy = await asyncio.start_server(relay, "127.0.0.1", port, ssl=context)
    async with proxy:
        yield proxy.sockets[0].getsockname()[1]


async def committed(url: str) -> int:
    """The version after a commit over this URL."""
    redis = connect(url)
    try:
        state = State(version=1, settings=Settings(backends={}, routes=()), epochs={}, key=bytes(16))
        assert await states.commit(redis, state, 0)
        return await states.version(redis)
    finally:
        await redis.aclose()


async def refused(url: str) -> str:
    """Why nothing is answered over this URL."""
    redis = connect(url)
    try:
        with pytest.raises(StoreUnavailable) as caught:
            await states.version(redis)
        return f"{caught.value} {caught.value.__cause__}"
    finally:
        await redis.aclose()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Server]:
    """A server that knows one user beside the administrator."""
    one = server(find_server(), tmp_path / "server", secrets=SECRETS)
    one.start()
    one.ask("ACL", "SETUSER", "ann", "on", f">{PASSWORD}", "~{turnout}*", "&*", "+@all")
    yield one
    one.kill()


async def test_a_user_with_a_password(guarded: Server) -> None:
    place = f"127.0.0.1:{guarded.port}"
    assert await committed(f"redis://ann:{quote(PASSWORD, safe='')}@{place}") == 1
    said = await refused(f"redis://ann:wrong-word@{place}")
    assert "username-password" in said
    assert "wrong-word" not in said
    assert "uthentica" in await refused(f"redis://{place}")


async def test_tls_with_a_user(guarded: Server, certificates: Path) -> None:
    async with before(guarded, certificates) as port:
        start = f"rediss://ann:{quote(PASSWORD, safe='')}@127.0.0.1:{port}"
        assert await committed(f"{start}?ssl_ca_certs={certificates}/ca.pem") == 1
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(start)


async def test_a_certificate_of_another_name(guarded: Server, certificates: Path) -> None:
    async with before(guarded, certificates, name="elsewhere") as port:
        start = f"rediss://ann:{quote(PASSWORD, safe='')}@127.0.0.1:{port}?ssl_ca_certs={certificates}/ca.pem"
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(start)
        assert await committed(f"{start}&ssl_check_hostname=no") == 1


async def test_a_clients_certificate(guarded: Server, certificates: Path) -> None:
    async with before(guarded, certificates, asks=True) as port:
        start = f"rediss://ann:{quote(PASSWORD, safe='')}@127.0.0.1:{port}?ssl_ca_certs={certificates}/ca.pem"
        assert await refused(start)
        own = f"ssl_certfile={certificates}/client.pem&ssl_keyfile={certificates}/client.key"
        assert await committed(f"{start}&{own}") == 1


async def test_a_cluster_over_tls(tmp_path: Path, certificates: Path) -> None:
    ports = [free_port() for _ in range(3)]
    async with contextlib.AsyncExitStack() as running:
        cluster = running.enter_context(clustered(find_server(), tmp_path, ports, SECRETS))
        for each, port in zip(cluster.servers, ports, strict=True):
            await running.enter_async_context(before(each, certificates, port=port))
        places = ",".join(f"127.0.0.1:{port}" for port in ports[1:])
        secret = quote(SECRETS.password, safe="")
        assert await committed(f"rediss+cluster://:{secret}@{places}?ssl_ca_certs={certificates}/ca.pem") == 1
        assert "uthentica" in await refused(f"rediss+cluster://{places}?ssl_ca_certs={certificates}/ca.pem")


async def test_sentinels_with_a_password_of_their_own(tmp_path: Path) -> None:
    with watched(find_server(), tmp_path, secrets=SECRETS) as setup:
        start = f"redis+sentinel://:{quote(SECRETS.password, safe='')}@{hosts(setup.sentinels)}/{SERVICE}"
        assert await committed(f"{start}?sentinel_password={SECRETS.sentinel_password}") == 1
        said = await refused(f"{start}?sentinel_password=wrong-word")
        assert "wrong-word" not in said
        assert SECRETS.password not in said


@pytest.mark.skipif(
    not WITH_TLS, reason="no server here is built with TLS, which Sentinels must speak themselves"
)
async def test_sentinels_over_tls(tmp_path: Path, certificates: Path) -> None:
    secrets = Secrets(SECRETS.password, SECRETS.sentinel_password, certificates)
    with watched(WITH_TLS[0], tmp_path, secrets=secrets) as setup:
        start = f"rediss+sentinel://:{quote(SECRETS.password, safe='')}@{hosts(setup.sentinels)}/{SERVICE}"
        options = f"sentinel_password={SECRETS.sentinel_password}&ssl_ca_certs={certificates}/ca.pem"
        assert await committed(f"{start}?{options}") == 1
