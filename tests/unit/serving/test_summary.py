"""One log line for many happenings."""

import asyncio

import pytest

from bigchaindb.serving import summary
from bigchaindb.serving.summary import Summary


async def test_the_first_is_written_at_once_and_the_others_together() -> None:
    """A flood must not fill the disk by way of the log."""
    lines: list[tuple[int, str]] = []
    noted = Summary(lambda count, last: lines.append((count, last)))
    for number in range(5):
        noted.note(str(number))
    assert lines == [(1, "0")]
    noted.close()
    noted.close()
    assert lines == [(1, "0"), (4, "4")]


async def test_what_came_meanwhile_is_written_without_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the last of an attack would never be told."""
    monkeypatch.setattr(summary, "PAUSE_S", 0.01)
    written = asyncio.Event()
    lines: list[int] = []

    def write(count: int, _last: str) -> None:
        lines.append(count)
        if len(lines) == 2:
            written.set()

    noted = Summary(write)
    for _ in range(3):
        noted.note("")
    await written.wait()
    noted.close()
    assert lines == [1, 2]
