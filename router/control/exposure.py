"""May the control port listen on this address?"""

from __future__ import annotations

import asyncio
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from router.control.token_file import load_tokens
from router.errors import ConfigurationError, StoreUnavailable
from router.store.client import connect
from router.store.tokens import has_tokens


def is_loopback(host: str) -> bool:
    """Whether an address, or ``localhost``, is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def check_exposure(host: str, redis_url: str, data_dir: Path) -> None:
    """`ConfigurationError` for an address that others reach, while there is no token to tell them apart."""
    if is_loopback(host) or asyncio.run(_any(redis_url, data_dir)):
        return
    raise ConfigurationError(
        f"--control-host is {host}, which others can reach, and there is no API token yet; allowed without "
        "one: 127.0.0.1, ::1 or localhost. Make an admin's token first, on loopback"
    )


async def _any(redis_url: str, data_dir: Path) -> bool:
    redis = connect(redis_url)
    try:
        return await has_tokens(redis) or bool(load_tokens(data_dir))
    except StoreUnavailable:
        return bool(load_tokens(data_dir))
    finally:
        await redis.aclose()
