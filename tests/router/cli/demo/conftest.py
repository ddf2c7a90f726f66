"""A demo that is killed with all that it started, whatever the test did."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import TemporaryDirectory

import pytest

from tests.router.cli.demo.running import Run


@pytest.fixture
def demo_run() -> Iterator[Run]:
    # Not tmp_path: a unix socket's path must be short.
    with TemporaryDirectory(prefix="demo-") as folder:
        run = Run(folder)
        yield run
        run.kill()
