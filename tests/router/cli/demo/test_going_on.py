"""The command that starts the demo again is the one that is running."""

from __future__ import annotations

from pathlib import Path

from router.cli.demo.going_on import own_command


def test_it_is_the_plain_name_only_where_the_shell_would_find_this_very_script(tmp_path: Path) -> None:
    script = tmp_path / "bin" / "turnout"
    script.parent.mkdir()
    script.touch()
    python = tmp_path / "bin" / "python"
    assert own_command(python, str(script), tmp_path) == "turnout"
    assert own_command(python, "/usr/bin/turnout", tmp_path) == "bin/turnout"
    assert own_command(python, None, tmp_path) == "bin/turnout"
    assert own_command(python, None, tmp_path / "elsewhere") == str(script)


def test_without_a_script_it_is_the_running_python(tmp_path: Path) -> None:
    python = tmp_path / "a folder" / "python"
    assert own_command(python, None, tmp_path) == "'a folder/python' -m router.cli"
