"""What is read of a policy and its plans is what the control plane answers."""

from __future__ import annotations

from router.cli.demo.planning import PlanMade, PolicyNow, Seen, read_plan, replays


def plan(epoch: int, replayed: bool) -> PlanMade:
    return PlanMade(epoch, 0.0, "", "", {}, {}, replayed)


def test_all_plans_must_replay_and_there_must_be_some() -> None:
    assert replays([plan(2, True), plan(3, True)]).held
    assert not replays([plan(2, True), plan(3, False)]).held
    assert not replays([]).held


def test_what_a_plan_saw_is_summed_over_its_epochs() -> None:
    variant = {
        "requests": 40,
        "errors": {"total": 2.0},
        "metrics": {"correct": {"count": 30.0}},
    }
    view = {
        "record": {
            "epoch": 7,
            "at": 5.0,
            "planned": {"why": "harm", "weights": {"a": 0.0}, "findings": {"phase": "Failed"}},
            "observed": {
                "epochs": [{"variants": {"a": variant}}, {"variants": {"a": variant, "b": variant}}]
            },
        },
        "replayed": None,
    }
    found = read_plan(view)
    assert found.seen == {"a": Seen(80, 4, 60), "b": Seen(40, 2, 30)}
    assert (found.epoch, found.phase, found.replayed) == (7, "Failed", False)


def test_a_share_is_of_all_weights() -> None:
    assert PolicyNow(weights={"a": 1.0, "b": 3.0}).share("b") == 0.75
    assert PolicyNow().share("b") == 0.0
