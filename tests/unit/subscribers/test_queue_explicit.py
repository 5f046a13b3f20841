"""Plugins that answer for each event. Source: decision 0025; promises P2, P3, P6, P10 and P12."""

import gc
import multiprocessing
import pickle
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from queue import Empty

import pytest

from bigchaindb.errors import Closed, EventError
from bigchaindb.eventlog.facts import Again, Nacked, ParkAsked, Settle
from bigchaindb.eventlog.lane import Progress
from bigchaindb.events import Event, EventTypes
from bigchaindb.subscribers import advice
from bigchaindb.subscribers.plugins import DELIVERY, EXPLICIT
from tests.support.event_logs import ListLog
from tests.support.plugin_queues import Make, Plugin


@pytest.fixture
def make(make: Make) -> Make:
    return partial(make, acknowledge=EXPLICIT)


def test_asking_for_more_settles_nothing(make: Make) -> None:
    """Else a plugin that hands events to others would lose them."""
    plugin = make(3)
    plugin.events(2)
    plugin.queue.settle()  # `run` returned
    assert plugin.progress() == Progress(0, 2, (1, 2))


def test_an_event_is_held_until_it_is_settled(make: Make) -> None:
    """Also while the node decides about it: then a plugin that keeps its followers back may go on."""
    plugin = make(4)
    first, second, third = plugin.events(3)
    first.ack()
    second.nack()
    third.park("a person looks at it")
    assert [plugin.queue.holds(position) for position in (0, 1, 2, 3, 4)] == [False, False, True, True, False]
    plugin.queue.answers.decided(Again(2, 2, 0.0))
    plugin.queue.answers.decided(Settle(3))
    assert [plugin.queue.holds(position) for position in (1, 2, 3, 4)] == [False, True, False, False]
    assert plugin.queue.in_hand() == (2,)


def test_the_cursor_follows_the_lowest_that_is_not_acknowledged(make: Make) -> None:
    plugin = make(3)
    first, second, third = plugin.events(3)
    second.ack()
    assert plugin.page.cursor == 0
    first.ack()
    assert plugin.page.cursor == 2
    first.ack()  # twice is once
    third.ack()
    assert plugin.progress() == Progress(3, 3)


def test_any_thread_may_acknowledge(make: Make) -> None:
    plugin = make(2)
    events = plugin.events(2)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Event.ack, events))
    assert plugin.progress() == Progress(2, 2)


def test_a_thread_may_end_with_events_that_others_answer_for(make: Make) -> None:
    plugin = make(2)
    taken: list[Event] = []
    thread = threading.Thread(target=lambda: taken.extend(plugin.events(1)))
    thread.start()
    thread.join()
    assert plugin.queue.fault() is None
    assert plugin.events(1)[0].position == 2
    taken[0].ack()
    assert plugin.progress() == Progress(1, 2, (2,))


def test_a_signal_handler_answers_nothing_in_the_middle_of_a_call_of_its_thread(make: Make) -> None:
    """The call would go on with what it knew before."""
    plugin = make(2)
    event = plugin.queue.get()
    answers = (
        event.ack,
        event.nack,
        lambda: event.park("no"),
        lambda: plugin.queue.ack_many([event]),
        lambda: plugin.queue.ack_through(1),
    )
    with plugin.queue._gate.lock:
        for answer in answers:
            with pytest.raises(EventError, match="a signal handler answers while its thread is in a call"):
                answer()
    assert plugin.progress() == Progress(0, 1, (1,))
    event.ack()
    assert plugin.progress() == Progress(1, 1)


def test_ack_through_acknowledges_all_that_was_given_so_far(make: Make) -> None:
    plugin = make(5)
    plugin.events(4)
    plugin.queue.ack_through(3)
    assert plugin.progress() == Progress(3, 4, (4,))
    plugin.queue.ack_through(100)
    assert plugin.progress() == Progress(4, 4)


def test_ack_many_acknowledges_these_and_no_others(make: Make) -> None:
    """What comes again has a lower position than what went before it, and is not done with that."""
    plugin = make(5)
    events = plugin.events(4)
    plugin.queue.ack_many([events[3], events[1]])
    assert plugin.progress() == Progress(0, 4, (1, 3))
    plugin.queue.ack_many(events)
    assert plugin.progress() == Progress(4, 4)


