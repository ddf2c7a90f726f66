"""Does a command talk to the router that was meant, with that router's token and no other's?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from router.cli.contexts import DEFAULT_URL, Target, target_of
from router.errors import ConfigurationError

from .conftest import Turnout
from .serving import Served

FILE = """\
# ours
contexts:
  staging: {url: http://staging:8081, token: turnout_me_5ec3e7}
  local: {url: http://127.0.0.1:8081}
current: staging  # for now
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "contexts.yaml"
    file.write_text(FILE)
    return file


def decided(
    file: Path, url: str | None = None, context: str | None = None, **environment: str
) -> tuple[str, str | None]:
    """As the command line gives it: an option's value is the environment's where it is not given."""
    environment |= {"TURNOUT_CONTEXTS": str(file), "TURNOUT_TOKEN": "ambient"}
    url, context = url or environment.get("TURNOUT_URL"), context or environment.get("TURNOUT_CONTEXT")
    target = target_of(url, context, environment)
    return target.url, target.token


def test_the_order(file: Path) -> None:
    staging = ("http://staging:8081", "turnout_me_5ec3e7")
    assert decided(file) == staging
    assert decided(file, context="staging") == staging
    assert decided(file, TURNOUT_CONTEXT="local", context="staging") == staging
    assert decided(file, TURNOUT_URL="http://a", context="staging") == staging
    assert decided(file, TURNOUT_CONTEXT="staging") == staging
    assert decided(file, TURNOUT_URL="http://a") == ("http://a", "ambient")
    assert decided(file, url="http://b", TURNOUT_URL="http://a") == ("http://b", "ambient")
    assert decided(file, url="http://b", TURNOUT_CONTEXT="staging") == ("http://b", "ambient")


def test_a_token_in_the_environment_is_not_sent_to_a_context(file: Path) -> None:
    assert decided(file, context="local") == ("http://127.0.0.1:8081", None)


def test_without_a_file_there_is_a_default(tmp_path: Path) -> None:
    nothing = {"TURNOUT_CONTEXTS": str(tmp_path / "none.yaml")}
    assert target_of(None, None, nothing) == Target(DEFAULT_URL, None, "the default")


def test_two_at_once_are_refused(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="both given"):
        decided(file, url="http://a", context="staging")
    with pytest.raises(ConfigurationError, match="both given"):
        decided(file, TURNOUT_URL="http://a", TURNOUT_CONTEXT="staging")


def test_an_unknown_context_is_refused_with_the_nearest(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'staging'"):
        decided(file, context="stagin")


def test_the_list_shows_no_token(turnout: Turnout, file: Path) -> None:
    here = {"TURNOUT_CONTEXTS": str(file)}
    table, said = (turnout("context", "list", "-o", name, environment=here).out for name in ("table", "json"))
    assert "staging *" in table
    assert "5ec3e7" not in table + said
    assert [(each["name"], each["token"]) for each in json.loads(said)["contexts"]] == [
        ("staging", True),
        ("local", False),
    ]


def test_the_file_is_found_in_the_users_configuration(turnout: Turnout, file: Path, tmp_path: Path) -> None:
    assert turnout("context", "list").status == 0
    place = tmp_path / ".config" / "turnout" / "contexts.yaml"
    place.parent.mkdir(parents=True)
    place.write_text(FILE)
    assert "staging *" in turnout("context", "list").out


def test_another_one_is_used_from_now_on(turnout: Turnout, file: Path, shared_router: Served) -> None:
    here = {"TURNOUT_CONTEXTS": str(file)}
    file.write_text(FILE.replace("http://127.0.0.1:8081", shared_router.control))
    file.chmod(0o600)
    assert turnout("context", "use", "locl", environment=here).status == 2
    assert turnout("context", "use", "local", environment=here).out == f"local: {shared_router.control}\n"
    assert file.read_text().startswith("# ours\ncontexts:\n")
    assert file.stat().st_mode & 0o777 == 0o600
    assert turnout("workers", environment=here).status == 0
    file.write_text(file.read_text().replace('current: "local"', ""))
    said = turnout("context", "use", "local", "-o", "json", environment=here)
    assert json.loads(said.out) == {"current": "local", "url": shared_router.control}
    assert turnout("workers", environment=here).status == 0


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("contexts:\n  a: {urll: http://x}\n", 2, "did you mean 'url'?"),
        ("contexts:\n  a: {url: http://x, token: [5ec3e7]}\n", 2, "contexts.a.token"),
        ("contexts: {\n", 2, "is not YAML"),
        ("- a\n", 1, "allowed: a mapping"),
    ],
)
def test_a_file_that_is_wrong_names_its_line(
    turnout: Turnout, file: Path, text: str, line: int, said: str
) -> None:
    file.write_text(text)
    ran = turnout("workers", environment={"TURNOUT_CONTEXTS": str(file)})
    assert (ran.status, ran.out) == (2, "")
    assert ran.error.startswith(f"turnout: {file}:{line}: ")
    assert said in ran.error
    assert "5ec3e7" not in ran.error
