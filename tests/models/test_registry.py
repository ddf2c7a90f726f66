"""Protocols are found by their file, and unknown names are refused with the known ones."""

from __future__ import annotations

from pathlib import Path

import pytest

import models.protocols
from models.registry import find_protocol, protocol_names


def test_each_file_is_a_protocol_of_its_own_name() -> None:
    folder = Path(models.protocols.__path__[0])
    files = {file.stem.replace("_", "-") for file in folder.glob("*.py")} - {"--init--"}
    assert set(protocol_names()) == files
    assert [find_protocol(name).name for name in protocol_names()] == list(protocol_names())


def test_an_unknown_name_is_refused_with_the_known_and_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown protocol 'open_inference'.*did you mean 'open-inference'"):
        find_protocol("open_inference")
    with pytest.raises(ValueError, match="known: open-inference"):
        find_protocol("xyz")
