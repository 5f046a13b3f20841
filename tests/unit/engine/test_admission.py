"""The queue before the checkers, and the answers behind the commit."""

import asyncio

import pytest

from bigchaindb.engine.admission import (
    BATCH_BYTES_MAX,
    BATCH_COUNT_MIN,
    HEAVY_SHARE,
    SLICE_COUNT_MAX,
    AdmissionQueue,
    Answer,
    Entry,
    answer_in_slices,
)
from bigchaindb.engine.engine import Mode
from bigchaindb.errors import Overloaded, Stopping
from bigchaindb.ledger.weight import LIGHT_BYTES_MAX
from tests.support.chains import PARENT


def entry(body: bytes = b"12345") -> Entry:
    return Entry(body, Mode.ASYNC, asyncio.get_running_loop().create_future())


async def test_entries_are_taken_in_order_and_in_batches() -> None:
    queue = AdmissionQueue(bytes_max=100)
    entries = [entry() for _ in range(5)]
    for one in entries:
        queue.put(one)
    assert await queue.take(3) == entries[:3]
    queue.finish()
    assert await queue.take(3) == entries[3:]


async def test_a_taker_waits_for_what_comes() -> None:
    queue = AdmissionQueue(bytes_max=100)
    taker = asyncio.create_task(queue.take(3))
    await asyncio.sleep(0)
    one = entry()
    queue.put(one)
    assert await taker == [one]


async def test_few_entries_wait_for_the_batch_in_hand_and_are_taken_then() -> None:
    """Threads that check a transaction each spend more time on hops and on loading state than on checks."""
    queue = AdmissionQueue(bytes_max=1_000)
    queue.put(entry())
    await queue.take(100)
    few = [entry() for _ in range(BATCH_COUNT_MIN - 1)]
    for one in few:
        queue.put(one)
    taker = asyncio.create_task(queue.take(100))
    await asyncio.sleep(0)
    assert not taker.done()
    queue.finish()
    assert await taker == few


async def test_few_entries_wait_for_a_long_batch_no_longer_than_a_moment() -> None:
    """One document of thousands of signatures would hold up everybody, with threads to spare."""
    queue = AdmissionQueue(bytes_max=1_000)
    queue.put(entry())
    await queue.take(100)
    for _ in range(2):  # none of the batches is ever finished
        few = [entry(), entry(), entry()]
        for one in few:
            queue.put(one)
        assert await asyncio.wait_for(queue.take(2), 60) == few[:2]
        assert await asyncio.wait_for(queue.take(2), 60) == few[2:]


async def test_many_entries_are_taken_beside_a_batch_in_hand() -> None:
    """Else one core would check while the others rest."""
    queue = AdmissionQueue(bytes_max=1_000)
    queue.put(entry())
    await queue.take(100)
    taker = asyncio.create_task(queue.take(100))
    await asyncio.sleep(0)
    many = [entry() for _ in range(BATCH_COUNT_MIN)]
    for one in many:
        queue.put(one)
    assert await taker == many


async def test_the_bytes_that_wait_are_bounded_and_taking_makes_room() -> None:
    queue = AdmissionQueue(bytes_max=2 * len(entry().body))
    queue.put(entry())
    queue.put(entry())  # it fills the last byte
    with pytest.raises(
        Overloaded,
        match=rf"^{queue.bytes} of {queue.bytes_max} bytes wait to be checked \(limits\.admission_bytes_max\)",
    ):
        queue.put(entry())
    await queue.take(1)
    queue.put(entry())


def heavy(size: int = LIGHT_BYTES_MAX + 1) -> Entry:
    return entry(size * b"x")


async def test_a_light_entry_does_not_wait_behind_heavy_ones() -> None:
    """32 documents of a megabyte, all valid, made everybody else wait for 4 s."""
    queue = AdmissionQueue(bytes_max=1_000_000)
    heavies = [heavy() for _ in range(32)]
    for one in heavies:
        queue.put(one)
    light = entry()
    queue.put(light)
    assert await queue.take(100) == [light]
    assert [await queue.take_heavy() for _ in heavies] == heavies
    assert queue.bytes == 0


async def test_heavy_entries_leave_room_for_light_ones() -> None:
    queue = AdmissionQueue(bytes_max=2 * HEAVY_SHARE * len(heavy().body))
    queue.put(heavy())
    queue.put(heavy())  # it fills the last byte of their share
    with pytest.raises(Overloaded, match=rf"^large transactions of 1/{HEAVY_SHARE} of .* wait to be checked"):
        queue.put(heavy())
    queue.put(entry())
    assert await queue.take_heavy() is not None
    queue.put(heavy())


async def test_one_heavy_entry_is_taken_whatever_its_share() -> None:
    queue = AdmissionQueue(bytes_max=LIGHT_BYTES_MAX + 1)
    queue.put(heavy())
    assert await queue.take_heavy() is not None


async def test_a_batch_is_bounded_by_its_bytes() -> None:
    """Else 128 documents of 4 KiB would go before whoever comes next."""
    queue = AdmissionQueue(bytes_max=10_000_000)
    count = BATCH_BYTES_MAX // LIGHT_BYTES_MAX
    entries = [entry(LIGHT_BYTES_MAX * b"x") for _ in range(count + 1)]
    for one in entries:
        queue.put(one)
    assert await queue.take(1_000) == entries[:count]
    queue.finish()
    assert await queue.take(1_000) == entries[count:]


async def test_a_taker_of_heavy_entries_waits_for_one_and_is_dismissed_at_the_end() -> None:
    queue = AdmissionQueue(bytes_max=1_000_000)
    taker = asyncio.create_task(queue.take_heavy())
    await asyncio.sleep(0)
    assert not taker.done()
    one, left = heavy(), heavy()
    queue.put(one)
    assert await taker is one
    queue.put(left)
    queue.close(Stopping("the node is about to stop"))
    with pytest.raises(Stopping):
        await left.answer
    assert await queue.take_heavy() is None


async def test_closing_answers_what_waits_and_dismisses_the_takers() -> None:
    queue = AdmissionQueue(bytes_max=100)
    waiting = entry()
    queue.put(waiting)
    queue.close(Stopping("the node is about to stop"))
    with pytest.raises(Stopping):
        await waiting.answer
    assert await queue.take(3) == []


async def test_an_answer_is_given_once() -> None:
    one, gone = entry(), entry()
    one.resolve(PARENT)
    one.resolve(Stopping("too late"))
    gone.answer.cancel()
    gone.resolve(PARENT)
    assert await one.answer == PARENT
    assert gone.answer.cancelled()


async def test_between_slices_of_answers_the_loop_turns() -> None:
    """Everybody else would wait while a whole block is answered."""
    entries = [entry() for _ in range(2 * SLICE_COUNT_MAX + 1)]
    answers: list[Answer] = [(one, PARENT) for one in entries]
    answered = []
    answer_in_slices(answers)
    for _ in range(3):
        answered.append(sum(one.answer.done() for one in entries))
        await asyncio.sleep(0)
    assert answered == [SLICE_COUNT_MAX, 2 * SLICE_COUNT_MAX, 2 * SLICE_COUNT_MAX + 1]
