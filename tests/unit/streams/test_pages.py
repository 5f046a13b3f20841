"""Pages of the log for clients that ask for one at a time: a bounded number of them waits."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.config import Limits
from bigchaindb.errors import MalformedToken, Overloaded
from bigchaindb.store import Store
from bigchaindb.streams.cloud_events import Choice
from bigchaindb.streams.hub import Hub
from bigchaindb.streams.pages import Pages
from bigchaindb.streams.shared_log import LogSource, SharedLog
from bigchaindb.streams.sse import read_frames

LIMITS: Final = Limits(query_waiting_count_max=1)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SharedLog[Choice]]:
    """The log of a node that has decided nothing yet."""
    with closing(Store(tmp_path / "data")) as store:
        log = SharedLog(LogSource(Hub(0), store.log_reader, "solo-1"), "test", read_frames)
        yield log
        log.close()


async def test_as_many_pages_wait_as_are_allowed(log: SharedLog[Choice]) -> None:
    pages, end = Pages(log, LIMITS), threading.Event()
    busy = asyncio.create_task(log.history(lambda _: end.wait()))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(pages.read(Choice(), None, 10))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match=r"^1 pages of events are waiting \(limits\.query_waiting_count_max\); "):
        await pages.read(Choice(), None, 10)
    end.set()
    assert await busy
    assert (await waiting)[1], "the head was reached"


async def test_a_page_that_fails_waits_no_longer(log: SharedLog[Choice]) -> None:
    pages = Pages(log, LIMITS)
    for _ in range(2):
        with pytest.raises(MalformedToken):
            await pages.read(Choice(), "x", 10)
