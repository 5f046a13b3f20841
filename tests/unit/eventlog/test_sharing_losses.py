"""Consumers that are lost or take nothing more: what they had is with others, and who is blamed, case by case."""

from bigchaindb.eventlog.sharing import Delivery, Sharing, TakenBack
from tests.support.sharings import ROOM, a_sharing, first, numbers


def lose_twice(sharing: Sharing) -> None:
    """Lose two consumers with all that there is, so that each event is given alone from then on."""
    for consumer in ("first", "second"):
        sharing.attach(consumer, 100)
        sharing.give(consumer, 100)
        assert sharing.lose(consumer).undecided is None


# Losses


def test_what_a_lost_consumer_had_goes_to_others_at_once() -> None:
    """A broken connection costs an event, or the order of a key."""
    sharing = a_sharing(*"xyxz")
    assert numbers(sharing, "a", 3) == [1, 2, 3]
    assert sharing.lose("a") == TakenBack((first(1), first(2), first(3)))
    assert sharing.give("b", ROOM) == [(1, 2), (2, 2), (3, 2), (4, 1)]


def test_an_event_that_two_lost_consumers_had_is_given_alone() -> None:
    """An event that ends its consumer takes others along each time, and none is known to be guilty."""
    sharing = a_sharing("x", "y", "x")
    lose_twice(sharing)
    assert sharing.give("a", ROOM) == [(1, 3)]
    assert numbers(sharing, "a") == []
    assert sharing.give("b", ROOM) == [(2, 3)]
    assert sharing.lose("a") == TakenBack((Delivery(1, 3),), Delivery(1, 3))
    assert numbers(sharing, "b") == []
    assert sharing.settle(1)
    assert sharing.ack("b", Delivery(2, 3))
    assert sharing.give("b", ROOM) == [(3, 3)]


def test_a_blameless_end_counts_for_nothing() -> None:
    """A consumer that leaves properly makes its events suspects."""
    sharing = a_sharing("x")
    for attempt in (1, 2, 3):
        assert sharing.give("a", ROOM) == [(1, attempt)]
        assert sharing.lose("a", is_blameless=True).undecided is None
        sharing.attach("a", ROOM)
    sharing.read(2, "y")
    assert numbers(sharing, "a") == [1, 2]


def test_a_blameless_end_with_an_event_given_alone_blames_nothing() -> None:
    """A stop of the client parks an event."""
    sharing = a_sharing("x")
    lose_twice(sharing)
    assert numbers(sharing, "a") == [1]
    assert sharing.lose("a", is_blameless=True) == TakenBack((Delivery(1, 3),))
    assert sharing.give("b", ROOM) == [(1, 4)]


def test_an_overrun_counts_as_a_loss_of_that_event() -> None:
    """A consumer that hangs with an event holds up its key for ever; or those behind it are blamed."""
    sharing = a_sharing("x", "x")
    for attempt in (1, 2):
        assert sharing.give("a", ROOM) == [(1, attempt), (2, attempt)]
        assert sharing.overrun("a", Delivery(1, attempt)) == TakenBack((Delivery(1, attempt), Delivery(2, attempt)))
    assert sharing.give("a", ROOM) == [(1, 3)]
    assert sharing.overrun("a", Delivery(1, 3)) == TakenBack((Delivery(1, 3),), Delivery(1, 3))
    assert sharing.settle(1)
    sharing.read(3, "y")
    assert sharing.give("a", ROOM) == [(2, 3), (3, 1)]


def test_a_busy_consumer_drains_for_an_event_that_is_given_alone() -> None:
    """An event that is given alone is never given, since each consumer always has something else."""
    sharing = a_sharing("x", consumers="")
    lose_twice(sharing)
    sharing.read(2, "y")
    sharing.attach("a", ROOM)
    sharing.attach("b", ROOM)
    assert numbers(sharing, "b") == [1]
    assert sharing.nack("b", Delivery(1, 3)).undecided
    assert numbers(sharing, "a") == [2]
    assert sharing.again(1, 0.0)
    sharing.wake(0.0)
    sharing.read(3, "z")
    assert numbers(sharing, "a") == []
    assert numbers(sharing, "b") == [3]  # the one alone is kept for the other
    assert sharing.ack("a", first(2))
    assert sharing.give("a", ROOM) == [(1, 4)]
    assert sharing.ack("a", Delivery(1, 4))
    sharing.read(4, "x")
    assert numbers(sharing, "b") == [4]


def test_a_lost_consumer_keeps_nothing_that_was_kept_for_it() -> None:
    """An event that is given alone waits for a consumer that is gone."""
    sharing = a_sharing("x", consumers="")
    lose_twice(sharing)
    sharing.read(2, "y")
    sharing.attach("a", ROOM)
    sharing.give("a", 1)
    sharing.nack("a", Delivery(1, 3))
    assert numbers(sharing, "a") == [2]
    sharing.again(1, 0.0)
    sharing.wake(0.0)
    assert numbers(sharing, "a") == []  # kept for it
    assert sharing.lose("a").deliveries == (first(2),)
    sharing.attach("b", ROOM)
    assert sharing.give("b", ROOM) == [(1, 4)]


# Consumers that take nothing more


def test_what_a_consumer_has_not_seen_is_with_others_and_no_attempt_counts() -> None:
    """Events wait for the lease of others, or look as if they had been delivered."""
    sharing = a_sharing(*"vwxyz")
    given = sharing.give("a", ROOM)
    assert sharing.take_back_unseen("a", given[2:]) == given[2:]
    assert sharing.give("b", ROOM) == given[2:]
    assert sharing.ack("a", first(1))
    assert not sharing.ack("a", first(3))
    assert sharing.ack("b", first(3))


def test_what_a_consumer_has_not_seen_waits_behind_what_it_has_of_the_key() -> None:
    """A later event of a key overtakes one that a consumer works on."""
    sharing = a_sharing(*"xxx", keeps_keys=True)
    given = sharing.give("a", ROOM)
    assert sharing.take_back_unseen("a", given[1:]) == given[1:]
    assert sharing.give("b", ROOM) == []
    assert sharing.ack("a", first(1))
    assert sharing.give("b", ROOM) == given[1:]


def test_what_was_taken_back_before_it_was_seen_is_not_taken_back_again() -> None:
    """An event is taken from whoever has it now."""
    sharing = a_sharing(*"xx")
    given = sharing.give("a", ROOM)
    assert sharing.nack("a", first(1)).deliveries == (first(1), first(2))
    assert sharing.again(1, 0.0)
    sharing.wake(0.0)
    assert sharing.give("b", ROOM) == [(1, 2), (2, 2)]
    assert sharing.take_back_unseen("a", given[1:]) == []
    assert sharing.ack("b", Delivery(2, 2))


def test_nothing_is_kept_for_a_consumer_that_takes_nothing_more() -> None:
    """An event that is to be given alone waits for a pull that has its answer."""
    sharing = a_sharing("x", consumers="")
    lose_twice(sharing)
    sharing.read(2, "y")
    sharing.attach("a", ROOM)
    sharing.attach("b", ROOM)
    sharing.give("a", 1)
    sharing.nack("a", Delivery(1, 3))
    assert numbers(sharing, "a") == [2]
    sharing.again(1, 0.0)
    sharing.wake(0.0)
    assert numbers(sharing, "a") == numbers(sharing, "b") == []  # kept for the first
    assert sharing.take_back_unseen("a", []) == []
    assert sharing.give("b", ROOM) == [(1, 4)]
