"""May the control port listen on this address?"""

from __future__ import annotations

import asyncio
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final

from router.control.token_file import load_tokens
from router.errors import ConfigurationError, StoreUnavailable
from router.store.client import connect
from router.store.tokens import has_tokens

_LOCAL: Final = "127.0.0.1, ::1 or localhost"


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
    """`ConfigurationError` for an address that others reach, while there is no token to tell them apart.

    `StoreUnavailable` where that is not known: Redis, which has the tokens, does not answer, and none is kept
    on disk either.
    """
    if is_loopback(host):
        return
    reached = f"--control-host is {host}, which others can reach, and"
    try:
        if asyncio.run(_any(redis_url, data_dir)):
            return
    except StoreUnavailable as error:
        raise StoreUnavailable(
            f"{reached} whether there is an API token is not known: {error}, and {data_dir} keeps none; "
            f"allowed until Redis answers: {_LOCAL}"
        ) from error
    raise ConfigurationError(
        f"{reached} there is no API token yet; allowed without one: {_LOCAL}. "
        "Make an admin's token first, on loopback"
    )


async def _any(redis_url: str, data_dir: Path) -> bool:
    if load_tokens(data_dir):
        return True
    redis = connect(redis_url)
    try:
        return await has_tokens(redis)
    finally:
        await redis.aclose()
