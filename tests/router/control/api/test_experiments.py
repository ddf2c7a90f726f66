"""Can an operator run an experiment from first unit to archive, and never over another operator's edit?"""

from __future__ import annotations

import asyncio

import pytest

from tests.router.control.stage import CONFIGURATION, Stage

RANKER = "/experiments/ranker"


async def test_an_experiment_says_how_it_stands(stage: Stage) -> None:
    answer = await stage.call("GET", RANKER)
    found = answer.json()
    assert (found["name"], found["status"], found["version"]) == ("ranker", "running", 1)
    assert [(each["weight"], each["share"], each["in_force"]) for each in found["variants"]] == [
        (80, 0.8, 0.8),
        (20, 0.2, 0.2),
    ]
    assert found["routes"] == ["/v1/ranker"]
    assert (found["epoch"]["number"], found["ending"]) == (1, None)
    listed = (await stage.call("GET", "/experiments")).json()
    assert listed["experiments"] == [found]


async def test_one_outside_of_its_schedule_is_said_to_sleep(stage: Stage) -> None:
    etag = await stage.etag(RANKER)
    definition = CONFIGURATION["experiments"]["ranker"] | {"schedule": {"end": "2020-01-31T08:00Z"}}
    assert (await stage.call("PUT", RANKER, definition, if_match=etag)).status_code == 200
    found = (await stage.call("GET", RANKER)).json()
    assert (found["status"], [each["in_force"] for each in found["variants"]]) == ("asleep", [0, 0])


async def test_weights_are_replaced_as_a_new_version_and_epoch(stage: Stage) -> None:
    etag = await stage.etag(RANKER)
    answer = await stage.call(
        "PATCH", f"{RANKER}?why=halves", {"weights": {"champion": 1, "challenger": 1}}, if_match=etag
    )
    assert answer.status_code == 200
    assert [each["share"] for each in answer.json()["variants"]] == [0.5, 0.5]
    state = await stage.state()
    assert (state.version, state.epochs["ranker"].number) == (2, 2)
    assert state.epochs["ranker"].weights == {"champion": 1, "challenger": 1}
    newest = (await stage.call("GET", "/versions")).json()["versions"][0]
    assert (newest["who"], newest["why"], newest["opened"]) == ("(local)", "halves", ["ranker"])
    assert [(each["pointer"], each["before"], each["after"]) for each in newest["difference"]] == [
        ("/experiments/ranker/variants/champion/weight", 80, 1),
        ("/experiments/ranker/variants/challenger/weight", 20, 1),
    ]


@pytest.mark.parametrize(
    ("weights", "pointers"),
    [
        ({"champion": 1}, ["/weights/challenger"]),
        ({"champion": 1, "challenger": 1, "third": 1}, ["/weights/third"]),
        ({"champion": 1, "challenger": -1}, ["/weights/challenger"]),
        ({"champion": 1, "challenger": "much"}, ["/weights/challenger"]),
        ({"champion": 0, "challenger": 0}, ["/weights"]),
    ],
)
async def test_weights_that_cannot_be(stage: Stage, weights: dict[str, object], pointers: list[str]) -> None:
    answer = await stage.call("PATCH", RANKER, {"weights": weights}, if_match="*")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [each["pointer"] for each in answer.json()["errors"]] == pointers
    assert (await stage.state()).version == 1


