"""Dealing the events of a subscription out among its consumers, case by case.

`tests/simulation/eventlog/test_sharing_model.py` plays them all at once, against brute force.
"""

import gc
import tracemalloc

import pytest

from bigchaindb.eventlog.facts import Again, Nacked, Park, ParkRecorded, Settle
from bigchaindb.eventlog.lane import Lane, State
from bigchaindb.eventlog.retrying import Policy
from bigchaindb.eventlog.sharing import Delivery, Sharing, TakenBack
from bigchaindb.eventlog.transitions import step
from tests.support.sharings import ROOM, a_sharing, first, numbers


def dues(sharing: Sharing) -> set[float | None]:
    """Return when something is due; a call, since checkers take an attribute for constant."""
    return {sharing.due}


def obstacles(sharing: Sharing) -> list[object]:
    """Return the key that the cursor waits for, if there is one."""
    return [] if sharing.obstacle is None else [sharing.obstacle.key.name]


# Order by key


def test_a_key_is_with_one_consumer_until_it_has_answered_all_of_it() -> None:
    """Two consumers work on one asset at the same time."""
    sharing = a_sharing("x", "y", "x", "x")
    assert numbers(sharing, "a", 1) == [1]
    assert numbers(sharing, "b") == [2]
    assert sharing.ack("a", first(1))
    assert numbers(sharing, "b") == [3, 4]


def test_lowest_events_go_first_whether_their_key_is_held_or_free() -> None:
    """A key that comes often keeps others waiting."""
    sharing = a_sharing("x", "y", "x", "z", "x")
    assert numbers(sharing, "a") == [1, 2, 3, 4, 5]


def test_an_answer_leaves_the_rest_of_a_key_in_its_turn() -> None:
    """An event that waits is queued twice, and given twice."""
    sharing = a_sharing(*"xxx")
    assert numbers(sharing, "a", 2) == [1, 2]
    assert sharing.ack("a", first(1))
    assert numbers(sharing, "b") == []
    assert numbers(sharing, "a") == [3]


def test_many_keys_that_wait_at_once_are_all_given() -> None:
    """Events of a full window are lost in the queue for them."""
    sharing = Sharing(0)
    for number in range(1, 301):
        sharing.read(number, number)
    sharing.attach("a", 300)
    assert numbers(sharing, "a", 300) == [*range(1, 301)]


def test_no_more_is_given_than_a_consumer_has_room_for() -> None:
    """A slow consumer's memory is filled."""
    sharing = a_sharing(*"xyz", consumers="")
    sharing.attach("a", 2)
    assert numbers(sharing, "a") == [1, 2]
    assert numbers(sharing, "a") == []
    assert sharing.ack("a", first(1))
    assert numbers(sharing, "a") == [3]


def test_a_nack_takes_the_later_ones_of_its_key_along() -> None:
    """A transfer is carried out before the one that it spends."""
    sharing = a_sharing(*"xyxxx")
    assert numbers(sharing, "a", 4) == [1, 2, 3, 4]
    taken = sharing.nack("a", first(3))
    assert taken == TakenBack((first(3), first(4)), first(3))
    assert numbers(sharing, "b") == []
    assert sharing.again(3, 5.0)
    assert dues(sharing) == {5.0}
    sharing.wake(4.9)
    assert numbers(sharing, "a") == []
    sharing.wake(5.0)
    assert dues(sharing) == {None}
    assert numbers(sharing, "b") == []  # the first of the key is out with the other
    assert sharing.give("a", ROOM) == [(3, 2), (4, 2), (5, 1)]


def test_an_event_that_is_to_be_parked_waits_for_that_whatever_its_key_does() -> None:
    """An event is given again while it is being parked, since an earlier one of its key was nacked meanwhile."""
    sharing = a_sharing(*"xxx")
    assert numbers(sharing, "a") == [1, 2, 3]
    assert sharing.nack("a", first(2)).undecided == first(2)  # to be parked
    assert sharing.nack("a", first(1)).deliveries == (first(1),)
    assert sharing.again(1, 0.0)
    sharing.wake(0.0)
    assert sharing.give("b", ROOM) == [(1, 2)]
    assert sharing.ack("b", Delivery(1, 2))
    assert sharing.give("b", ROOM) == []
    assert sharing.settle(2)
    assert sharing.give("b", ROOM) == [(3, 2)]


def test_an_event_parked_behind_a_waiting_one_is_out_of_its_key() -> None:
    """An event that is parked comes again with its key."""
    sharing = a_sharing(*"xxx")
    sharing.give("a", ROOM)
    sharing.nack("a", first(2))
    sharing.nack("a", first(1))
    assert sharing.settle(2)
    sharing.again(1, 0.0)
    sharing.wake(0.0)
    assert numbers(sharing, "a") == [1, 3]