def test_answers_for_several_are_refused_where_nothing_is_to_be_answered(tmp_path: Path) -> None:
    plugin = Plugin(tmp_path, ListLog([EventTypes.BLOCK_VALID] * 2))
    event = plugin.queue.get_nowait()
    with pytest.raises(EventError, match=r"queue.ack_many: set the plugin's property acknowledge"):
        plugin.queue.ack_many([event])
    with pytest.raises(EventError, match=r"queue.ack_through: set the plugin's property acknowledge"):
        plugin.queue.ack_through(1)


def test_ack_through_leaves_what_no_thread_has_got_yet(make: Make) -> None:
    """A signal handler raised out of `get`: the event was reserved, and nobody has seen it."""
    plugin = make(2)
    plugin.events(1)
    plugin.queue._threads.local.hand.is_delivered = False
    plugin.queue.ack_through(1)
    assert plugin.progress() == Progress(0, 1, (1,))
    assert plugin.events(1)[0].position == 1


def test_a_full_window_waits_for_an_answer(make: Make) -> None:
    plugin = make(9)
    events = plugin.queue.get_many(20)
    assert len(events) == 8
    with pytest.raises(Empty):
        plugin.queue.get(timeout=0.01)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(plugin.queue.get)
        events[5].ack()
        assert waiting.result(60).position == 9


def test_p10_the_window_is_bounded_in_bytes(tmp_path: Path) -> None:
    log = ListLog([EventTypes.BLOCK_VALID] * 4, body_bytes=1000)
    plugin = Plugin(tmp_path, log, acknowledge=EXPLICIT, window_bytes_max=1500)
    first, _ = plugin.events(2)
    with pytest.raises(Empty):
        plugin.queue.get_nowait()
    first.ack()
    assert plugin.events(1)[0].position == 3


def test_p10_what_was_reserved_and_given_back_takes_no_room(tmp_path: Path) -> None:
    """A signal handler raised out of `get_many`, and the next call asks for fewer events."""
    log = ListLog([EventTypes.BLOCK_VALID] * 4, body_bytes=1000)
    plugin = Plugin(tmp_path, log, acknowledge=EXPLICIT, window_bytes_max=2500)
    assert len(plugin.queue.get_many(9, 0.0)) == 3
    plugin.queue._threads.local.hand.is_delivered = False
    assert [event.position for event in plugin.queue.get_many(1, 0.0)] == [1]
    assert [event.position for event in plugin.queue.get_many(9, 0.0)] == [2, 3]
    plugin.queue.ack_through(3)
    assert plugin.progress() == Progress(3, 3)


def test_p10_what_was_sent_back_takes_room_again_when_it_comes_again(tmp_path: Path) -> None:
    log = ListLog([EventTypes.BLOCK_VALID] * 6, body_bytes=1000)
    plugin = Plugin(tmp_path, log, acknowledge=EXPLICIT, window_bytes_max=2500)
    first, *_ = plugin.queue.get_many(9, 0.0)
    first.nack()
    assert [event.position for event in plugin.queue.get_many(9, 0.0)] == [4]
    plugin.queue.ack_through(2)
    plugin.queue.answers.decided(Again(1, 2, 0.0))
    assert [event.position for event in plugin.queue.get_many(9, 0.0)] == [1]
    assert plugin.progress() == Progress(0, 4, (1, 3, 4), counts={1: 1})
    plugin.queue.ack_through(1)
    assert (plugin.page.cursor, plugin.page.in_hand()) == (2, (3, 4))
    plugin.queue.ack_through(3)
    assert plugin.progress() == Progress(3, 4, (4,))


def test_taking_and_answering_cost_the_same_however_many_are_out(tmp_path: Path) -> None:
    """A plugin with a large window would else spend its time on looking at all that it holds."""

    def call_count(out_count: int) -> int:
        log = ListLog([EventTypes.BLOCK_VALID] * 210)
        plugin = Plugin(tmp_path, log, epoch=out_count, acknowledge=EXPLICIT, window=210)
        first, *_ = plugin.queue.get_many(out_count)
        calls: list[str] = []
        gc.disable()  # what other tests left would be counted too
        sys.setprofile(lambda _, event, __: calls.append(event))
        try:
            plugin.queue.get_nowait()
            first.ack()
            plugin.queue.ack_through(2)
        finally:
            sys.setprofile(None)
            gc.enable()
        return len(calls)

    assert call_count(200) == call_count(5)


