"""Events that a plugin nacks or parks: when they come again, and which are given alone. Source: promises P2 and P3."""

import select
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import Empty

import pytest

from bigchaindb.errors import Unavailable
from bigchaindb.eventlog.facts import Again, Nacked, ParkAsked, Settle
from bigchaindb.eventlog.lane import Progress
from bigchaindb.subscribers.plugins import EXPLICIT
from tests.support.plugin_queues import Make


@pytest.fixture
def make(make: Make) -> Make:
    return partial(make, acknowledge=EXPLICIT)


def test_a_nacked_event_stays_in_hand_until_it_is_decided_on(make: Make) -> None:
    """The scar of others: a cursor that jumps over a nack."""
    plugin = make(3)
    first, second = plugin.events(2)
    first.nack(error=ValueError("no such column"))
    second.ack()
    assert plugin.reports == [
        Nacked(1, 1, "ValueError: no such column", delay_s=None, is_unavailable=False),
    ]
    assert plugin.progress() == Progress(0, 2, (1,), counts={1: 1})
    assert plugin.taken == set()  # no crash is its fault
    assert plugin.events(1)[0].position == 3  # others go on
    plugin.queue.answers.decided(Again(1, 2, 0.0))
    (again,) = plugin.events(1)
    assert (again.position, again.attempt) == (1, 2)
    assert plugin.taken == {1, 3}
    again.ack()
    assert plugin.page.cursor == 2


def test_an_answer_to_an_earlier_delivery_says_nothing_of_the_next(make: Make) -> None:
    plugin = make(1)
    (first,) = plugin.events(1)
    first.nack()
    first.ack()
    first.park("too late")
    plugin.queue.answers.decided(Again(1, 2, 0.0))
    plugin.events(1)
    first.ack()
    assert plugin.progress() == Progress(0, 1, (1,), counts={1: 1})
    assert len(plugin.reports) == 1


def test_a_nacked_event_wakes_a_waiting_get_when_its_delay_is_over(make: Make) -> None:
    plugin = make(1)
    (event,) = plugin.events(1)
    event.nack(delay=0.02)
    assert plugin.reports[0] == Nacked(1, 1, "the plugin nacked it", delay_s=0.02, is_unavailable=False)
    plugin.queue.answers.decided(Again(1, 2, 600.0))
    assert plugin.queue.empty()
    assert 0 < (plugin.queue.due_in_s() or 0) <= 600
    plugin.queue.answers.decided(Again(1, 2, 0.02))
    assert plugin.queue.get(timeout=60).attempt == 2
    assert plugin.queue.due_in_s() is None


def test_the_descriptor_is_readable_once_the_delay_is_over(make: Make) -> None:
    plugin = make(1)
    (event,) = plugin.events(1)
    poll = select.poll()
    poll.register(plugin.queue.fileno(), select.POLLIN)
    event.nack()
    plugin.queue.answers.decided(Again(1, 2, 0.01))
    assert not poll.poll(0)
    while plugin.queue.due_in_s():
        pass
    plugin.queue.wake()  # as the host does then
    assert poll.poll(0)


def test_an_event_may_stand_twice_among_those_that_are_answered(make: Make) -> None:
    plugin = make(2)
    first, second = plugin.events(2)
    plugin.queue.ack_many([first, first, second])
    assert plugin.progress() == Progress(2, 2)


def test_due_events_come_before_new_ones_and_ascending(make: Make) -> None:
    plugin = make(4)
    events = plugin.events(3)
    for event in reversed(events):
        event.nack()
    for position in (3, 1, 2):
        plugin.queue.answers.decided(Again(position, 2, 0.0))
    assert plugin.queue.qsize() == 4
    assert [event.position for event in plugin.events(4)] == [1, 2, 3, 4]


def test_unavailable_says_that_the_event_is_not_to_blame(make: Make) -> None:
    plugin = make(1)
    plugin.events(1)[0].nack(error=Unavailable("no route to the broker"))
    assert plugin.reports == [Nacked(1, 1, "Unavailable: no route to the broker", delay_s=None, is_unavailable=True)]


def test_a_parked_event_is_settled_once_that_is_written_down(make: Make) -> None:
    """Not before: a crash between the two would lose it."""
    plugin = make(2)
    plugin.events(1)[0].park("bad\nrow" + "x" * 9999)
    (report,) = plugin.reports
    assert report == ParkAsked(1, 1, "bad")
    assert plugin.page.cursor == 0
    plugin.queue.answers.decided(Settle(1))
    plugin.queue.answers.decided(Settle(1))
    assert plugin.progress() == Progress(1, 1)
    assert plugin.events(1)[0].position == 2


def test_a_parked_event_that_comes_again_by_hand_does_not_move_the_cursor(make: Make) -> None:
    """The scar of others: a parked event that is delivered again drags the cursor back, or lets it jump ahead."""
    plugin = make(6, Progress(3, 5, (4,), (2,)), attempts={2: 7})
    second, fourth = plugin.events(2)
    assert (second.position, second.attempt) == (2, 7)
    assert fourth.position == 4
    fourth.ack()
    assert plugin.page.cursor == 5  # though 2 is out
    assert plugin.progress() == Progress(5, 5, (), (2,))
    second.ack()
    assert plugin.progress() == Progress(5, 5)


def test_one_event_at_a_time_until_the_guilty_one_is_found(make: Make) -> None:
    """Several were in hand when the process died; now all threads together have one."""
    plugin = make(6, Progress(0, 3, (1, 2, 3)), one_at_a_time=True)
    for position in (1, 2, 3):
        (event,) = plugin.queue.get_many(5)
        assert event.position == position
        with ThreadPoolExecutor(1) as pool, pytest.raises(Empty):
            pool.submit(plugin.queue.get_nowait).result()
        event.ack()
    assert len(plugin.queue.get_many(5)) == 3


def test_one_at_a_time_holds_for_threads_that_ask_for_the_next(make: Make) -> None:
    plugin = make(4, Progress(0, 2, (1, 2)), acknowledge="next_get", one_at_a_time=True)
    assert plugin.take(1) == [1]
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(Empty):
            pool.submit(plugin.queue.get_nowait).result()
        assert plugin.take(1) == [2]
        assert plugin.take(1) == [3]
        assert pool.submit(plugin.queue.get_nowait).result().position == 4
