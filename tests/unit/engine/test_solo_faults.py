"""The engine of one node whose proposals are faulty: what fails later is reported, and good transactions go on."""

import asyncio
import logging
import threading
from collections.abc import Sequence

import pytest

from bigchaindb.config import Limits
from bigchaindb.engine.engine import Mode, Status
from bigchaindb.engine.rejected import Record
from bigchaindb.errors import DoubleSpend, InputDoesNotExist, Overloaded
from bigchaindb.events import EventTypes
from bigchaindb.ledger.checking import Chosen
from bigchaindb.ledger.ports import RejectedRow
from bigchaindb.store import Store
from tests.support.chains import CAROL, CHILD, GRANDCHILD, PARENT, RIVAL, Coin, create, transfer
from tests.support.engines import WITHIN_S, GatedClock, Recorded, engine_over, is_committed, log_of, running, until


def adding(*bodies: bytes) -> "Faulty":
    return Faulty(bodies)


class Faulty:
    """A proposer that adds documents behind the candidates, once."""

    def __init__(self, bodies: Sequence[bytes], *, alone: bool = False) -> None:
        self._bodies = tuple(bodies)
        self._alone = alone
        self._done = False

    def __call__(self, candidates: Sequence[bytes]) -> Chosen:
        if self._done:
            return Chosen(tuple(candidates), ())
        self._done = True
        return Chosen(self._bodies if self._alone else (*candidates, *self._bodies), ())


