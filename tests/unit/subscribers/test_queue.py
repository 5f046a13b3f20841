"""The plugin's queue on one thread. Source: event-plugin-api.md, section 5; decision 0015; promises P3, P6, P8, P10."""

import multiprocessing.queues
import pickle
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigchaindb.errors import Closed, EventError, HistoryLost, StoreDamaged
from bigchaindb.eventlog.lane import Progress
from bigchaindb.events import EventTypes
from bigchaindb.subscribers import answers, gate, hands, queue, reading, threads, window
from bigchaindb.subscribers.lane_page import SLOTS_WORD, Word
from bigchaindb.subscribers.plugins import Wants
from bigchaindb.subscribers.queue import LogQueue
from tests.support import scale
from tests.support.event_logs import ListLog
from tests.support.plugin_queues import Make, Plugin

VALID, INVALID = EventTypes.BLOCK_VALID, EventTypes.BLOCK_INVALID


PARTS = {module.__file__ for module in (answers, gate, hands, queue, reading, threads, window)}


def test_it_is_a_standard_queue_with_every_public_method_its_own() -> None:
    """A method that were inherited would look for a pipe that is not there."""
    standard = {name for name in dir(multiprocessing.queues.Queue) if not name.startswith("_")}
    assert issubclass(LogQueue, multiprocessing.queues.Queue)
    assert standard <= vars(LogQueue).keys()


def test_events_come_in_order_and_say_what_the_log_says(make: Make) -> None:
    plugin = make(3)
    event = plugin.queue.get()
    record = plugin.log.all[0]
    assert (event.id, event.position, event.type) == ("solo-1:00000000000000000001", 1, VALID)
    assert (event.body, event.height, event.time, event.attempt) == (record.body, record.height, record.time, 1)
    assert plugin.take(2) == [2, 3]


def test_asking_for_the_next_event_settles_the_one_before(make: Make) -> None:
    plugin = make(3)
    for position in (1, 2, 3):
        assert plugin.queue.get().position == position
        assert plugin.progress() == Progress(position - 1, position, (position,))


def test_a_get_that_comes_back_empty_settles_as_well(make: Make) -> None:
    plugin = make(1)
    plugin.queue.get()
    with pytest.raises(Empty):
        plugin.queue.get_nowait()
    assert plugin.progress() == Progress(1, 1)


def test_a_timeout_is_kept(make: Make) -> None:
    plugin = make()
    begun = time.monotonic()
    for timeout in (0.05, 0, -1):
        with pytest.raises(Empty):
            plugin.queue.get(timeout=timeout)
    assert time.monotonic() - begun >= 0.05


def test_a_bounded_wait_ends_with_the_event(make: Make) -> None:
    plugin = make()
    with pytest.raises(Empty):
        plugin.queue.get(True, 0.01)
    plugin.append()
    assert plugin.queue.get(True, 60).position == 1


def test_what_run_took_last_is_settled_when_it_returns(make: Make) -> None:
    plugin = make(2)
    plugin.queue.settle()
    plugin.queue.get()
    plugin.queue.settle()
    assert plugin.progress() == Progress(1, 1)


def test_iter_with_a_sentinel_and_for_loops_work(make: Make) -> None:
    plugin = make(4)
    events = iter(plugin.queue.get, None)
    assert [next(events).position, next(events).position] == [1, 2]
    seen = []
    for event in plugin.queue:
        seen.append(event.position)
        if event.position == 4:
            plugin.queue.close()
    assert seen == [3, 4]


def test_qsize_and_empty_count_what_get_would_give(make: Make) -> None:
    plugin = make(2)
    assert (plugin.queue.qsize(), plugin.queue.empty(), plugin.queue.full()) == (2, False, False)
    plugin.queue.get()
    assert plugin.queue.qsize() == 1
    plugin.queue.get()
    assert (plugin.queue.qsize(), plugin.queue.empty()) == (0, True)
    plugin.append()
    assert plugin.queue.qsize() == 1


def test_types_that_were_not_asked_for_are_passed_over(make: Make) -> None:
    plugin = make(wants=Wants(event_types=INVALID))
    for event_type in (VALID, INVALID, VALID, VALID):
        plugin.append(event_type)
    assert plugin.take(1) == [2]
    assert plugin.progress() == Progress(1, 4, (2,))
    assert plugin.queue.empty()
    with pytest.raises(Empty):
        plugin.queue.get_nowait()
    assert plugin.progress() == Progress(4, 4)


def test_a_cursor_moves_though_nothing_matches(make: Make) -> None:
    """Else its lag would look infinite, and a restart read the log again."""
    plugin = make(3, wants=Wants(event_types=INVALID))
    assert plugin.queue.empty()
    assert plugin.progress() == Progress(3, 3)


def test_p4_no_event_beyond_the_durable_head_is_given(make: Make) -> None:
    plugin = make(2)
    plugin.log.append()  # written, and not announced
    assert plugin.take(2) == [1, 2]
    with pytest.raises(Empty):
        plugin.queue.get_nowait()
    assert plugin.queue.empty()


