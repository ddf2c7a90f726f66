"""One machine: what Docker Compose itself makes of the file holds back what can be held back."""

from __future__ import annotations

import re
import tomllib

import pytest

from router.config_file import load
from router.description import describe
from router.hosting import DRAIN_SECONDS
from tests.deploy.files import DEPLOY, ROOT, compose, exact

SERVICES = ("router", "redis", "weak", "strong", "users", "prometheus", "grafana")


def test_these_are_all() -> None:
    assert sorted(compose()["services"]) == sorted(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_each_is_locked_limited_and_exact(name: str) -> None:
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"])
    assert exact(service["image"])
    assert not service.get("privileged")


def test_our_own_images_are_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    own = [each["image"] for each in compose()["services"].values() if "turnout" in each["image"]]
    assert {image.rpartition(":")[2] for image in own} == {version}


def test_only_the_data_port_and_on_loopback_grafana_are_published() -> None:
    published = {
        (name, port.get("host_ip", ""), port["target"])
        for name, service in compose()["services"].items()
        for port in service.get("ports", ())
    }
    assert published == {("router", "", 8080), ("grafana", "127.0.0.1", 3000)}


def test_redis_and_the_models_are_in_a_network_that_leads_nowhere() -> None:
    document = compose()
    assert document["networks"]["inside"]["internal"] is True
    for name in ("redis", "weak", "strong"):
        assert list(document["services"][name]["networks"]) == ["inside"]


def test_redis_forgets_nothing() -> None:
    words = compose()["services"]["redis"]["command"]
    options = dict(zip(words[1::2], words[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert compose()["services"]["redis"]["volumes"][0]["target"] == options["--dir"]


def test_the_router_has_the_time_that_it_may_take_to_end() -> None:
    grace = compose()["services"]["router"]["stop_grace_period"]
    parts = re.findall(r"(\d+)([ms])", grace)
    assert sum(int(number) * {"m": 60, "s": 1}[unit] for number, unit in parts) >= DRAIN_SECONDS + 20


def test_nothing_that_a_profile_needs_is_outside_it() -> None:
    everywhere = compose()["services"]
    for service in everywhere.values():
        for needed in service.get("depends_on", {}):
            theirs = everywhere[needed].get("profiles")
            assert theirs is None or set(theirs) <= set(service["profiles"])


def test_the_configuration_is_usable_and_names_the_models_there_are() -> None:
    settings = load(DEPLOY / "compose" / "turnout.yaml")
    assert describe(settings).warnings == ()
    urls = {backend.url for backend in settings.backends.values()}
    assert urls == {"http://weak:9000", "http://strong:9000"}
