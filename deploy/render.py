"""Which objects deploy these images to an environment?

    python deploy/render.py staging --image ghcr.io/me/turnout:3f2a --demo-image ghcr.io/me/turnout-demo:3f2a

prints an overlay of deploy/kubernetes/overlays with the images that its files only name by version.
It needs ``kubectl`` (for its ``kustomize``) in PATH, and no other package than Python.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

OVERLAYS = Path(__file__).parent / "kubernetes" / "overlays"
# An exact image: a name, which may begin with a registry and its port, and a tag.
_EXACT = re.compile(
    r"(?P<name>[a-z0-9.-]+(:\d+)?(/[a-z0-9._-]+)*):(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127})"
)
_MOVING = ("latest", "main", "master")


def kustomization(overlay: str, images: dict[str, str]) -> str:
    """The text of a kustomization on top of ``overlay``; ``images``: the exact image for each name in it.

    `ValueError` for an image without a tag, or with one that moves.
    """
    lines = ["apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", "resources:"]
    lines += [f"  - {overlay}", "images:"]
    for name, image in images.items():
        found = _EXACT.fullmatch(image)
        if found is None or found["tag"] in _MOVING:
            raise ValueError(f"{image!r} is no exact image; allowed: NAME:TAG in lower case, not {_MOVING}")
        lines += [f"  - {{name: {name}, newName: '{found['name']}', newTag: '{found['tag']}'}}"]
    return "\n".join(lines) + "\n"


def main() -> int:
    """The exit status: kubectl's own, or 2 for an image that cannot be used."""
    known = sorted(each.name for each in OVERLAYS.iterdir())
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("environment", choices=known)
    parser.add_argument("--image", required=True)
    parser.add_argument("--demo-image", required=True)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        overlay = os.path.relpath((OVERLAYS / given.environment).resolve(), Path(folder).resolve())
        try:
            text = kustomization(overlay, {"turnout": given.image, "turnout-demo": given.demo_image})
        except ValueError as error:
            print(error, file=sys.stderr)
            return 2
        (Path(folder) / "kustomization.yaml").write_text(text, "utf-8")
        return subprocess.run(["kubectl", "kustomize", folder], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