def test_p3_what_was_in_hand_comes_first_and_then_what_follows(make: Make) -> None:
    plugin = make(7, Progress(1, 5, (2, 4)), attempts={2: 3, 4: 2})
    first = plugin.queue.get()
    assert (first.position, first.attempt) == (2, 3)
    assert plugin.progress() == Progress(1, 5, (2, 4))
    second = plugin.queue.get()
    assert (second.position, second.attempt) == (4, 2)
    assert plugin.progress() == Progress(3, 5, (4,))
    assert plugin.take(2) == [6, 7]


def test_get_many_takes_what_is_there_and_the_next_call_settles_it(make: Make) -> None:
    plugin = make(5)
    assert [event.position for event in plugin.queue.get_many(3)] == [1, 2, 3]
    assert plugin.progress() == Progress(0, 3, (1, 2, 3))
    assert [event.position for event in plugin.queue.get_many(3)] == [4, 5]
    assert plugin.progress() == Progress(3, 5, (4, 5))
    assert plugin.queue.get_many(3, timeout=0.01) == []
    assert plugin.progress() == Progress(5, 5)


def test_get_many_that_the_end_interrupts_gives_no_empty_list(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end is told by another thread, at any moment; whoever waits without a limit relies on one event at least."""
    plugin = make(3)
    wait = plugin.queue._gate.wait

    def wait_until_the_end(hand: hands.Hand, limit_s: float | None) -> None:
        wait(hand, limit_s)
        plugin.queue._gate.is_closed = True

    monkeypatch.setattr(plugin.queue._gate, "wait", wait_until_the_end)
    with pytest.raises(Closed):
        plugin.queue.get_many(3)
    assert plugin.progress() == Progress()


def test_get_many_takes_no_more_than_the_window(make: Make) -> None:
    assert len(make(20).queue.get_many(20)) == 8


def test_p10_the_window_is_bounded_in_bytes_too(tmp_path: Path) -> None:
    plugin = Plugin(tmp_path, ListLog([VALID] * 8, body_bytes=1000), window_bytes_max=2500)
    assert len(plugin.queue.get_many(8)) == 3  # the third began within it


def test_p10_one_read_brings_no_more_than_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "READ_BYTES_MAX", 5000)
    plugin = Plugin(tmp_path, ListLog([VALID] * 100, body_bytes=1000))
    for _ in range(100):
        plugin.queue.get()
        assert sum(len(event.body) for event in plugin.queue._reading.buffer) <= 5000


def test_what_get_many_took_and_did_not_give_is_given_one_by_one(make: Make) -> None:
    """A signal handler raised out of `get_many`: nothing of it is settled, nothing is skipped."""
    plugin = make(5)
    plugin.queue.get_many(3)
    plugin.queue._threads.local.hand.is_delivered = False
    assert plugin.take(1) == [1]
    assert plugin.taken == {1}  # what nobody has got is no crash's cause
    assert plugin.take(4) == [2, 3, 4, 5]
    assert plugin.progress() == Progress(4, 5, (5,))


def test_closed_settles_the_event_in_hand_and_ends_the_loop(make: Make) -> None:
    plugin = make(3)
    plugin.queue.get()
    plugin.queue.close()
    with pytest.raises(Closed):
        plugin.queue.get()
    assert plugin.progress() == Progress(1, 1)
    with pytest.raises(SystemExit):  # a loop with `except Exception: pass` must end as well
        plugin.queue.get_nowait()
    assert issubclass(Closed, ValueError)


def test_the_rest_of_closing_does_nothing(make: Make) -> None:
    plugin = make(1)
    plugin.queue.close()
    plugin.queue.join_thread()
    plugin.queue.cancel_join_thread()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_plugin_that_polls_learns_of_the_end_and_settles_its_event(make: Make, count: int) -> None:
    """Else it would see an empty queue, be killed after the grace, and get its last event twice."""
    plugin = make(count)
    queue = plugin.queue
    for taken in range(count):
        assert (queue.empty(), queue.qsize()) == (False, count - taken)
        queue.get_nowait()
    assert (queue.empty(), queue.qsize()) == (True, 0)
    plugin.append()
    queue.close()
    assert (queue.empty(), queue.qsize()) == (False, 1)
    with pytest.raises(Closed):
        queue.get_nowait()
    assert plugin.progress() == Progress(count, count)


@pytest.mark.parametrize("put", [LogQueue.put, LogQueue.put_nowait])
def test_nothing_can_be_put(make: Make, put: Callable[[LogQueue, object], None]) -> None:
    with pytest.raises(EventError, match="only commits add to"):
        put(make().queue, "x")


def test_what_cannot_work_says_what_to_do(make: Make) -> None:
    queue = make().queue
    with pytest.raises(EventError, match=r"wait for queue\.fileno\(\)"):
        multiprocessing.connection.wait([queue._reader])
    with pytest.raises(EventError, match="send events"):
        pickle.dumps(queue)


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_p8_a_gap_is_loud(make: Make, cut: int) -> None:
    plugin = make(3)
    del plugin.log.all[cut]
    assert plugin.take(cut if cut == 2 else 0) == [1, 2][: cut if cut == 2 else 0]
    with pytest.raises(HistoryLost) as lost:
        plugin.queue.get()
    assert (lost.value.position, lost.value.head) == (cut + 1, 3)
    assert plugin.queue.fault() is lost.value
    with pytest.raises(SystemExit):
        plugin.queue.get()


def test_p8_an_event_in_hand_that_is_gone_is_loud_as_well(make: Make) -> None:
    plugin = make(5, Progress(1, 5, (2,)))
    del plugin.log.all[1]
    with pytest.raises(HistoryLost):
        plugin.queue.get()
    assert isinstance(plugin.queue.fault(), HistoryLost)


def test_the_descriptor_is_readable_while_there_is_an_event(make: Make) -> None:
    plugin = make()
    poll = select.poll()
    poll.register(plugin.queue.fileno(), select.POLLIN)
    for _ in range(2):
        assert not poll.poll(0)
        plugin.append()
        plugin.append()
        assert poll.poll(0)
        plugin.queue.get()
        assert poll.poll(0)
        plugin.queue.get()
    plugin.queue.close()
    assert poll.poll(0)


@pytest.mark.parametrize("settings", [{}, {"ack_lag": 3}, {"window_bytes_max": 1}])
def test_the_descriptor_is_readable_while_asking_makes_room(make: Make, settings: dict[str, Any]) -> None:
    """The thread's own events fill the window; it waits for the descriptor before it asks, which settles them."""
    plugin = make(20, **settings)
    poll = select.poll()
    poll.register(plugin.queue.fileno(), select.POLLIN)
    taken = 0
    while poll.poll(0):
        taken += len(plugin.queue.get_many(100))
        plugin.queue.wake()
    assert taken == 20


def test_the_descriptor_is_not_readable_once_all_is_delivered(make: Make) -> None:
    plugin = make(2, acknowledge="delivery")
    poll = select.poll()
    poll.register(plugin.queue.fileno(), select.POLLIN)
    plugin.queue.get()
    assert poll.poll(0)
    plugin.queue.get()
    assert not poll.poll(0)
    plugin.append()
    assert poll.poll(0)
    plugin.queue.get_many(1)
    assert not poll.poll(0)


def test_a_read_says_since_when_it_lasts(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node ends a host whose read pins the write-ahead log."""
    plugin = make(1)
    read, begun = plugin.log.records, []

    def records(*arguments: Any, **options: Any) -> Any:
        begun.append(plugin.page.words[Word.READ_SINCE])
        return read(*arguments, **options)

    monkeypatch.setattr(plugin.log, "records", records)
    plugin.queue.get()
    assert begun[0] > 0
    assert plugin.page.words[Word.READ_SINCE] == 0
    assert repr(plugin.queue) == "<LogQueue cursor=0 head=1>"


@pytest.mark.parametrize("word", [Word.CURSOR, Word.REACHED, SLOTS_WORD])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_p8_a_bit_that_turns_in_what_a_killed_process_left_is_damage(make: Make, word: int, count: int) -> None:
    """Events that nobody had are passed over, in silence."""
    plugin = make(4)
    assert plugin.take(count) == list(range(1, count + 1))
    plugin.page.require_whole()
    for bit in range(44):
        plugin.page.words[word] ^= 1 << bit
        with pytest.raises(StoreDamaged):
            plugin.page.require_whole()
        plugin.page.words[word] ^= 1 << bit
    plugin.page.require_whole()


@settings(max_examples=scale.BYTECODE_KILLS)
@given(in_hand=st.sets(st.integers(1, 6), max_size=3), many=st.integers(0, 4))
def test_p6_a_kill_at_any_bytecode_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, in_hand: set[int], many: int
) -> None:
    """Whatever the page says at any moment, a successor that goes on from it gives everything that was not settled."""
    positions = tuple(sorted(in_hand))
    progress = Progress(positions[0] - 1, 6, positions) if positions else Progress()
    plugin = Plugin(tmp_path_factory.mktemp("page"), ListLog([VALID] * 9), progress)
    due = [*positions, *range(7 if positions else 1, 10)]
    given_now: list[int] = []
    owed = set(due)
    observed = 0

    def look() -> None:
        nonlocal observed
        observed += 1
        plugin.page.require_whole()
        page = plugin.page.progress()
        comes = {*page.in_hand, *range(page.reached + 1, 10)}
        assert owed <= comes
        assert comes <= owed | set(given_now)  # and nothing else comes again

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename not in PARTS:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            look()
        return trace

    while owed:
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            events = plugin.queue.get_many(many) if many else [plugin.queue.get()]
        finally:
            sys.settrace(before)
        given_now = [event.position for event in events]
        owed -= set(given_now)
        look()
    plugin.close()
    assert observed > 50
