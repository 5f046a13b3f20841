"""Sharings of a subscription's events among consumers, for tests."""

from bigchaindb.eventlog.sharing import Delivery, Sharing

ROOM = 10


def a_sharing(*keys: str, consumers: str = "ab", keeps_keys: bool = False) -> Sharing:
    """Return one with events 1, 2, … of these keys, and with consumers."""
    sharing = Sharing(0, keeps_keys=keeps_keys)
    for number, key in enumerate(keys, 1):
        sharing.read(number, key)
    for consumer in consumers:
        sharing.attach(consumer, ROOM)
    return sharing


def numbers(sharing: Sharing, consumer: str, count: int = ROOM) -> list[int]:
    """Return the events that a consumer is given; whether there are any was known before."""
    may_give = sharing.may_give(consumer)
    given = [delivery.number for delivery in sharing.give(consumer, count)]
    assert may_give is bool(given)
    return given


def first(number: int) -> Delivery:
    """Return an event's first delivery."""
    return Delivery(number, 1)
