"""Who gets in with which token, how is the first one made, and what is whoever does not get in told?"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from router.store.embedded import EmbeddedRedis

from .conftest import CONFIGURATION, Turnout
from .serving import Served, serving


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A router of its own, because the first token shuts out whoever has none."""
    home = tmp_path_factory.mktemp("guarded")
    file = home / "turnout.yaml"
    file.write_text(CONFIGURATION)
    with serving(file, home / "data") as served:
        yield served


@pytest.fixture
def admin(guarded: Served, turnout: Turnout) -> Iterator[str]:
    """An admin's token, made on the machine; whatever tokens there are, are gone afterwards."""
    made = turnout(
        "token", "create", "--name", "root", "--role", "admin", "--data-dir", str(guarded.data_dir)
    )
    assert made.status == 0
    yield made.out.strip()
    listed = turnout("token", "list", "--data-dir", str(guarded.data_dir), "-o", "json")
    for token in json.loads(listed.out)["tokens"]:
        assert turnout("token", "revoke", token["name"], "--data-dir", str(guarded.data_dir)).status == 0


def test_roles(guarded: Served, turnout: Turnout, admin: str, config: Path) -> None:
    here = {"TURNOUT_URL": guarded.control}
    tokens = {"root": admin}
    for role in ("viewer", "operator"):
        made = turnout(
            *("token", "create", "--name", f"my-{role}", "--role", role, "--output", "json"),
            environment=here | {"TURNOUT_TOKEN": admin},
        )
        assert made.status == 0
        tokens[role] = json.loads(made.out)["token"]

    viewer = here | {"TURNOUT_TOKEN": tokens["viewer"]}
    operator = here | {"TURNOUT_TOKEN": tokens["operator"]}
    assert turnout("get", environment=viewer).status == 0
    assert turnout("validate", str(config), environment=viewer).status == 0
    ran = turnout("pause", "ranker", environment=viewer)
    assert (ran.status, ran.out) == (1, "")
    assert "my-viewer has the role viewer; allowed: operator or admin" in ran.error
    assert "an admin makes a token that may: turnout token create --name NAME --role operator" in ran.error

    assert turnout("pause", "ranker", "--why", "mine", environment=operator).status == 0
    assert "by my-operator: mine" in turnout("history", "--limit", "1", environment=viewer).out
    for refused in (["list"], ["create", "--name", "x", "--role", "viewer"], ["revoke", "root"]):
        ran = turnout("token", *refused, environment=operator)
        assert (ran.status, ran.out) == (1, "")
        assert "my-operator has the role operator; allowed: admin" in ran.error
        assert "--role admin" in ran.error


def test_without_a_token_one_is_told_how_to_get_one(guarded: Served, turnout: Turnout, admin: str) -> None:
    here = {"TURNOUT_URL": guarded.control}
    ran = turnout("get", environment=here)
    assert (ran.status, ran.out) == (1, "")
    assert "a token is needed (no token was sent)" in ran.error
    assert "put one into TURNOUT_TOKEN or into the context" in ran.error
    assert "turnout token create --name NAME --role admin --data-dir DIR" in ran.error
    ran = turnout("get", environment=here | {"TURNOUT_TOKEN": admin[:-1] + "x"})
    assert ran.status == 1
    assert "the token is not valid, or was revoked (the token is that of TURNOUT_TOKEN)" in ran.error
    assert admin[:-1] not in ran.error
    ran = turnout("get", environment=here | {"TURNOUT_TOKEN": "schlüssel"})
    assert ran.status == 2
    assert "the token has characters that no token has" in ran.error


def test_a_revoked_token_stops_working_within_a_second(guarded: Served, turnout: Turnout, admin: str) -> None:
    everything = {"TURNOUT_URL": guarded.control, "TURNOUT_TOKEN": admin}
    made = turnout("token", "create", "--name", "guest", "--role", "viewer", environment=everything)
    headers = {"authorization": f"Bearer {made.out.strip()}"}
    path = f"{guarded.control}/api/v1/experiments"
    assert httpx.get(path, headers=headers, trust_env=False).status_code == 200
    ran = turnout("token", "revoke", "guest", environment=everything)
    revoked = time.monotonic()
    assert (ran.status, ran.out) == (0, "the token guest opens nothing any more\n")
    while httpx.get(path, headers=headers, trust_env=False).status_code != 401:
        assert time.monotonic() < revoked + 1
    assert "guest" not in turnout("token", "list", environment=everything).out
    ran = turnout("token", "revoke", "guest", environment=everything)
    assert (ran.status, ran.error) == (2, "turnout: there is no token 'guest'\n")


def test_a_token_is_shown_once_and_alone(guarded: Served, turnout: Turnout, admin: str) -> None:
    everything = {"TURNOUT_URL": guarded.control, "TURNOUT_TOKEN": admin}
    ran = turnout("token", "create", "--name", "guest", "--role", "viewer", environment=everything)
    assert ran.out.startswith("turnout_guest_")
    assert len(ran.out.split()) == 1
    assert ran.error.startswith("the token of guest, viewer: keep it")
    listed = turnout("token", "list", "-o", "yaml", environment=everything)
    assert "name: guest" in listed.out
    assert ran.out.strip().rpartition("_")[2] not in listed.out
    ran = turnout("token", "create", "--name", "guest", "--role", "viewer", environment=everything)
    assert ran.status == 1
    assert "there is a token 'guest' already" in ran.error


def test_what_is_done_on_the_machine_is_in_the_audit_log(
    guarded: Served, turnout: Turnout, admin: str
) -> None:
    everything = {"TURNOUT_URL": guarded.control, "TURNOUT_TOKEN": admin}
    said = json.loads(turnout("get", "audit", "--limit", "1", "-o", "json", environment=everything).out)
    (entry,) = [each["entry"] for each in said["entries"]]
    assert (entry["action"], entry["target"]) == ("create_token", "turnout token")
    assert entry["who"].endswith("on this machine)")
    assert entry["detail"] == "token root with the role admin"


def test_the_first_token_is_an_admins(turnout: Turnout, tmp_path: Path) -> None:
    """Also where no router runs: its Redis is started for as long as it takes."""
    directory = tmp_path / "data"
    directory.mkdir()
    straight = ["--data-dir", str(directory)]
    ran = turnout("token", "create", "--name", "me", "--role", "viewer", *straight)
    assert (ran.status, ran.out) == (1, "")
    assert "the first token has the role 'viewer'; allowed: admin" in ran.error
    made = turnout("token", "create", "--name", "me", "--role", "admin", *straight)
    assert made.status == 0
    assert made.out.startswith("turnout_me_")
    server = EmbeddedRedis(directory / "redis")
    server.start()
    try:
        assert "me" in turnout("token", "list", "--redis", server.url).out
        assert "me" in turnout("token", "list", *straight).out
        assert turnout("token", "revoke", "me", "--redis", server.url).status == 0
    finally:
        server.stop()
    assert json.loads(turnout("token", "list", *straight, "-o", "json").out) == {"tokens": []}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--name", "a b", "--role", "admin", "--data-dir", "."], "is no usable name"),
        (["--name", "a", "--role", "adnim"], "admin"),
        (["--name", "a", "--role", "admin", "--data-dir", "nowhere"], "nowhere is no directory"),
        (["--name", "a", "--role", "admin", "--redis", "http://x"], "allowed: redis://"),
        (["--name", "a", "--role", "admin", "--redis", "redis://x", "--data-dir", "."], "one of them"),
    ],
)
def test_what_cannot_be(turnout: Turnout, options: list[str], said: str) -> None:
    ran = turnout("token", "create", *options)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.error
