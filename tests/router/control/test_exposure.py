"""Does the control port stay on this machine until there is a token?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis

from router.control.exposure import check_exposure, is_loopback
from router.control.token_file import save_tokens
from router.errors import ConfigurationError, StoreUnavailable
from router.store.embedded import EmbeddedRedis
from router.store.tokens import create_token, list_tokens
from tests.router.data.service import free_port


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_loopback(host: str, local: bool) -> None:
    assert is_loopback(host) is local


async def test_other_addresses_need_a_token(redis: Redis, server: EmbeddedRedis, tmp_path: Path) -> None:
    await asyncio.to_thread(check_exposure, "127.0.0.1", server.url, tmp_path)
    with pytest.raises(ConfigurationError, match=r"0\.0\.0\.0.*no API token"):
        await asyncio.to_thread(check_exposure, "0.0.0.0", server.url, tmp_path)
    await create_token(redis, "root", "admin", created=1.0, created_by="a test")
    await asyncio.to_thread(check_exposure, "0.0.0.0", server.url, tmp_path)


async def test_without_redis_it_says_what_is_not_known(redis: Redis, tmp_path: Path) -> None:
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    with pytest.raises(StoreUnavailable, match=r"whether there is an API token is not known") as raised:
        await asyncio.to_thread(check_exposure, "0.0.0.0", nobody, tmp_path)
    assert f"{tmp_path} keeps none" in str(raised.value)
    assert "there is no API token" not in str(raised.value)
    await asyncio.to_thread(check_exposure, "127.0.0.1", nobody, tmp_path)
    await create_token(redis, "root", "admin", created=1.0, created_by="a test")
    save_tokens(tmp_path, await list_tokens(redis))
    await asyncio.to_thread(check_exposure, "0.0.0.0", nobody, tmp_path)
