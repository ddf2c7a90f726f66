"""Does each form of URL name what it says, and does no error show a password?"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import ConfigurationError
from router.store.address import FORMS, parse
from router.store.client import connect

SECRET = "hunter2"


def test_one_server() -> None:
    address = parse("redis://user:p%40ss@cache.example:7000/3")
    assert (address.form, address.hosts, address.tls) == ("single", (("cache.example", 7000),), False)
    assert address.options == {"username": "user", "password": "p@ss", "db": 3}
    assert parse("redis://").hosts == (("localhost", 6379),)
    assert parse("redis://:secret@[::1]").hosts == (("::1", 6379),)
    assert parse("redis://h?db=2&socket_timeout=0.5").options == {"db": 2, "socket_timeout": 0.5}


def test_a_socket() -> None:
    address = parse("unix:///run/my%20redis.sock?db=1&password=p")
    assert (address.form, address.path) == ("single", "/run/my redis.sock")
    assert address.options == {"db": 1, "password": "p"}


def test_sentinels() -> None:
    address = parse("redis+sentinel://u:p@one:1,two,[::1]:3/main/2?sentinel_password=s&sentinel_username=v")
    assert (address.form, address.service) == ("sentinel", "main")
    assert address.hosts == (("one", 1), ("two", 26379), ("::1", 3))
    assert address.options == {"username": "u", "password": "p", "db": 2}
    assert address.sentinel == {"password": "s", "username": "v"}


def test_a_cluster() -> None:
    address = parse("rediss+cluster://u:p@one:1,two:2?ssl_check_hostname=no&ssl_cert_reqs=optional")
    assert (address.form, address.tls, address.hosts) == ("cluster", True, (("one", 1), ("two", 2)))
    assert address.options["ssl_check_hostname"] is False
    assert address.options["ssl_cert_reqs"] == "optional"


def test_files_for_tls_are_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.touch()
    assert parse(f"rediss://h?ssl_ca_certs={file}").options == {"ssl_ca_certs": str(file)}
    with pytest.raises(ConfigurationError, match="ssl_keyfile cannot be used; allowed: a file that is there"):
        parse(f"rediss://h?ssl_keyfile={file}.not")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "no known scheme"),
        ("localhost:6379", "no known scheme"),
        ("http://h", r"no known scheme; allowed: redis://"),
        ("redis+sentinal://h/s", r"did you mean redis\+sentinel\?"),
        ("rediss+cluster:h", "no known scheme"),
        ("redis://[::1", "cannot be read"),
        ("redis://h:port", "host or port"),
        ("redis://h:0", "host or port"),
        ("redis://h:65536", "host or port"),
        ("redis://a,b", "several hosts"),
        ("redis://h/x", "database in the path cannot be used; allowed: a database's number"),
        ("redis://h/1/2", "more than it may"),
        ("redis://h#1", "%23"),
        ("redis://h?dbb=1", r"unknown option \(did you mean db\?\)"),
        ("redis://h?db=-1", "option db"),
        ("redis://h?socket_timeout=0", "seconds above 0"),
        ("redis://h?socket_timeout=nan", "seconds above 0"),
        ("redis://h?ssl_ca_certs=x", "for TLS; allowed: it with rediss://"),
        ("redis://h?sentinel_password=x", "unknown option"),
        ("rediss://h?ssl_cert_reqs=perhaps", "required, optional or none"),
        ("rediss://h?ssl_check_hostname=perhaps", "true or false"),
        ("unix://", "no path of a socket"),
        ("unix://h/x.sock", "a host before it"),
        ("redis+sentinel://h", "does not name the service"),
        ("redis+sentinel://a,,b/s", "host in the URL is empty"),
        ("redis+sentinel://h/s/x", "database in the path"),
        ("redis+sentinel://h/s/1/2", "more than it may"),
        ("redis+sentinel://user:1/word@h/s", "%2F"),
        ("redis+cluster://h/1", "a Cluster's URL a database"),
        ("redis+cluster://h?db=1", "a Cluster's URL a database"),
    ],
)
def test_what_is_no_address(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        parse(url)
    assert "allowed:" in str(caught.value)


def said_of(url: str) -> str:
    """The error, or the address' own description."""
    try:
        return repr(parse(url))
    except ConfigurationError as error:
        return f"{error} {error.__cause__}"


@given(
    st.sampled_from([*FORMS, "reddis", "http"]),
    st.text("@:/?#[]%&=, x1", max_size=6),
    st.text("@:/?#[]%&=, x1", max_size=6),
)
def test_no_error_and_no_description_shows_a_password(scheme: str, before: str, after: str) -> None:
    """Also one with characters that ought to have been percent-encoded."""
    for url in (
        f"{scheme}://user:{before}{SECRET}{after}@host:1,host:2/main",
        f"{scheme}://host/main?password={before}{SECRET}{after}",
        f"{scheme}://host/main?sentinel_password={before}{SECRET}{after}&ssl_password={SECRET}",
    ):
        assert SECRET not in said_of(url)


async def test_a_client_does_not_show_its_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for places in ("redis://u:{}@h", "rediss://u:{}@h", "redis+cluster://u:{}@h", "unix:///s?password={}"):
        client = connect(places.format(SECRET))
        assert SECRET not in repr(client)
        await client.aclose()
    client = connect(f"redis+sentinel://u:{SECRET}@h/main?sentinel_password={SECRET}")
    assert SECRET not in repr(client)
    await client.aclose()
    assert SECRET not in caplog.text
