"""What `/statuses` can say of transactions that were rejected after their acceptance."""

from bigchaindb.engine.rejected import Rejected
from bigchaindb.errors import DoubleSpend, InputDoesNotExist


def test_it_keeps_the_last_ones_up_to_its_bound() -> None:
    rejected = Rejected(count_max=2)
    error = DoubleSpend("taken")
    for name in ("a", "b", "a", "c"):
        rejected.add(name, error)
    assert [rejected.get(name) for name in ("a", "b", "c", "d")] == [error, None, error, None]


def test_it_keeps_the_last_error_of_an_id() -> None:
    rejected = Rejected(count_max=2)
    last = InputDoesNotExist("gone")
    rejected.add("a", DoubleSpend("taken"))
    rejected.add("a", last)
    assert rejected.get("a") is last


def test_what_came_again_and_was_committed_is_forgotten() -> None:
    rejected = Rejected(count_max=2)
    rejected.add("a", DoubleSpend("taken"))
    rejected.discard("a")
    rejected.discard("b")
    assert rejected.get("a") is None
