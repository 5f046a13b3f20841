"""The queue before the checkers, and the answers behind the commit."""

import asyncio

import pytest

from bigchaindb.engine.admission import SLICE_COUNT_MAX, AdmissionQueue, Answer, Entry, answer_in_slices
from bigchaindb.engine.engine import Mode
from bigchaindb.errors import Overloaded, Stopping
from tests.support.chains import create

PARENT = create(1)


def entry(body: bytes = b"12345") -> Entry:
    return Entry(body, Mode.ASYNC, asyncio.get_running_loop().create_future())


async def test_entries_are_taken_in_order_and_in_batches() -> None:
    queue = AdmissionQueue(bytes_max=100)
    entries = [entry() for _ in range(5)]
    for one in entries:
        queue.put(one)
    assert await queue.take(3) == entries[:3]
    assert await queue.take(3) == entries[3:]


async def test_a_taker_waits_for_what_comes() -> None:
    queue = AdmissionQueue(bytes_max=100)
    takers = [asyncio.create_task(queue.take(3)) for _ in range(2)]
    await asyncio.sleep(0)
    first, second = entry(), entry()
    queue.put(first)
    await asyncio.wait(takers, return_when=asyncio.FIRST_COMPLETED)
    queue.put(second)
    assert sorted([len(taken) for taken in await asyncio.gather(*takers)]) == [1, 1]


async def test_the_bytes_that_wait_are_bounded_and_taking_makes_room() -> None:
    queue = AdmissionQueue(bytes_max=9)
    queue.put(entry())
    with pytest.raises(Overloaded, match=r"limits\.admission_bytes_max = 9 bytes"):
        queue.put(entry())
    await queue.take(1)
    queue.put(entry())


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
