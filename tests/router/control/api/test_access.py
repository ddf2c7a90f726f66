"""Who is answered, who may change what, and is everything that was done or refused on record?"""

from __future__ import annotations

from typing import Any

import pytest

from router.store import keys
from tests.router.control.stage import Stage

RANKER = "/experiments/ranker"
WEIGHTS = {"weights": {"champion": 1, "challenger": 1}}


async def made(stage: Stage, name: str, role: str, token: str | None = None) -> str:
    """A new token's text, made with another one."""
    shown = {} if token is None else bearer(token)
    answer = await stage.call("POST", "/tokens", {"name": name, "role": role}, **shown)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"authorization": f"Bearer {token}"}


async def audit(stage: Stage, token: str) -> list[dict[str, Any]]:
    """The audit log's entries, the newest first."""
    return [each["entry"] for each in (await stage.call("GET", "/audit", **bearer(token))).json()["entries"]]


async def test_roles(stage: Stage) -> None:
    root = await made(stage, "root", "admin")
    viewer = await made(stage, "vera", "viewer", root)
    operator = await made(stage, "olaf", "operator", root)

    assert (await stage.call("GET", RANKER)).status_code == 401
    for token, reads, changes, makes in (
        (viewer, 200, 403, 403),
        (operator, 200, 200, 403),
        (root, 200, 200, 201),
    ):
        shown = bearer(token)
        assert (await stage.call("GET", RANKER, **shown)).status_code == reads
        assert (await stage.call("PATCH", RANKER, WEIGHTS, if_match="*", **shown)).status_code == changes
        new = {"name": f"by-{makes}-{changes}", "role": "admin"}
        assert (await stage.call("POST", "/tokens", new, **shown)).status_code == makes
        assert (await stage.call("GET", "/tokens", **shown)).status_code == (200 if makes == 201 else 403)


async def test_a_viewer_changes_nothing(stage: Stage) -> None:
    root = await made(stage, "root", "admin")
    viewer = await made(stage, "vera", "viewer", root)
    document = (await stage.call("GET", "/openapi.json")).json()
    before = await stage.state()
    tried = 0
    for path, methods in document["paths"].items():
        for method in methods.keys() - {"get"}:
            if path == "/api/v1/validate":
                continue
            address = path.removeprefix("/api/v1").format(name="ranker", number=1)
            answer = await stage.call(method.upper(), address, {}, if_match="*", **bearer(viewer))
            assert answer.status_code == 403, (method, path)
            tried += 1
    assert tried >= 13
    assert await stage.state() == before
    refused = [entry for entry in await audit(stage, root) if entry["status"] == 403]
    assert len(refused) == tried
    assert {entry["who"] for entry in refused} == {"vera"}


async def test_a_revoked_token_opens_nothing_from_the_next_request_on(stage: Stage) -> None:
    root = await made(stage, "root", "admin")
    viewer = await made(stage, "vera", "viewer", root)
    assert (await stage.call("GET", RANKER, **bearer(viewer))).status_code == 200
    assert (await stage.call("DELETE", "/tokens/vera", **bearer(root))).status_code == 204
    assert (await stage.call("GET", RANKER, **bearer(viewer))).status_code == 401
    assert (await stage.call("DELETE", "/tokens/vera", **bearer(root))).status_code == 404


async def test_the_last_admin_cannot_be_revoked_here(stage: Stage) -> None:
    root = await made(stage, "root", "admin")
    await made(stage, "vera", "viewer", root)
    assert (await stage.call("DELETE", "/tokens/root", **bearer(root))).status_code == 409
    await made(stage, "second", "admin", root)
    assert (await stage.call("DELETE", "/tokens/root", **bearer(root))).status_code == 204


async def test_the_first_token_is_an_admins(stage: Stage) -> None:
    answer = await stage.call("POST", "/tokens", {"name": "vera", "role": "viewer"})
    assert answer.status_code == 409
    bad = await stage.call("POST", "/tokens", {"name": "a b", "role": "king"})
    assert bad.status_code == 422


@pytest.mark.parametrize(
    "shown", ["Bearer nonsense", "Bearer turnout_root_0", "Basic cm9vdDpyb290", "Bearer"]
)
async def test_what_is_no_token_is_refused_with_and_without_tokens(stage: Stage, shown: str) -> None:
    before = await stage.call("GET", RANKER, authorization=shown)
    await made(stage, "root", "admin")
    after = await stage.call("GET", RANKER, authorization=shown)
    for answer in (before, after):
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="turnout"')


async def test_no_secret_is_kept(stage: Stage) -> None:
    token = await made(stage, "root", "admin")
    secret = token.rpartition("_")[2]
    stored = await stage.redis.hget(keys.TOKENS, "root")
    assert secret.encode() not in stored
    assert secret not in (stage.data_dir / "tokens.json").read_text()
    assert (stage.data_dir / "tokens.json").stat().st_mode & 0o077 == 0
    assert secret not in (await stage.call("GET", "/tokens", **bearer(token))).text


async def test_a_web_pages_name_for_this_machine_is_refused(stage: Stage) -> None:
    for host, status in (("evil.example", 403), ("127.0.0.1:1", 200), ("localhost", 200), ("[::1]:80", 200)):
        assert (await stage.call("GET", RANKER, host=host)).status_code == status
        health = await stage.client.get("/health", headers={"host": host})
        assert health.status_code == status


async def test_callers_from_elsewhere_need_a_token(stage: Stage) -> None:
    # The server takes a local proxy's word for where a request comes from.
    elsewhere = {"x-forwarded-for": "192.0.2.7"}
    assert (await stage.call("GET", RANKER, **elsewhere)).status_code == 403
    assert (await stage.call("GET", "/docs", **elsewhere)).status_code == 403
    root = await made(stage, "root", "admin")
    assert (await stage.call("GET", RANKER, **elsewhere)).status_code == 401
    assert (await stage.call("GET", RANKER, **elsewhere, **bearer(root))).status_code == 200
    (refused, *_) = [entry for entry in await audit(stage, root) if entry["status"] == 401]
    assert (refused["who"], refused["peer"]) == ("(unknown)", "192.0.2.7")


async def test_changes_and_refusals_are_on_record(stage: Stage) -> None:
    root = await made(stage, "root", "admin")
    await stage.call("PATCH", f"{RANKER}?why=more", WEIGHTS, if_match="*", **bearer(root))
    await stage.call("PATCH", RANKER, WEIGHTS, **bearer(root))
    await stage.call("PATCH", RANKER, WEIGHTS, if_match="*")
    entries = await audit(stage, root)
    found = [
        (each["action"], each["who"], each["status"], each["version"], each["why"]) for each in entries[:3]
    ]
    assert found == [
        ("patch_experiment", "(unknown)", 401, None, ""),
        ("patch_experiment", "root", 428, None, ""),
        ("patch_experiment", "root", 200, 2, "more"),
    ]
    assert ("create_token", "(local)", 201) in [(e["action"], e["who"], e["status"]) for e in entries]


async def test_strangers_do_not_push_out_what_operators_did(stage: Stage) -> None:
    root = await made(stage, "root", "admin")
    length = await stage.redis.xlen(keys.AUDIT)
    for _ in range(20):
        await stage.call("GET", RANKER)
    assert await stage.redis.xlen(keys.AUDIT) == length
    assert len([each for each in await audit(stage, root) if each["status"] == 401]) == 20