def test_a_delay_that_ends_for_a_later_event_of_a_key_gives_nothing() -> None:
    """A later event overtakes an earlier one of its key."""
    sharing = a_sharing(*"xx")
    sharing.give("a", ROOM)
    sharing.nack("a", first(2))
    sharing.again(2, 1.0)
    sharing.nack("a", first(1))
    sharing.again(1, 2.0)
    sharing.wake(1.0)
    assert numbers(sharing, "a") == []
    sharing.wake(2.0)
    assert numbers(sharing, "a") == [1, 2]


def test_a_time_before_zero_is_a_time() -> None:
    """An event is queued before its delay is over, and again when it is."""
    sharing = a_sharing(*"xxx")
    sharing.give("a", 2)
    sharing.nack("a", first(2))
    sharing.again(2, 0.0)
    assert sharing.ack("a", first(1))
    assert numbers(sharing, "a") == []
    sharing.wake(0.0)
    assert numbers(sharing, "b") == [2, 3]


def test_a_kept_key_stays_with_its_consumer_while_that_is_connected() -> None:
    """A consumer that stands by takes over from one that works, between two events."""
    sharing = a_sharing("all", keeps_keys=True)
    assert numbers(sharing, "a") == [1]
    assert sharing.ack("a", first(1))
    sharing.read(2, "all")
    assert numbers(sharing, "b") == []
    assert sharing.lose("a") == TakenBack()
    assert numbers(sharing, "b") == [2]
    assert sharing.lose("b").deliveries == (first(2),)
    sharing.attach("c", ROOM)
    assert sharing.give("c", ROOM) == [(2, 2)]


# Answers


@pytest.mark.parametrize("delivery", [Delivery(2, 1), Delivery(1, 2), Delivery(1, 0), Delivery(9, 1)])
@pytest.mark.parametrize("consumer", ["a", "b", "gone"])
def test_an_answer_for_what_is_not_out_changes_nothing(consumer: str, delivery: Delivery) -> None:
    """An event is settled by an answer for another one, or by a consumer that does not have it."""
    sharing = a_sharing(*"xx")
    sharing.give("a", 1)
    assert not sharing.ack(consumer, delivery)
    assert sharing.nack(consumer, delivery) == TakenBack()
    assert sharing.overrun(consumer, delivery) == TakenBack()
    assert sharing.ack("a", first(1))
    assert not sharing.ack("a", first(1))
    assert sharing.cursor == 1


def test_a_late_answer_does_not_settle_the_next_delivery_of_the_same_consumer() -> None:
    """An answer that was on its way settles an event that was taken back and given again: its work is not done."""
    sharing = a_sharing(*"xx")
    sharing.give("a", ROOM)
    sharing.nack("a", first(1))
    sharing.again(1, 0.0)
    sharing.wake(0.0)
    assert sharing.give("a", ROOM) == [(1, 2), (2, 2)]
    assert not sharing.ack("a", first(2))
    sharing.lose("a")
    sharing.attach("a", ROOM)
    assert sharing.give("a", ROOM) == [(1, 3), (2, 3)]
    assert not sharing.ack("a", Delivery(2, 2))
    assert sharing.ack("a", Delivery(2, 3))


def test_the_lane_decides_about_what_is_undecided_alone() -> None:
    """An event that is out, waits or is settled is parked, or delayed, by a decision for another."""
    sharing = a_sharing(*"xyz")
    sharing.give("a", 2)
    sharing.nack("a", first(1))
    for number in (2, 3, 9):
        assert not sharing.again(number, 0.0)
        assert not sharing.settle(number)
    assert sharing.again(1, 0.0)
    assert not sharing.again(1, 9.0)
    assert not sharing.settle(1)
    assert sharing.unsettled_count == 3


def test_the_lane_of_a_plugin_decides_for_a_subscription_as_well() -> None:
    """A subscription counts attempts, waits or parks by rules of its own."""
    sharing = a_sharing(*"xx")
    lane, policy, now = Lane(State.LIVE), Policy(attempts=2, duration_s=0.0), 100.0

    sharing.give("a", ROOM)
    sharing.nack("a", first(1))
    lane, actions = step(lane, Nacked(1, 1, "locked", 5.0), policy, 0.5, now)
    assert actions == [Again(1, 2, 5.0)]
    assert sharing.again(1, now + 5.0)
    sharing.wake(now + 5.0)
    assert sharing.give("b", ROOM) == [(1, 2), (2, 2)]

    sharing.nack("b", Delivery(1, 2))
    lane, actions = step(lane, Nacked(1, 2, "locked"), policy, 0.5, now + 5.0)
    assert isinstance(actions[0], Park)
    assert sharing.give("b", ROOM) == []
    lane, actions = step(lane, ParkRecorded([1]), policy, 0.5, now + 5.0)
    assert actions == [Settle(1)]
    assert sharing.settle(1)
    assert sharing.give("b", ROOM) == [(2, 3)]


