"""Transactions that this node accepted from its clients: kept on disk, and submitted again, until they are decided.

Source: docs/explanation/network.md. Belongs to the event loop; the outbox to a thread of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import takewhile
from typing import Final, NamedTuple, ParamSpec, TypeVar

from bigchaindb.config import Limits
from bigchaindb.engine.admission import BATCH_COUNT_MAX, Entry, answer_all
from bigchaindb.engine.cometbft.submitter import Submitter
from bigchaindb.engine.intake import Intake, accept
from bigchaindb.engine.rejected import Rejected
from bigchaindb.engine.together import Outcome
from bigchaindb.errors import (
    CheckFailed,
    CometBftUnavailable,
    DuplicateTransaction,
    EngineError,
    InputDoesNotExist,
    Overloaded,
    Stopping,
    ValidationError,
)
from bigchaindb.store.own import Outbox
from bigchaindb.transaction.model import Transaction

DROP_COUNT: Final = 1_000
"""Decided transactions that are dropped from the outbox at a time."""
AGAIN_COUNT_MAX: Final = 2
"""Rounds after which CometBFT's mempool is emptied first, or none where few wait: it sends a transaction to each peer
once, and a peer that was too busy has dropped it."""
ALONE_COUNT: Final = 100
"""Transactions, the oldest, that are submitted again alone in each round. A node between this one and the validators
takes what is new in a bundle, and passes on no bundle of what it knows; a transaction that is alone it does."""
OUTSIDE_ROUND_COUNT_MAX: Final = 24
"""Rounds, while the node follows its network, in which a transaction that the pool refused at the start is submitted
again before it is checked anew. By then all nodes have submitted what they had accepted, its parent included."""

P = ParamSpec("P")
T = TypeVar("T")


class _InFlight(NamedTuple):
    """A transaction, when it was last submitted, and how often again."""

    body: bytes
    since_s: float
    again_count: int = 0


class Accepted:
    """Transactions between the answer to a client and a block, or a rule that turns them away.

    Attributes:
        count_max: how many may be in flight; below `limits.pool_count_max` while more validators share the mempool
            than it was made for.
        rejected: those that a rule turned away and the outbox still holds.
    """

    def __init__(
        self,
        outbox: Outbox,
        submitter: Submitter,
        recorded: Callable[[int], None],
        limits: Limits,
        empty_mempool: Callable[[], Awaitable[None]],
    ) -> None:
        """Take over nothing before `readmit`.

        Args:
            outbox: where they are on disk.
            submitter: hands them to CometBFT.
            recorded: called with the last durable position of the log of rejected transactions.
            limits: those of the pool bound the transactions in flight.
            empty_mempool: makes CometBFT forget what it has sent; raises CometBftUnavailable.
        """
        self._outbox = outbox
        self._submitter = submitter
        self._recorded = recorded
        self.rejected = Rejected(self._land)
        self._limits = limits
        self.count_max = limits.pool_count_max
        self._empty_mempool = empty_mempool
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._in_flight: dict[str, _InFlight] = {}
        self._bytes = 0
        self._outside: dict[str, int] = {}  # in flight and not in the pool since the start, and for how many rounds
        self._new: list[tuple[Entry, Transaction]] = []
        self._writing: list[tuple[Entry, Transaction]] = []
        self._decided: dict[str, None] = {}
        self._is_drop_due = False
        self._work = self.rejected.work

    @property
    def count(self) -> int:
        """Transactions in flight."""
        return len(self._in_flight)

    def refusal(self, body_bytes: int) -> Overloaded | None:
        """Return why a body of that size cannot be accepted now; None if it can."""
        limits = self._limits
        if len(self._in_flight) >= min(self.count_max, limits.pool_count_max):
            if self.count_max < limits.pool_count_max:
                return Overloaded(
                    f"{self.count_max:,} transactions are in flight, and CometBFT's mempool holds no more of this node "
                    f"since it was made for fewer validators; try again later, or restart the node to accept "
                    f"{limits.pool_count_max:,} again (limits.pool_count_max)"
                )
            return Overloaded(
                f"{limits.pool_count_max:,} transactions are in flight (limits.pool_count_max); try again later"
            )
        if (shortage := self.rejected.shortage(limits.pool_bytes_max)) is not None:
            return shortage
        if self._bytes + body_bytes > limits.pool_bytes_max:
            return Overloaded(
                f"{self._bytes:,} of {limits.pool_bytes_max:,} bytes are in flight (limits.pool_bytes_max); try again "
                "later"
            )
        return None

    def take(self, entry: Entry, transaction: Transaction) -> None:
        """Take over a transaction that a client posted and the pool holds: `keep` writes it down, and answers then."""
        self._new.append((entry, transaction))
        self._note(transaction.id, transaction.body)
        self._work.set()

    def forget(self, transaction_id: str) -> None:
        """Drop a transaction that was decided."""
        if self._land(transaction_id):
            self._decided[transaction_id] = None
            if len(self._decided) >= DROP_COUNT:
                self._work.set()

    async def readmit(self, intake: Intake) -> None:
        """Check again the transactions that the last run had accepted and did not see decided."""
        kept = await self._off_loop(self._outbox.all)
        for batch in _batches(kept, self._limits.admission_bytes_max):  # one after the other: parents precede children
            outcomes = await intake.admit_all([body for _, body in batch])
            for (id_, body), outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, Stopping):
                    return  # the rest waits for the next start
                self._readmit_one(intake, id_, body, outcome)

    def _readmit_one(self, intake: Intake, id_: str, body: bytes, outcome: Outcome) -> None:
        if id_ in intake.pool:  # from here, or because a client or a peer was faster
            self._submit(id_, body)
        elif isinstance(outcome, (Transaction, DuplicateTransaction)):
            self._decided[id_] = None
        elif isinstance(outcome, (InputDoesNotExist, Overloaded, CheckFailed)):
            # Another node had accepted the parent, or decided it while this one was away: CometBFT will bring the
            # parent, and this one by its submission. Or by another setting the pool has become smaller: there will be
            # room. Or it could not be checked, which says nothing about it. Until then the pool does not have it, and
            # cannot tell when a block takes what it spends.
            self._submit(id_, body)
            self._outside[id_] = 0
        elif isinstance(outcome, ValidationError):
            self.rejected.record(id_, body, outcome)
        else:
            raise outcome

    async def keep(self, intake: Intake, wake: Callable[[], bool]) -> None:
        """Write new transactions down, then answer and submit them; drop decided ones. One fsync for many.

        Returns once the intake has ended and all of its transactions are written down.

        Args:
            intake: which fills the pool.
            wake: makes this node propose what the pool holds; returns False if others propose too.
        """
        while True:
            self._writing, self._new = self._new, []
            if self._writing:
                await self._off_loop(self._outbox.put, [(one.id, one.body) for _, one in self._writing])
                is_proposed = wake()
                for entry, transaction in self._writing:
                    accept(entry, transaction)
                    if not is_proposed:
                        self._submitter.put(transaction.body)
            if self._is_drop_due or len(self._decided) >= DROP_COUNT:
                # One that is dropped too late is found to be decided at the next start.
                self._is_drop_due = False
                decided, self._decided = self._decided, {}
                await self._off_loop(self._outbox.drop, decided)
            if await self._record() or self._new:
                continue
            if intake.has_ended:
                break
            self._work.clear()
            await self._work.wait()
        await self._off_loop(self._outbox.drop, self._decided)

    async def _record(self) -> bool:
        """Write the next rejected transactions into the log and drop them; return whether there were any."""
        unwritten = {transaction.id for _, transaction in self._new}
        rows = list(takewhile(lambda row: row.id not in unwritten, self.rejected.batch()))
        if rows:
            ids = [row.id for row in rows if row.id not in self._in_flight]  # else it was accepted once more
            head = await self._off_loop(self._outbox.reject, rows, ids)
            self.rejected.written(rows)
            self._recorded(head)
        return bool(rows)

    def wake(self) -> None:
        """Wake `keep`, since the intake has ended."""
        self._work.set()

    async def submit_again(self, intake: Intake, *, older_s: float, is_following: bool) -> None:
        """Submit undecided transactions once more.

        Args:
            intake: has the pool.
            older_s: transactions submitted within so many seconds are left out.
            is_following: whether the node follows its network, so that a parent could have come.
        """
        now_s = asyncio.get_running_loop().time()
        late = [(id_, one) for id_, one in self._in_flight.items() if now_s - one.since_s > older_s]
        if late and (len(late) <= ALONE_COUNT or any(one.again_count >= AGAIN_COUNT_MAX for _, one in late)):
            # CometBFT then sends to all its peers again. It would not pass on the same bytes twice, and what was alone
            # at first is the same now. Other nodes submit what they have accepted themselves; the pool, from which this
            # node proposes, keeps all.
            with suppress(CometBftUnavailable):  # it is away, and so is its mempool
                await self._empty_mempool()
            late = list(self._in_flight.items())
        for number, (id_, one) in enumerate(late):
            again_count = one.again_count + 1 if one.again_count < AGAIN_COUNT_MAX else 0
            self._in_flight[id_] = _InFlight(one.body, now_s, again_count)
            if not self._submitter.put(one.body, alone=number < ALONE_COUNT):
                break
        if self._decided:
            self._is_drop_due = True
            self._work.set()
        if is_following:
            await self._check_outside(intake)

    def end(self) -> None:
        """Answer those who still wait for their transaction to be written down, and end the thread."""
        unwritten = (entry for entry, _ in (*self._writing, *self._new))
        answer_all(unwritten, EngineError("the engine stopped; the transaction may be committed"))
        self._thread.shutdown()

    async def _check_outside(self, intake: Intake) -> None:
        """Check anew what the pool refused at the start, once it has been submitted often enough (L4)."""
        due: list[tuple[str, bytes]] = []
        for id_, round_count in list(self._outside.items()):
            if id_ in intake.pool or id_ not in self._in_flight:
                del self._outside[id_]
            elif round_count < OUTSIDE_ROUND_COUNT_MAX:
                self._outside[id_] = round_count + 1
            else:
                due.append((id_, self._in_flight[id_].body))
        for batch in _batches(due, self._limits.admission_bytes_max):
            outcomes = await intake.admit_all([body for _, body in batch])
            for (id_, body), outcome in zip(batch, outcomes, strict=True):
                self._check_one_outside(intake, id_, body, outcome)

    def _check_one_outside(self, intake: Intake, id_: str, body: bytes, outcome: Outcome) -> None:
        if id_ in intake.pool or isinstance(outcome, (Overloaded, Stopping)):
            return  # the next round sees what became of it
        if isinstance(outcome, CheckFailed):  # no verdict: the log has why, and it was accepted
            self._outside[id_] = 0
            return
        del self._outside[id_]
        if id_ not in self._in_flight or isinstance(outcome, (Transaction, DuplicateTransaction)):
            self.forget(id_)
        elif isinstance(outcome, ValidationError):
            self._land(id_)
            self.rejected.record(id_, body, outcome)
        else:
            raise outcome

    def _land(self, id_: str) -> bool:
        """Track a transaction no longer; return whether it was in flight."""
        if (found := self._in_flight.pop(id_, None)) is not None:
            self._bytes -= len(found.body)
        return found is not None

    def _submit(self, id_: str, body: bytes) -> None:
        self._note(id_, body)
        self._submitter.put(body)

    def _note(self, id_: str, body: bytes) -> None:
        """Track a transaction; the outbox may hold it from before, and may have been about to drop it."""
        self._land(id_)
        self._decided.pop(id_, None)
        self._in_flight[id_] = _InFlight(body, asyncio.get_running_loop().time())
        self._bytes += len(body)

    async def _off_loop(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        done = partial(work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._thread, done)


def _batches(kept: Sequence[tuple[str, bytes]], bytes_max: int) -> Iterator[Sequence[tuple[str, bytes]]]:
    """Cut the outbox into pieces that fit into the admission queue as a whole."""
    start, size = 0, 0
    for end, (_, body) in enumerate(kept):
        size += len(body)
        if end > start and (size > bytes_max or end - start == BATCH_COUNT_MAX):
            yield kept[start:end]
            start, size = end, len(body)
    if kept:
        yield kept[start:]
