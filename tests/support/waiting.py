"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T | None], *, what: str, within_s: float = 60, every_s: float = 0.05) -> T:
    """Return the first truthy value of `condition`.

    Raises:
        AssertionError: none within the time; names what was waited for and the last value.
    """
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {within_s} s for {what}; last seen: {value!r}"
        time.sleep(every_s)
    return value


def whole_lines(file: Path) -> Sequence[str]:
    """Return the lines of a file that another process writes: the last one counts once its end is there."""
    text = file.read_text() if file.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()
