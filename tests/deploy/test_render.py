"""Rendering with images: what is deployed names exactly those that were built."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import yaml

from deploy.render import kustomization
from tests.deploy.files import objects, script

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def test_every_image_of_ours_is_the_one_given_and_nothing_else_differs() -> None:
    images = [
        "--image",
        "registry.local:5000/me/turnout:abc1",
        "--demo-image",
        "ghcr.io/me/turnout-demo:abc1",
    ]
    done = script("render.py", "dev", *images, env={"PATH": PATH})
    assert done.returncode == 0, done.stderr
    renamed = done.stdout.replace(images[1], "turnout:0.1.0").replace(images[3], "turnout-demo:0.1.0")
    assert images[1] in done.stdout
    assert images[3] in done.stdout
    assert list(yaml.safe_load_all(renamed)) == objects("dev")


@pytest.mark.parametrize(
    "image", ["turnout", "turnout:latest", "turnout:main", "Me/turnout:1", "a:b\n  - x:1"]
)
def test_an_image_that_is_not_exact_is_refused(image: str) -> None:
    with pytest.raises(ValueError, match="no exact image"):
        kustomization("overlay", {"turnout": image})
