"""Are versions recorded with the state, kept by origin, and tokens, entries and reports beside them?"""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from router.problems import InvalidConfiguration
from router.settings import Backend, Settings
from router.state import State
from router.store import keys, states, versions
from router.store.audit import Entry, log_entry, read_entries
from router.store.tokens import TokenConflict, create_token, list_tokens, owner_of, revoke_token
from router.store.versions import Change, Record, list_versions, read_version, versions_after
from router.store.workers import WorkerReport, forget_worker, list_workers, report_worker

SETTINGS = Settings(backends={}, routes=())


def state(version: int) -> State:
    return State(version=version, settings=SETTINGS, epochs={}, key=bytes(16))


def record(version: int, automatic: bool = False) -> Record:
    change = Change(pointer="/limits/headers", before=version, after=version + 1)
    return Record(
        version=version,
        at=float(version),
        who="olaf",
        why="because",
        difference=(change,),
        epochs={},
        settings=SETTINGS,
        automatic=automatic,
    )


def entry(number: int) -> Entry:
    return Entry(at=1.0, who="olaf", role="operator", peer="", action=f"a{number}", target="", status=200)


async def test_a_version_is_recorded_with_its_state_or_not_at_all(redis: Redis) -> None:
    assert await states.commit(redis, state(1), 0, record(1), entry(1))
    assert not await states.commit(redis, state(1), 0, replace(record(1), who="late"), entry(2))
    assert await read_version(redis, 1) == record(1)
    assert await read_version(redis, 2) is None
    assert [logged.entry.action for logged in await read_entries(redis, 10)] == ["a1"]


async def test_what_no_person_made_pushes_out_none_that_one_did(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "KEPT_VERSIONS", 3)
    for number in range(1, 11):
        assert await states.commit(redis, state(number), number - 1, record(number, number > 2), None)
    assert [each.version for each in await list_versions(redis)] == [10, 9, 8, 2, 1]
    assert [each.version for each in await list_versions(redis, before=9, limit=2)] == [8, 2]
    assert [each.version for each in await versions_after(redis, 2)] == [8, 9, 10]
    assert versions.KEPT_VERSIONS >= 1000


async def test_a_version_that_changes_no_setting_costs_no_configuration(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "KEPT_VERSIONS", 3)
    backends = {f"backend-{number}": Backend(url="http://127.0.0.1:9001") for number in range(1000)}
    large = Settings(backends=backends, routes=())
    first = replace(record(1), settings=large)
    assert await states.commit(redis, replace(state(1), settings=large), 0, first, None)
    before = await redis.memory_usage(keys.VERSIONS) + await redis.memory_usage(keys.VERSIONS_SETTINGS)
    planned = [replace(record(number, True), settings=large, difference=()) for number in (2, 3)]
    for each in planned:
        assert await states.commit(redis, state(each.version), each.version - 1, each, None)
    after = await redis.memory_usage(keys.VERSIONS) + await redis.memory_usage(keys.VERSIONS_SETTINGS)
    assert after - before < 2000
    assert [await read_version(redis, each.version) for each in planned] == planned

    for number in range(4, 7):
        assert await states.commit(redis, state(number), number - 1, record(number), None)
    assert {int(number) for number in await redis.hkeys(keys.VERSIONS_SETTINGS)} == {4, 5, 6}
    assert await read_version(redis, 3) is None  # what it had is no longer kept
    assert await read_version(redis, 6) == record(6)


async def test_restoring_needs_an_empty_redis(redis: Redis) -> None:
    assert await states.restore(redis, state(8), record(8), entry(1))
    assert not await states.restore(redis, state(9), record(9), entry(2))
    assert await states.version(redis) == 8
    assert await redis.get(keys.SIGNING_KEY) == bytes(16)


async def test_the_audit_log_is_bounded(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.store.audit.KEPT_ENTRIES", 100)
    for number in range(1000):
        await log_entry(redis, entry(number), stranger=number % 2 == 0)
    assert await redis.xlen(keys.AUDIT) < 300
    found = [logged.entry.action for logged in await read_entries(redis, 50)]
    assert [each for each in found if int(each[1:]) % 2][:4] == ["a999", "a997", "a995", "a993"]
    assert [each for each in found if not int(each[1:]) % 2][:4] == ["a998", "a996", "a994", "a992"]


async def test_a_token_is_known_by_its_secret_alone(redis: Redis) -> None:
    token = await create_token(redis, "ro_ot", "admin", created=1.0, created_by="a test")
    other = await create_token(redis, "vera", "viewer", created=1.0, created_by="a test")
    records = await list_tokens(redis)
    owners = [owner_of(each, records) for each in (token, other)]
    assert [owner.name for owner in owners if owner is not None] == ["ro_ot", "vera"]
    swapped = other.replace("vera", "ro_ot")
    for wrong in ("", "turnout_", token[:-1], token + "0", swapped, token.upper()):
        assert owner_of(wrong, records) is None
    with pytest.raises(TokenConflict, match="already"):
        await create_token(redis, "vera", "admin", created=1.0, created_by="a test")
    with pytest.raises(InvalidConfiguration, match="did you mean 'viewer'"):
        await create_token(redis, "x", "viewr", created=1.0, created_by="a test")
    assert await revoke_token(redis, "vera")
    assert not await revoke_token(redis, "vera")
    assert owner_of(other, await list_tokens(redis)) is None


async def test_a_workers_report_expires(redis: Redis) -> None:
    report = WorkerReport(worker="b", host="h", pid=2, started=1.0, version=3, since=2.0)
    await report_worker(redis, report, 100.0)
    await report_worker(redis, replace(report, worker="a", pid=1), 100.0)
    assert [each.worker for each in await list_workers(redis)] == ["a", "b"]
    assert 0 < await redis.ttl(keys.worker("a")) <= 7
    await redis.delete(keys.worker("a"))
    await forget_worker(redis, "b")
    assert await list_workers(redis) == []
    await report_worker(redis, report, 1000.0)
    assert await redis.zcard(keys.WORKERS) == 1
