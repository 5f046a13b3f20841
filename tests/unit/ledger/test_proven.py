"""The memory of proven documents: it may forget, it must never mistake one document for another."""

from concurrent.futures import ThreadPoolExecutor
from random import Random

from bigchaindb.ledger.proven import Proven
from bigchaindb.transaction import Transaction, parse
from tests.support.chains import create

FIRST, SECOND, THIRD = create(1), create(2), create(3)


def memory(*transactions: Transaction, count_max: int = 10, bytes_max: int = 100_000) -> Proven:
    proven = Proven(count_max=count_max, bytes_max=bytes_max)
    proven.add(transactions)
    return proven


def test_it_knows_a_document_by_its_exact_bytes() -> None:
    proven = memory(FIRST)
    assert proven.get(bytes(bytearray(FIRST.body))) is FIRST
    assert proven.get(FIRST.body + b" ") is None
    assert proven.get(SECOND.body) is None


def test_the_oldest_goes_first_beyond_the_count() -> None:
    proven = memory(FIRST, SECOND, THIRD, count_max=2)
    assert [proven.get(one.body) for one in (FIRST, SECOND, THIRD)] == [None, SECOND, THIRD]
    assert len(proven) == 2


def test_the_oldest_goes_first_beyond_the_bytes() -> None:
    proven = memory(FIRST, SECOND, bytes_max=len(FIRST.body) + len(SECOND.body) - 1)
    assert [proven.get(one.body) for one in (FIRST, SECOND)] == [None, SECOND]


def test_a_document_larger_than_all_room_is_not_kept() -> None:
    assert len(memory(FIRST, bytes_max=10)) == 0


def test_a_repeat_takes_no_room() -> None:
    again = parse(FIRST.body)
    proven = memory(FIRST, again, SECOND, bytes_max=len(FIRST.body) + len(SECOND.body))
    assert proven.get(FIRST.body) is FIRST
    assert len(proven) == 2


def test_what_is_forgotten_gives_its_room_back() -> None:
    proven = memory(FIRST, bytes_max=len(SECOND.body))
    proven.forget([FIRST.body, b"unknown"])
    proven.add([SECOND])
    assert proven.get(SECOND.body) is SECOND


def test_threads_that_add_and_forget_at_once_leave_it_within_its_bounds() -> None:
    """The checkers add while the writer forgets and looks up."""
    many = [create(serial) for serial in range(60)]
    proven = memory(count_max=20)

    def work(seed: int) -> None:
        draw = Random(seed)
        for _ in range(400):
            proven.add(draw.sample(many, 5))
            proven.forget([draw.choice(many).body])
            one = draw.choice(many)
            assert proven.get(one.body) in (None, one)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    proven.add(many[:2])  # a sixteenth of the bound: it is looked at for certain
    assert len(proven) <= 20
