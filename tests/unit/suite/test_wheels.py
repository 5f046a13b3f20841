"""Pins without their markers, so that one Python downloads for another."""

import re

import pytest

from tests.support import installed, wheels


@pytest.mark.parametrize("name", [*wheels.DEPENDENCIES, "image.txt"])
def test_no_pin_is_left_to_the_python_that_downloads(name: str) -> None:
    """pip compares markers with itself, whatever `--python-version` is."""
    text = (installed.REQUIREMENTS / name).read_text()
    left = wheels.MARKER.sub("", text)
    assert " ; " not in left
    pinned = r"^[\w.-]+(?:\[[\w,]+\])?==\S+"
    assert re.findall(pinned, left, re.MULTILINE) == re.findall(pinned, text, re.MULTILINE)
    assert len(re.findall(pinned + r" \\$", left, re.MULTILINE)) == left.count("==")
