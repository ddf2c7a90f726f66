"""A package with a policy of its own, as an installation leaves it in a folder."""

from __future__ import annotations

from pathlib import Path


def install(folder: Path, kind: str, target: str, code: str) -> None:
    """Put the module of ``target``, ``module:name``, and the entry point that names it into ``folder``."""
    module = target.partition(":")[0]
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / f"{module}.py").write_text(code)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[turnout.policies]\n{kind} = {target}\n")
