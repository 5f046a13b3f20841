"""Nothing stays open from one test to the next; what awaits runs on uvloop, as in a node."""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bigchaindb.eventlog.lane import Progress
from bigchaindb.events import EventTypes
from tests.support import lane_pages
from tests.support.event_logs import ListLog
from tests.support.left_lanes import Ledger
from tests.support.plugin_queues import Make, Plugin


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """Run the tests of this folder on the loop that a node runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def _close_pages() -> Iterator[None]:
    """Close the lane pages that a test has left open, and the descriptors of their queues."""
    with lane_pages.OPEN:
        yield


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def plugin(count: int = 0, progress: Progress | None = None, **settings: Any) -> Plugin:
        return Plugin(tmp_path, ListLog([EventTypes.BLOCK_VALID] * count), progress, **settings)

    return plugin


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    one = Ledger(tmp_path / "data")
    yield one
    one.store.close()