# The cursor, and bounds


def test_the_cursor_is_below_the_lowest_in_hand() -> None:
    """A run that ends loses an event that waits for its key, for its delay or for a decision (E6)."""
    sharing = a_sharing(*"xyz")
    sharing.passed(7)
    assert sharing.cursor == 0
    sharing.give("a", ROOM)
    assert sharing.ack("a", first(2))
    assert sharing.cursor == 0
    sharing.nack("a", first(1))
    assert sharing.cursor == 0
    sharing.settle(1)
    assert sharing.cursor == 2
    assert sharing.ack("a", first(3))
    assert sharing.cursor == 7


def test_a_run_goes_on_with_what_was_in_hand_and_what_returns() -> None:
    """A parked event that returns moves the cursor back, or what is not read yet is taken for settled."""
    sharing = Sharing(4)
    sharing.read(2, "x", attempt=6, is_returning=True)
    assert sharing.cursor == 4
    sharing.read(5, "x", attempt=2)
    assert sharing.cursor == 4
    sharing.attach("a", ROOM)
    assert sharing.give("a", ROOM) == [(2, 6), (5, 2)]
    assert sharing.ack("a", Delivery(5, 2))
    assert sharing.cursor == 5  # 8 was in hand as well, and is not read yet
    sharing.read(8, "y")
    sharing.read(9, "y", is_returning=True)
    sharing.passed(12)
    assert sharing.cursor == 7
    sharing.give("a", ROOM)
    assert sharing.ack("a", first(8))
    assert sharing.cursor == 12
    assert sharing.unsettled_count == 2


def test_the_event_that_others_wait_behind_is_known() -> None:
    """Nobody finds out which key keeps the cursor where it is."""
    sharing = a_sharing("x", "y", "x")
    assert obstacles(sharing) == ["x"]
    assert numbers(sharing, "a") == [1, 2, 3]
    assert sharing.ack("a", first(1))
    assert obstacles(sharing) == []
    assert sharing.ack("a", first(2))
    assert sharing.ack("a", first(3))
    assert obstacles(sharing) == []


def test_the_window_counts_all_that_is_not_settled() -> None:
    """A key that waits lets the node's memory fill."""
    sharing = Sharing(0)
    counts = []
    for number in (1, 2):
        sharing.read(number, "x")
        counts.append(sharing.unsettled_count)
    sharing.attach("a", ROOM)
    sharing.give("a", ROOM)
    sharing.nack("a", first(1))
    counts.append(sharing.unsettled_count)
    sharing.settle(1)
    assert [*counts, sharing.unsettled_count] == [1, 2, 2, 1]


def kept_bytes(sharing: Sharing, *, times: int) -> int:
    """Return what stays allocated after many more events beside what waits, and after many that come again."""
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(1_000, 1_000 + times):
            sharing.read(number, number)
            (given,) = sharing.give("a", 1)
            assert sharing.ack("a", given)
            (again,) = sharing.give("b", 1)
            assert sharing.nack("b", again).deliveries
            assert sharing.again(again.number, 0.0)
            sharing.wake(0.0)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_events_that_pass_beside_a_waiting_one_leave_nothing_behind() -> None:
    """One event with a delay of a week fills the node's memory."""
    sharing = Sharing(0)
    sharing.attach("a", 1)
    sharing.attach("b", 2)
    sharing.read(1, "x")
    sharing.read(2, "x")
    sharing.read(3, "x")
    assert numbers(sharing, "b", 1) == [1]  # so that the key stays with it, and an event waits for room behind
    assert kept_bytes(sharing, times=3_000) < 20_000
    assert sharing.cursor == 0
    assert sharing.unsettled_count == 3


def test_keys_by_the_hundred_thousand_cost_what_is_in_hand() -> None:
    """A subscription by asset takes the node's memory, since each asset is another key."""
    window, consumer = 8_192, "one"
    sharing = Sharing(0)
    sharing.attach(consumer, window)
    tracemalloc.start()
    try:
        before, number, held_bytes, left_bytes = tracemalloc.get_traced_memory()[0], 0, 0, list[int]()
        while number < 100_000:
            for _ in range(window):
                number += 1
                sharing.read(number, f"asset {number}")
            given = sharing.give(consumer, window)
            held_bytes = max(held_bytes, tracemalloc.get_traced_memory()[0] - before)
            assert all(sharing.ack(consumer, delivery) for delivery in given)
            assert sharing.cursor == number
            del given
            left_bytes.append(tracemalloc.get_traced_memory()[0] - before)
    finally:
        tracemalloc.stop()
    assert held_bytes / window <= 512  # 400 for what is in hand, and the key's own text
    assert left_bytes[-1] <= 1.05 * left_bytes[1]
