"""Does the embedded Redis come up, stay alone on its data, and leave nothing behind?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from router.store import embedded
from router.store.embedded import LONGEST_SOCKET_PATH, EmbeddedRedis, ServerError, find_server, server_version
from tests.router.store.servers import kill, until


def client(server: EmbeddedRedis) -> redis.Redis:
    return redis.Redis.from_url(server.url, socket_timeout=5)


def test_a_server_is_found() -> None:
    assert server_version(find_server()) >= (6, 2)


def test_what_is_too_old_or_broken_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = find_server()
    for folder, version in (("old", "Redis server v=5.0.7 sha=0"), ("odd", "hello")):
        (tmp_path / folder).mkdir()
        script = tmp_path / folder / ("redis-server" if folder == "old" else "valkey-server")
        script.write_text(f"#!/bin/sh\necho '{version}'\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/old:{tmp_path}/odd:/bin:/usr/bin")
    assert server_version(embedded.candidates()[0]) == (5, 0)
    assert find_server() not in embedded.candidates()[:2]
    assert server_version(find_server()) >= (6, 2)
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", f"{tmp_path}/old:{tmp_path}/odd")
    with pytest.raises(ServerError, match=r"redis-server is 5\.0; .*none that runs here"):
        find_server()
    assert good.exists()


def test_it_starts_answers_and_stops(binary: Path, tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "new" / "a b'ü", binary)
    assert server.poll() is None
    server.start()
    try:
        with client(server) as connection:
            assert connection.ping()
            assert connection.config_get("appendfsync")["appendfsync"] == "always"
            assert connection.config_get("save")["save"] == ""
        assert server.socket.stat().st_mode & 0o077 == 0
        with pytest.raises(ServerError, match="running already"):
            server.start()
    finally:
        server.stop()
    assert server.poll() == 0
    server.stop()


def test_data_survives_stop_and_kill(binary: Path, tmp_path: Path) -> None:
    for end in (EmbeddedRedis.stop, kill, EmbeddedRedis.stop):
        server = EmbeddedRedis(tmp_path, binary)
        server.start()
        with client(server) as connection:
            count = connection.incr("starts")
        end(server)
    assert count == 3


def test_it_starts_again_where_it_was(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    server.start()
    try:
        first, url = server.pid, server.url
        kill(server)
        assert server.poll() == -signal.SIGKILL
        server.start()
        assert server.pid != first
        assert server.url == url
        with client(server) as connection:
            assert connection.ping()
    finally:
        server.stop()


def test_a_long_path_gets_a_socket_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * LONGEST_SOCKET_PATH)
    server = EmbeddedRedis(folder)
    server.start()
    short = server.socket.parent
    try:
        assert len(str(server.socket)) <= LONGEST_SOCKET_PATH
        with client(server) as connection:
            assert connection.set("kept", "1")
        kill(server)
        server.start()
        assert server.socket.parent == short
    finally:
        server.stop()
    assert not short.exists()
    assert (folder / "redis.log").exists()


def test_a_second_one_on_the_same_data_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_LOCK_SECONDS", 0.1)
    server = EmbeddedRedis(tmp_path)
    server.start()
    try:
        with pytest.raises(ServerError, match="another Redis server is using"):
            EmbeddedRedis(tmp_path).start()
        with client(server) as connection:
            assert connection.ping()
    finally:
        server.stop()


def test_data_that_cannot_be_loaded_is_told_with_the_log(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    server.start()
    server.stop()
    for path in [*tmp_path.glob("appendonlydir/*.aof"), *tmp_path.glob("appendonly.aof")]:
        path.write_bytes(b"this is no append-only file, and its first byte says so\r\n")
    with pytest.raises(ServerError, match=r"ended with status 1; the end of .*redis\.log"):
        server.start()
    assert server.poll() == 1


def test_an_older_server_does_not_overlook_newer_data(tmp_path: Path) -> None:
    old = tmp_path / "bin" / "redis-server"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'Redis server v=6.2.14 sha=0'\n")
    old.chmod(0o755)
    (tmp_path / "data" / "appendonlydir").mkdir(parents=True)
    with pytest.raises(ServerError, match="written by Redis 7 or newer"):
        EmbeddedRedis(tmp_path / "data", old).start()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_it_does_not_outlive_its_parent(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from router.store.embedded import EmbeddedRedis\n"
        "server = EmbeddedRedis(pathlib.Path(sys.argv[1])); server.start()\n"
        "print(server.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        orphan = int(parent.stdout.readline())
        parent.kill()
    until(lambda: _gone(orphan))
    # The lock is free and the data is whole for the next one.
    server = EmbeddedRedis(tmp_path)
    server.start()
    server.stop()


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # An orphan whose new parent has not collected it yet is gone as well.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