async def test_a_faulty_proposal_is_voted_invalid_and_its_good_transactions_are_committed(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    bad, recorded = transfer(Coin(create(99))), Recorded()
    with caplog.at_level(logging.WARNING):
        async with running(engine_over(store.writer, propose=adding(bad.body), record=recorded.record)) as engine:
            assert await engine.submit(PARENT.body, Mode.COMMIT) == PARENT
    assert log_of(store) == [
        (EventTypes.BLOCK_INVALID, 1, "InputDoesNotExist at transactions[1]"),
        (EventTypes.BLOCK_VALID, 1, None),
    ]
    assert recorded.found == [(bad.id, "InputDoesNotExist")]
    assert [record.getMessage() for record in caplog.records] == [
        "a transaction was rejected after it had been accepted or proposed",
        "a block was voted invalid",
    ]
    assert vars(caplog.records[1])["reason"] == "InputDoesNotExist at transactions[1]"
    assert is_committed(store, PARENT)
    assert not is_committed(store, bad)


@pytest.mark.parametrize(
    ("bodies", "reason"),
    [
        ([b"no JSON"], "MalformedJson at transactions[1]"),
        ([PARENT.body], "DuplicateTransaction at transactions[1]"),
        ([create(0).body], "DuplicateTransaction at transactions[1]"),
    ],
    ids=["no transaction", "a candidate twice", "one that is committed"],
)
async def test_what_is_no_transaction_or_a_good_one_is_not_reported_as_rejected(
    store: Store, bodies: list[bytes], reason: str
) -> None:
    async with running(engine_over(store.writer)) as engine:
        await engine.submit(create(0).body, Mode.COMMIT)
    async with running(engine_over(store.writer, propose=adding(*bodies))) as engine:
        await engine.submit(PARENT.body, Mode.COMMIT)
        assert engine.standing(PARENT.id) is None
        assert engine.standing(create(0).id) is None
    assert [entry[2] for entry in log_of(store)] == [None, reason, None]


async def test_a_proposer_that_is_always_faulty_holds_nothing_up(store: Store) -> None:
    """It costs one invalid block a height: the next round has another proposer."""
    async with running(engine_over(store.writer, propose=lambda bodies: Chosen((*bodies, b"no JSON"), ()))) as engine:
        await engine.submit(PARENT.body, Mode.COMMIT)
        await engine.submit(CHILD.body, Mode.COMMIT)
    reason = "MalformedJson at transactions[1]"
    assert [entry[1:] for entry in log_of(store)] == [(1, reason), (1, None), (2, reason), (2, None)]


async def test_a_proposal_of_nothing_is_invalid(store: Store) -> None:
    async with running(engine_over(store.writer, propose=Faulty([], alone=True))) as engine:
        await engine.submit(PARENT.body, Mode.COMMIT)
    assert [entry[2] for entry in log_of(store)] == ["ValidationError at transactions", None]


async def test_l4_what_was_accepted_and_fails_later_is_reported_with_its_children(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """A proposer that brings in a rival from elsewhere, as the next node of a network may, takes the input away."""
    clock, recorded = GatedClock(), Recorded()
    faulty = Faulty([PARENT.body, RIVAL.body], alone=True)
    async with running(engine_over(store.writer, now=clock, propose=faulty, record=recorded.record)) as engine:
        await engine.submit(PARENT.body, Mode.ASYNC)
        await until(clock.asked.is_set)
        child = asyncio.create_task(engine.submit(CHILD.body, Mode.COMMIT))
        await until(lambda: engine.standing(CHILD.id) is not None)
        grandchild = await engine.submit(GRANDCHILD.body, Mode.ASYNC)
        clock.opened.set()
        with pytest.raises(DoubleSpend):
            await child
        await until(lambda: recorded.announced == [2] and engine.standing(grandchild.id) is None)
        await engine.submit(transfer(Coin(RIVAL, owner=CAROL)).body, Mode.COMMIT)
    reported = [vars(record)["transaction"] for record in caplog.records if "rejected" in record.getMessage()]
    assert reported == [CHILD.id, GRANDCHILD.id]
    assert recorded.found == [(CHILD.id, "DoubleSpend"), (GRANDCHILD.id, "InputDoesNotExist")]
    assert recorded.rows[1] == RejectedRow(
        GRANDCHILD.id, PARENT.id, "InputDoesNotExist", f"input `{CHILD.id}` doesn't exist", GRANDCHILD.body
    )
    assert is_committed(store, RIVAL)


async def test_p9_a_log_of_rejected_transactions_that_cannot_be_written_holds_up_no_commit(store: Store) -> None:
    """And until it is written the engine itself knows what became of a transaction."""
    bad, recorded, opened = transfer(Coin(create(99))), Recorded(), threading.Event()

    def write(rows: Sequence[RejectedRow]) -> int:
        assert opened.wait(WITHIN_S)
        return recorded.record.write(rows)

    record = Record(write, recorded.announced.append)
    async with running(engine_over(store.writer, propose=adding(bad.body), record=record)) as engine:
        await engine.submit(PARENT.body, Mode.COMMIT)
        await engine.submit(create(2).body, Mode.COMMIT)
        standing = engine.standing(bad.id)
        assert standing is not None
        assert (standing.status, type(standing.error)) == (Status.REJECTED, InputDoesNotExist)
        assert recorded.announced == []
        opened.set()
    assert recorded.found == [(bad.id, "InputDoesNotExist")]


async def test_nothing_is_accepted_while_too_much_that_is_rejected_waits_for_the_disk(store: Store) -> None:
    bad, opened = [transfer(Coin(create(number))).body for number in range(90, 93)], threading.Event()
    size = sum(map(len, bad))
    limits = Limits(pool_bytes_max=size, block_bytes_max=size, body_bytes_max=size)
    left = iter(bad)
    record = Record(lambda rows: opened.wait(WITHIN_S) and len(rows), lambda _: None)
    engine = engine_over(
        store.writer, limits=limits, propose=lambda bodies: Chosen((*bodies, next(left, b"")), ()), record=record
    )
    async with running(engine):
        for number in range(3):
            await engine.submit(create(number).body, Mode.COMMIT)
        with pytest.raises(Overloaded, match="of rejected transactions are not recorded yet"):
            await engine.submit(create(4).body, Mode.COMMIT)
        opened.set()
        await until(lambda: engine._rejected.bytes == 0)
        await engine.submit(create(4).body, Mode.COMMIT)


async def test_what_was_rejected_may_come_again(store: Store) -> None:
    parent = create(99)
    child, recorded = transfer(Coin(parent)), Recorded()
    async with running(engine_over(store.writer, propose=adding(child.body), record=recorded.record)) as engine:
        await engine.submit(PARENT.body, Mode.COMMIT)
        await until(lambda: recorded.announced == [1])
        await engine.submit(parent.body, Mode.COMMIT)
        await engine.submit(child.body, Mode.COMMIT)
        assert engine.standing(child.id) is None