async def test_of_two_operators_one_wins_and_the_other_sees_what_changed(stage: Stage) -> None:
    etag = await stage.etag(RANKER)
    answers = await asyncio.gather(
        *(
            stage.call("PATCH", RANKER, {"weights": {"champion": 50, "challenger": other}}, if_match=etag)
            for other in (50, 60)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    won, lost = sorted(answers, key=lambda answer: answer.status_code)
    (changed,) = lost.json()["changed"]
    assert (changed["version"], changed["who"]) == (2, "(local)")
    assert {each["pointer"] for each in changed["difference"]} == {
        "/experiments/ranker/variants/champion/weight",
        "/experiments/ranker/variants/challenger/weight",
    }
    assert lost.json()["etag"] == won.headers["etag"]
    state = await stage.state()
    assert state.version == 2
    assert (
        state.settings.experiments["ranker"].variants["challenger"].weight
        == won.json()["variants"][1]["weight"]
    )


async def test_another_experiments_change_is_in_nobodys_way(stage: Stage) -> None:
    definition = CONFIGURATION["experiments"]["ranker"]
    other = await stage.call("PUT", "/experiments/other", definition)
    assert other.status_code == 201
    etag = await stage.etag(RANKER)
    changed = await stage.call(
        "PATCH",
        "/experiments/other",
        {"weights": {"champion": 1, "challenger": 2}},
        if_match=other.headers["etag"],
    )
    assert changed.status_code == 200
    assert (await stage.call("POST", f"{RANKER}/pause", if_match=etag)).status_code == 200


async def test_a_change_needs_to_know_what_it_changes(stage: Stage) -> None:
    for method, path, body in (
        ("PATCH", RANKER, {"weights": {"champion": 1, "challenger": 1}}),
        ("PUT", RANKER, CONFIGURATION["experiments"]["ranker"]),
        ("POST", f"{RANKER}/pause", None),
        ("PUT", "/routes", {"routes": []}),
        ("POST", "/versions/1/rollback", None),
    ):
        assert (await stage.call(method, path, body)).status_code == 428
        for wrong in ('"1-0000000000000000"', "nonsense", 'W/"1"'):
            assert (await stage.call(method, path, body, if_match=wrong)).status_code == 412
    assert (await stage.state()).version == 1


async def test_pause_keeps_the_weights_and_start_opens_an_epoch(stage: Stage) -> None:
    paused = (await stage.call("POST", f"{RANKER}/pause", if_match="*")).json()
    assert paused["status"] == "paused"
    assert [(each["weight"], each["in_force"]) for each in paused["variants"]] == [(80, 0), (20, 0)]
    assert (await stage.state()).epochs["ranker"].number == 1
    again = await stage.call("POST", f"{RANKER}/pause", if_match="*")
    assert again.json()["version"] == paused["version"]
    started = (await stage.call("POST", f"{RANKER}/start", if_match="*")).json()
    assert (started["status"], started["epoch"]["number"]) == ("running", 2)


async def test_the_winner_serves_the_routes(stage: Stage) -> None:
    wrong = await stage.call("POST", f"{RANKER}/stop", {"winner": "challengr"}, if_match="*")
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"] == "/winner"
    assert "did you mean 'challenger'?" in wrong.json()["detail"]

    stopped = (await stage.call("POST", f"{RANKER}/stop", {"winner": "challenger"}, if_match="*")).json()
    assert (stopped["status"], stopped["ending"]["winner"]) == ("stopped", "challenger")
    state = await stage.state()
    assert [route.backend for route in state.settings.routes] == ["two", "one"]
    assert not state.settings.experiments["ranker"].running
    again = await stage.call("POST", f"{RANKER}/stop", {"winner": "challenger"}, if_match="*")
    assert again.json()["version"] == stopped["version"]


async def test_what_is_archived_is_hidden_and_its_report_stays(stage: Stage) -> None:
    assert (await stage.call("POST", f"{RANKER}/archive", if_match="*")).status_code == 409
    await stage.call("POST", f"{RANKER}/stop", {"winner": "champion"}, if_match="*")
    archived = (await stage.call("POST", f"{RANKER}/archive", if_match="*")).json()
    assert (archived["status"], archived["ending"]["winner"], archived["routes"]) == (
        "archived",
        "champion",
        [],
    )
    assert (await stage.call("GET", "/experiments")).json()["experiments"] == []
    listed = (await stage.call("GET", "/experiments?archived=true")).json()["experiments"]
    assert [each["name"] for each in listed] == ["ranker"]
    assert (await stage.call("GET", f"{RANKER}/report")).json()["experiment"] == "ranker"
    assert (await stage.call("POST", f"{RANKER}/start", if_match="*")).status_code == 409
    back = await stage.call("PUT", RANKER, CONFIGURATION["experiments"]["ranker"], if_match="*")
    assert (back.json()["status"], back.json()["epoch"]["number"]) == ("running", 2)


async def test_a_definition_can_be_sent_back(stage: Stage) -> None:
    answer = await stage.call("GET", RANKER)
    same = await stage.call("PUT", RANKER, answer.json()["definition"], if_match=answer.headers["etag"])
    assert same.status_code == 200
    assert same.json() == answer.json()


async def test_problems_of_a_definition_are_pointed_at_in_the_body(stage: Stage) -> None:
    definition = CONFIGURATION["experiments"]["ranker"] | {"control": "champ", "colour": "red"}
    answer = await stage.call("PUT", "/experiments/new", definition)
    assert answer.status_code == 422
    assert {each["pointer"] for each in answer.json()["errors"]} == {"/colour", "/control"}
    named = await stage.call("PUT", "/experiments/bad%20name", CONFIGURATION["experiments"]["ranker"])
    assert (named.status_code, named.json()["errors"][0]["pointer"]) == (422, "")
    unused = await stage.call("PUT", "/experiments/new", CONFIGURATION["experiments"]["ranker"], if_match="*")
    assert unused.status_code == 412


async def test_a_unit_gets_what_the_epoch_says(stage: Stage) -> None:
    found = (await stage.call("GET", f"{RANKER}/assignment?unit=user-1")).json()
    best = max(found["candidates"], key=lambda each: each["score"])
    assert (found["variant"], found["epoch"], found["propensity"]) == (best["variant"], 1, best["share"])
    assert (await stage.call("GET", f"{RANKER}/assignment")).status_code == 422
