"""`queue: pipe`, the queue that children of a plugin can share. Source: decision 0025; promise P10."""

import multiprocessing
import multiprocessing.queues
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.errors import StoreError
from bigchaindb.events import Event, EventTypes
from bigchaindb.ledger.ports import Record
from bigchaindb.subscribers.pipe import open_pipe
from bigchaindb.subscribers.plugins import DELIVERY
from tests.support.event_logs import ListLog
from tests.support.plugin_queues import Plugin
from tests.support.waiting import until


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Plugin]:
    def plugin(count: int, body_bytes: int = 0) -> Plugin:
        return Plugin(tmp_path, ListLog([EventTypes.BLOCK_VALID] * count, body_bytes), acknowledge=DELIVERY)

    return plugin


def opened(
    plugin: Plugin, window_bytes_max: int = 1_000_000, failures: list[BaseException] | None = None
) -> "multiprocessing.queues.Queue[Event]":
    noted = [] if failures is None else failures
    return open_pipe(plugin.queue, window_count=8, window_bytes_max=window_bytes_max, on_failure=noted.append)


def child(pipe: "multiprocessing.queues.Queue[Event]", taken: Any) -> None:
    while True:
        event = pipe.get()
        taken.put((event.position, event.data["id"], event.id))
        if event.position % 50 == 0:
            return


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_children_of_a_plugin_share_it(make: Callable[..., Plugin]) -> None:
    """What 2017's plugins with worker processes do; the queue over the log refuses them."""
    plugin = make(100)
    pipe = opened(plugin)
    assert type(pipe) is multiprocessing.queues.Queue
    context = multiprocessing.get_context("fork")
    taken = context.Queue()
    children = [context.Process(target=child, args=(pipe, taken)) for _ in range(2)]
    for process in children:
        process.start()
    positions = sorted(taken.get(timeout=60)[0] for _ in range(100))
    for process in children:
        process.join(60)
    assert positions == list(range(1, 101))
    plugin.queue.close()


def test_p10_the_pipe_holds_the_window_and_no_more(make: Callable[..., Plugin]) -> None:
    plugin = make(100)
    pipe = opened(plugin)
    until(lambda: plugin.page.cursor == 9, what="a full pipe, and the feeder with the next one")
    assert pipe.qsize() == 8
    assert [pipe.get(timeout=60).position for _ in range(100)] == list(range(1, 101))
    plugin.queue.close()


def test_p10_the_pipe_is_bounded_in_bytes(make: Callable[..., Plugin]) -> None:
    plugin = make(20, body_bytes=1000)
    pipe = opened(plugin, 2_500)
    until(lambda: plugin.page.cursor == 3, what="two in the pipe, and the feeder with the third")
    assert pipe.qsize() == 2
    assert [pipe.get(timeout=60).position for _ in range(20)] == list(range(1, 21))
    plugin.queue.close()


def test_an_event_larger_than_the_bound_goes_through(make: Callable[..., Plugin]) -> None:
    plugin = make(2, body_bytes=5_000)
    pipe = opened(plugin, 1_000)
    assert [pipe.get(timeout=60).position for _ in range(2)] == [1, 2]
    plugin.queue.close()


def test_a_stop_of_the_queue_is_no_failure(make: Callable[..., Plugin]) -> None:
    plugin, failures = make(1), list[BaseException]()
    pipe = opened(plugin, failures=failures)
    assert pipe.get(timeout=60).position == 1
    plugin.queue.close()
    until(lambda: "bigchaindb-pipe" not in {thread.name for thread in threading.enumerate()}, what="the feeder's end")
    assert failures == []


def test_what_ends_the_feeder_ends_the_process(make: Callable[..., Plugin], monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the plugin would wait for ever at a pipe that nobody fills."""
    plugin, failures = make(1), list[BaseException]()

    def records(*_: object, **__: object) -> list[Record]:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(plugin.log, "records", records)
    opened(plugin, failures=failures)
    until(lambda: failures, what="the failure")
    assert isinstance(failures.pop(), StoreError)
