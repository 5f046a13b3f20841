"""How many connections an address may have."""

import pytest

from bigchaindb.config import Limits
from bigchaindb.serving.places import Places, Room


def full(places: Places[int], address: str, count: int) -> bool:
    """Take places for an address as far as it may; whether it is then refused."""
    for number in range(count):
        assert not places.is_crowded(address), number
        places.take(len(places), address)
    return places.is_crowded(address)


def test_an_address_may_take_half_of_the_places_unless_told_otherwise() -> None:
    places: Places[int] = Places(Room.of(Limits(), 10))
    assert full(places, "192.0.2.7", 5)
    assert full(places, "2001:db8:1:2::/64", 5)
    assert places.is_full


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1"])
def test_this_machine_may_take_all_places_unless_told_otherwise(address: str) -> None:
    """A proxy on this machine brings all clients."""
    assert full(Places(Room.of(Limits(), 10)), address, 10)
    assert full(Places(Room.of(Limits(address_connection_count_max=3), 10)), address, 3)


def test_a_bound_that_is_set_holds_as_it_is() -> None:
    assert full(Places(Room.of(Limits(address_connection_count_max=8), 10)), "192.0.2.7", 8)
    assert full(Places(Room.of(Limits(), 1)), "192.0.2.7", 1)


def test_whoever_leaves_makes_room_once() -> None:
    places: Places[str] = Places(Room(3, 2, 3))
    for name in ("a", "b"):
        places.take(name, "192.0.2.7")
    places.leave("a")
    places.leave("a")
    places.leave("never came")
    assert len(places) == 1
    assert not places.is_crowded("192.0.2.7")
    places.take("c", "192.0.2.7")
    assert places.is_crowded("192.0.2.7")
    assert list(places) == ["b", "c"]


def test_a_connection_may_come_to_count_for_another_address() -> None:
    """A proxy's connection counts for the client that it serves just now."""
    places: Places[str] = Places(Room(3, 1, 3))
    places.take("a", "198.51.100.1")
    places.move("a", "192.0.2.7")
    assert (places.is_crowded("192.0.2.7"), places.is_crowded("198.51.100.1")) == (True, False)
    assert places.address_of("a") == "192.0.2.7"
    places.leave("a")
    places.move("a", "192.0.2.7")
    assert len(places) == 0
    assert not places.is_crowded("192.0.2.7")
