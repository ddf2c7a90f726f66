"""What do the files of deploy/ hold, as the tools that read them see it?"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from deploy.check.manifests import render
from deploy.check.tools import OVERLAYS, PYTHON, ROOT, executable

DEPLOY = ROOT / "deploy"

__all__ = [
    "DEPLOY",
    "OVERLAYS",
    "ROOT",
    "compose",
    "exact",
    "objects",
    "pod_specs",
    "run",
    "script",
    "services",
]

Object = dict[str, Any]


@cache
def objects(overlay: str) -> list[Object]:
    """The objects of an overlay."""
    return render(overlay)


def pod_specs(overlay: str) -> dict[str, Object]:
    """The pod's specification of each workload, by the workload's name."""
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in objects(overlay)
        if "template" in each.get("spec", {})
    }


def services(overlay: str) -> dict[str, Object]:
    """The Services, by name."""
    return {each["metadata"]["name"]: each for each in objects(overlay) if each["kind"] == "Service"}


@cache
def compose() -> Object:
    """compose.yaml as Docker Compose resolves it, with all profiles."""
    command = [executable("docker-compose", PYTHON), "-f", str(DEPLOY / "compose.yaml")]
    command += ["--profile", "demo", "--profile", "monitoring", "config", "--format", "json"]
    done = run(command, env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"})
    assert done.returncode == 0, done.stderr
    document: Object = json.loads(done.stdout)
    return document


def exact(image: str) -> bool:
    """Whether an image's tag names one version to its last part."""
    tag = image.rpartition(":")[2]
    return re.fullmatch(r"v?\d+\.\d+\.\d+(-[a-z0-9-]+)?", tag) is not None


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """A command's end; ``options`` as `subprocess.run` has them."""
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def script(name: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A script of deploy/, run by this Python."""
    return run([sys.executable, str(Path(DEPLOY / name)), *arguments], **options)
