"""Does every change of what evidence means open an epoch, and nothing else?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.plan import Plan
from router.config_file import read_settings
from router.epochs import advance
from router.settings import Settings
from router.state import State, decode_state, encode_state

KEY = b"0123456789abcdef"


def settings(**changes: Any) -> Settings:
    """Two backends, one experiment; ``changes`` to the experiment."""
    experiment = {
        "unit": [{"header": "x-user-id"}],
        "variants": {
            "champion": {"backend": "one", "weight": 90},
            "challenger": {"backend": "two", "weight": 10},
        },
        "control": "champion",
    }
    return read_settings(
        {
            "backends": {"one": {"url": "http://h:1"}, "two": {"url": "http://h:2"}},
            "routes": [{"path": "/", "backend": "one"}],
            "experiments": {"ranker": experiment | changes},
        }
    )


def weights(champion: float, challenger: float) -> dict[str, Any]:
    return {
        "champion": {"backend": "one", "weight": champion},
        "challenger": {"backend": "two", "weight": challenger},
    }


EMPTY = read_settings(
    {"backends": {"one": {"url": "http://h:1"}}, "routes": [{"path": "/", "backend": "one"}]}
)


@pytest.fixture
def first() -> State:
    return advance(None, settings(), 100.0, key=KEY)


def test_the_first_state(first: State) -> None:
    assert (first.version, first.key, first.settings) == (1, KEY, settings())
    epoch = first.epochs["ranker"]
    assert (epoch.number, epoch.started, epoch.salt, epoch.why) == (1, 100.0, "ranker", "first epoch")
    assert epoch.weights == {"champion": 90, "challenger": 10}
    assert decode_state(encode_state(first)) == first


def test_the_first_state_needs_a_key() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        advance(None, settings(), 100.0)


def test_nothing_changed_is_the_same_state(first: State) -> None:
    assert advance(first, settings(), 200.0) is first
    assert advance(first, settings(), 200.0, key=KEY) is first
    planned = {"ranker": Plan("ranker", {"champion": 90.0, "challenger": 10.0})}
    assert advance(first, settings(), 200.0, planned=planned) is first


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"variants": weights(80, 20)}, "weight of challenger 10 -> 20; weight of champion 90 -> 80"),
        ({"variants": weights(180, 20)}, "weight of challenger 10 -> 20; weight of champion 90 -> 180"),
        ({"variants": weights(90, 0)}, "weight of challenger 10 -> 0"),
        (
            {"variants": weights(90, 10) | {"third": {"backend": "one", "weight": 1}}},
            "variant third is new, weight 1",
        ),
        ({"variants": {"champion": {"backend": "one", "weight": 90}}}, "variant challenger is gone"),
        (
            {"variants": weights(90, 10) | {"challenger": {"backend": "one", "weight": 10}}},
            "backend of challenger two -> one",
        ),
        ({"salt": "again"}, "salt ranker -> again"),
        ({"unit": [{"cookie": "uid"}]}, "unit changed"),
        ({"cookie": {"name": "uid"}}, "unit changed"),
    ],
)
def test_what_changes_the_meaning_of_evidence_opens_an_epoch(
    first: State, changes: dict[str, Any], why: str
) -> None:
    state = advance(first, settings(**changes), 200.0)
    epoch = state.epochs["ranker"]
    assert (state.version, epoch.number, epoch.started, epoch.why) == (2, 2, 200.0, why)


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": [{"name": "correct", "kind": "binary"}]},
        {"attribution": "1d"},
        {"expose_variant": True},
        {"analysis": {"alpha": 0.1}},
        {"control": "challenger"},
        {"variants": dict(reversed(weights(90, 10).items()))},
    ],
)
def test_what_does_not_keeps_the_epoch_in_a_new_version_or_none(
    first: State, changes: dict[str, Any]
) -> None:
    state = advance(first, settings(**changes), 200.0)
    assert state.epochs == first.epochs
    assert state.version == (1 if "variants" in changes else 2)


def test_another_key_is_a_new_version(first: State) -> None:
    state = advance(first, settings(), 200.0, key=b"another key")
    assert (state.version, state.key, state.epochs) == (2, b"another key", first.epochs)


def test_a_stopped_experiment_keeps_its_record_and_a_started_one_goes_on_counting(first: State) -> None:
    stopped = advance(first, settings(running=False), 200.0)
    assert (stopped.version, stopped.epochs) == (2, first.epochs)
    changed = advance(stopped, settings(running=False, variants=weights(50, 50)), 300.0)
    assert (changed.version, changed.epochs) == (3, first.epochs)
    started = advance(changed, settings(variants=weights(50, 50)), 400.0).epochs["ranker"]
    assert (started.number, started.started) == (2, 400.0)
    assert started.why == (
        "experiment was started; weight of challenger 10 -> 50; weight of champion 90 -> 50"
    )


def test_an_experiment_that_never_ran_has_no_epoch() -> None:
    state = advance(None, settings(running=False), 100.0, key=KEY)
    assert state.epochs == {}
    assert advance(state, settings(), 200.0).epochs["ranker"].number == 1


def test_a_removed_experiment_comes_back_under_a_new_number(first: State) -> None:
    removed = advance(first, EMPTY, 200.0)
    assert removed.epochs == first.epochs
    back = advance(removed, settings(), 300.0).epochs["ranker"]
    assert (back.number, back.started, back.why) == (2, 300.0, "experiment is back")


def test_planned_weights_open_an_epoch_and_stay_while_they_are_planned(first: State) -> None:
    planned = {"ranker": Plan("ranker", {"champion": 50.0, "challenger": 50.0})}
    state = advance(first, settings(), 200.0, planned=planned)
    assert state.epochs["ranker"].weights == planned["ranker"].weights
    assert state.settings == first.settings
    assert advance(state, settings(), 300.0, planned=planned) is state
    assert advance(state, settings(), 300.0).epochs["ranker"].number == 3


@pytest.mark.parametrize("planned", [{"champion": 1.0}, {"champion": 1.0, "chalenger": 1.0}])
def test_planned_weights_are_those_of_the_variants(first: State, planned: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"allowed: .'challenger', 'champion'."):
        advance(first, settings(), 200.0, planned={"ranker": Plan("ranker", planned)})


_changes = st.fixed_dictionaries(
    {},
    optional={
        "variants": st.builds(weights, st.sampled_from([0, 50, 90]), st.sampled_from([10, 50])),
        "running": st.booleans(),
        "salt": st.sampled_from(["a", "b"]),
        "expose_variant": st.booleans(),
    },
)


@given(st.lists(st.one_of(_changes, st.none()), min_size=1, max_size=12))
def test_versions_and_epochs_only_count_up_and_an_epoch_never_changes(
    history: list[dict[str, Any] | None],
) -> None:
    state: State | None = None
    seen: dict[int, object] = {}
    for step, changes in enumerate(history):
        wanted = EMPTY if changes is None else settings(**changes)
        following = advance(state, wanted, float(step), key=KEY)
        if state is not None:
            assert (following is state) or following.version == state.version + 1
            assert advance(following, wanted, float(step)) is following
        epoch = following.epochs.get("ranker")
        if epoch is not None:
            assert seen.setdefault(epoch.number, epoch) == epoch
            assert epoch.number == max(seen)
            running = following.settings.experiments.get("ranker")
            if running is not None and running.running:
                assert epoch.weights == {name: arm.weight for name, arm in running.variants.items()}
        state = following
    assert sorted(seen) == list(range(1, len(seen) + 1))


@pytest.mark.parametrize(
    ("schedule", "asleep"),
    [
        ({"start": "9999-12-31T23:59:59-14:00"}, ("ranker",)),
        ({"start": "0001-01-01T00:00+14:00"}, ()),
        ({"end": "9999-12-31T23:59:59-14:00"}, ()),
        ({"end": "0001-01-01T00:00+14:00"}, ("ranker",)),
    ],
)
def test_a_schedule_may_name_the_first_and_the_last_moment_there_is(
    schedule: dict[str, str], asleep: tuple[str, ...]
) -> None:
    assert advance(None, settings(schedule=schedule), 1.0, key=KEY).asleep == asleep


def test_no_epoch_starts_before_the_one_that_it_follows(first: State) -> None:
    """Though the clock was set back: else what is asked of the epochs since a time would miss its traffic."""
    second = advance(first, settings(variants=weights(50, 50)), 40.0)
    assert (second.epochs["ranker"].number, second.epochs["ranker"].started) == (2, 100.0)