def test_a_window_that_stays_full_is_said_with_who_holds_what(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a plugin that forgot an answer looks like one that has nothing to do."""
    monkeypatch.setattr(advice, "FULL_S", 0.0)
    plugin = make(9)
    assert plugin.queue.warnings() == []
    events = plugin.queue.get_many(8)
    events[0].nack()
    with pytest.raises(Empty):
        plugin.queue.get_nowait()
    (warning,) = plugin.queue.warnings()
    assert "thread 'MainThread' holds positions 2, 3, 4, 5, 6, … (7); position 1 wait" in warning
    with pytest.raises(Empty):
        plugin.queue.get_nowait()
    assert plugin.queue.warnings() == []  # once is enough
    events[1].ack()
    plugin.queue.get_nowait()
    assert plugin.queue._gate.full_since_s is None


@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf"), 1e9])
def test_a_delay_is_a_number_of_seconds_within_a_week(make: Make, delay: float) -> None:
    plugin = make(1)
    (event,) = plugin.events(1)
    with pytest.raises(EventError, match=r"delay is .* must be 0 to 604800 seconds or None"):
        event.nack(delay)
    assert plugin.progress() == Progress(0, 1, (1,))
    assert plugin.reports == []


def test_whatever_a_plugin_says_can_be_told(make: Make) -> None:
    """A reason that UTF-8 cannot hold, long or of several lines, must not end the plugin's process."""
    plugin = make(2)
    first, second = plugin.events(2)
    first.park("\udc80" * 1_000 + "\nmore")
    second.nack(error="\udc80\nmore")
    parked, nacked = plugin.reports
    assert isinstance(parked, ParkAsked)
    assert isinstance(nacked, Nacked)
    assert (parked.error, nacked.error) == (("\\udc80" * 1_000)[:500], "\\udc80")


def test_answers_are_taken_after_the_queue_was_closed(make: Make) -> None:
    plugin = make(2)
    (event,) = plugin.events(1)
    plugin.queue.close()
    with pytest.raises(Closed):
        plugin.queue.get()
    event.ack()
    assert plugin.progress() == Progress(1, 1)


def test_p12_an_answer_in_a_process_that_was_replaced_has_no_effect(make: Make, tmp_path: Path) -> None:
    stale = make(2)
    (event,) = stale.events(1)
    successor = Plugin(tmp_path, stale.log, stale.page.progress(), epoch=2, acknowledge=EXPLICIT)
    event.ack()
    assert successor.progress() == Progress(0, 1, (1,))


@pytest.mark.parametrize("answer", [Event.ack, Event.nack, lambda event: event.park("x")])
def test_where_nothing_is_to_be_answered_the_error_names_the_property(
    make: Make, answer: Callable[[Event], None]
) -> None:
    plugin = make(1, acknowledge="next_get")
    (event,) = plugin.events(1)
    with pytest.raises(EventError, match='whose property acknowledge is "explicit"'):
        answer(event)
    with pytest.raises(EventError, match="explicit"):
        answer(Event(1, {}))
    with pytest.raises(EventError, match='acknowledge to "explicit"'):
        plugin.queue.ack_through(1)


def test_a_copy_of_an_event_cannot_be_answered(make: Make) -> None:
    """It may be in another process, which has no page to write to."""
    plugin = make(1)
    (event,) = plugin.events(1)
    copy = pickle.loads(pickle.dumps(event))
    assert copy.data == event.data
    with pytest.raises(EventError):
        copy.ack()
    assert plugin.progress() == Progress(0, 1, (1,))


def child(event: Event, ack_through: Callable[[int], None], answers: "SimpleQueue[str]") -> None:
    for call in (event.ack, event.nack, lambda: event.park("x"), lambda: ack_through(1)):
        try:
            call()
        except EventError as error:
            answers.put(str(error))
        else:
            answers.put("no error")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_cannot_answer(make: Make) -> None:
    """It has a copy of the event and none of what is known of it; even while another thread holds the queue's lock."""
    plugin = make(1)
    (event,) = plugin.events(1)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    with plugin.queue._gate.lock:
        process = context.Process(target=child, args=(event, plugin.queue.ack_through, answers))
        process.start()
    told = [answers.get() for _ in range(4)]
    process.join(60)
    assert all('set "queue": "pipe" in the plugin' in answer for answer in told)
    assert plugin.progress() == Progress(0, 1, (1,))
    assert plugin.reports == []


def test_delivery_settles_what_it_hands_over(make: Make) -> None:
    """2017's behaviour: what the plugin has taken never comes again."""
    plugin = make(5, acknowledge=DELIVERY)
    plugin.events(1)
    assert plugin.progress() == Progress(1, 1)
    assert len(plugin.queue.get_many(3)) == 3
    assert plugin.progress() == Progress(4, 4)
    plugin.queue.settle()
    assert plugin.queue.fault() is None
