"""Plugins that gather events, and those that keep them unawares. Source: decision 0025; promises P2, P6 and P10."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

from bigchaindb.errors import Closed, EventError
from bigchaindb.eventlog.lane import Progress
from bigchaindb.events import Event, EventTypes
from tests.support.event_logs import ListLog
from tests.support.plugin_queues import Make, Plugin


def test_an_event_counts_as_done_when_so_many_more_were_taken(make: Make) -> None:
    plugin = make(6, ack_lag=2)
    plugin.take(3)
    assert plugin.progress() == Progress(0, 3, (1, 2, 3))
    plugin.take(1)
    assert plugin.progress() == Progress(1, 4, (2, 3, 4))
    assert [event.position for event in plugin.queue.get_many(2)] == [5, 6]
    assert plugin.progress() == Progress(2, 6, (3, 4, 5, 6))


def test_neither_an_empty_queue_nor_waiting_nor_a_stop_settles_what_is_gathered(make: Make) -> None:
    plugin = make(2, ack_lag=2)
    plugin.take(2)
    with pytest.raises(Empty):
        plugin.queue.get(timeout=0.01)
    plugin.queue.close()
    with pytest.raises(Closed):
        plugin.queue.get()
    assert plugin.progress() == Progress(0, 2, (1, 2))


def test_the_return_of_run_settles_all(make: Make) -> None:
    plugin = make(3, ack_lag=2)
    plugin.take(3)
    plugin.queue.settle()
    assert plugin.progress() == Progress(3, 3)


def test_the_largest_lag_still_lets_events_through(make: Make) -> None:
    plugin = make(30, ack_lag=7)
    assert plugin.take(30) == list(range(1, 31))
    assert plugin.page.cursor == 22


def test_the_bound_in_bytes_does_not_stop_a_plugin_that_gathers(tmp_path: Path) -> None:
    """It would wait for ever for room that only its own next events make."""
    log = ListLog([EventTypes.BLOCK_VALID] * 9, body_bytes=1000)
    plugin = Plugin(tmp_path, log, ack_lag=5, window_bytes_max=1500)
    assert plugin.take(9) == list(range(1, 10))


def test_after_a_failure_a_plugin_that_gathers_still_gets_events(tmp_path: Path) -> None:
    """One at a time would never let it write anything out: what it has gathered is settled by further events alone."""
    log = ListLog([EventTypes.BLOCK_VALID] * 6)
    plugin = Plugin(tmp_path, log, Progress(0, 3, (1, 2, 3)), ack_lag=2, one_at_a_time=True)
    assert [event.position for event in plugin.queue.get_many(2)] == [1, 2]
    assert plugin.take(4) == [3, 4, 5, 6]


def test_threads_that_fill_the_window_between_them_are_told(make: Make) -> None:
    """Else all of them would wait for each other, for ever."""
    plugin = make(20, ack_lag=4)
    plugin.take(4)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(plugin.take, 4).result()
        with pytest.raises(EventError, match=r"2 threads .* 4 events \(ack_lag\) fill the window of 8: raise"):
            plugin.queue.get()
    assert plugin.progress() == Progress(0, 8, tuple(range(1, 9)))


def test_a_thread_that_ends_with_gathered_events_is_a_fault(make: Make) -> None:
    plugin = make(3, ack_lag=2)

    def gather() -> None:
        plugin.take(3)
        with pytest.raises(Empty):
            plugin.queue.get_nowait()

    with ThreadPoolExecutor(1, thread_name_prefix="gatherer") as pool:
        pool.submit(gather).result()
    assert "'gatherer_0' ended with position 2 in hand" in str(plugin.queue.fault())


def test_a_plugin_that_keeps_events_is_warned_once(make: Make) -> None:
    """What it gathers counts as done, and a crash loses it: nobody else can see that."""
    plugin = make(600)
    gathered = []
    for _ in range(600):
        gathered.append(plugin.queue.get())
        if len(gathered) == 10:
            gathered.clear()
    (warning,) = plugin.queue.warnings()
    assert "keeps events after asking for the next: set ack_lag or explicit" in warning
    assert plugin.queue.warnings() == []


def test_a_warning_outlives_the_thread_that_kept_events(make: Make) -> None:
    """The next thread takes its place before the warnings are looked at."""
    plugin = make(600)
    gathered: list[Event] = []

    def gather(count: int) -> None:
        gathered.extend(plugin.queue.get_many(1)[0] for _ in range(count))
        plugin.queue.get_many(1, timeout=0)

    for count in (600, 0):
        thread = threading.Thread(target=gather, args=(count,))
        thread.start()
        thread.join()
    (warning,) = plugin.queue.warnings()
    assert "keeps events after asking for the next" in warning


def plainly(plugin: Plugin) -> None:
    for event in plugin.queue:
        assert event.data


def with_the_one_before(plugin: Plugin) -> None:
    before = None
    for event in plugin.queue:
        assert before is None or before.position < event.position
        before = event


def many_at_once(plugin: Plugin) -> None:
    while True:
        events = plugin.queue.get_many(5, timeout=0)
        if not events:
            return
        assert all(event.data for event in events)


@pytest.mark.parametrize("read", [plainly, with_the_one_before, many_at_once])
def test_a_plugin_that_deals_with_events_in_turn_is_not_warned(make: Make, read: Callable[[Plugin], None]) -> None:
    plugin = make()
    for _ in range(100):
        plugin.append()
        plugin.append()
    plugin.log.append()
    taken = 0
    get = plugin.queue.get

    def until_the_end(*arguments: Any, **settings: Any) -> Event:
        nonlocal taken
        taken += 1
        if taken == 200:
            plugin.queue.close()
        return get(*arguments, **settings)

    plugin.queue.get = until_the_end  # type: ignore[method-assign]
    read(plugin)
    assert plugin.queue.warnings() == []


@pytest.mark.parametrize("settings", [{"ack_lag": 3}, {"acknowledge": "explicit"}, {"acknowledge": "delivery"}])
def test_whoever_says_that_it_keeps_events_is_not_warned(make: Make, settings: dict[str, Any]) -> None:
    plugin = make(8, **settings)
    kept = [plugin.queue.get() for _ in range(8)]
    assert len(kept) == 8
    assert plugin.queue.warnings() == []
