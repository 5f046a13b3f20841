"""The embedded engine: a network of one that orders, votes and commits within the node.

Admission, the pool and all answers belong to the event loop; check processes verify, and one writer thread proposes,
votes and commits. A block is cut as soon as the pool is not empty and the last one is durable: the fsync of one block
is the batching window of the next, and no timer is needed. The pool is memory: a clean stop commits it, a crash loses
what was only accepted.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from bigchaindb.config import Limits
from bigchaindb.engine.admission import Answer, Entry, answer_in_slices
from bigchaindb.engine.deciding import Decided, Decider, Proposer
from bigchaindb.engine.engine import Announce, EngineFigures, Mode, Standing
from bigchaindb.engine.failures import first_of
from bigchaindb.engine.intake import Intake, accept
from bigchaindb.engine.rejected import Record, Rejected
from bigchaindb.engine.room import MEASURE_S, Room
from bigchaindb.engine.turns import Turns
from bigchaindb.errors import EngineError, Overloaded, StoreDamaged, StoreFull
from bigchaindb.ledger.application import Ledger
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.pool import Pool
from bigchaindb.ledger.ports import LedgerStore
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction.keys import KeyPair, decode_key
from bigchaindb.transaction.model import Transaction

FULL_RETRY_S: Final = 1.0
"""Time between two checks whether a full disk has room again."""
TIDY_COUNT: Final = 256
"""Transactions of a block for which a further piece is tidied behind it: what blocks of 1,000 leave is two of them, and
a block waits for one piece, unless it waited longer for the block before."""

_log = logging.getLogger(__name__)


class SoloEngine:
    """Implements `bigchaindb.engine.engine.Engine`. Belongs to the event loop; one `run` each."""

    def __init__(  # noqa: PLR0913 - most of them by keyword
        self,
        ledger: Ledger,
        store: LedgerStore,
        *,
        key: KeyPair,
        limits: Limits,
        announce: Announce,
        now: Callable[[], float],
        room: Room,
        record: Record,
        workers: int | None = None,
        propose: Proposer | None = None,
    ) -> None:
        """Make the engine of one node.

        Args:
            ledger: of this node.
            store: the ledger's own.
            key: signs blocks; the only voter.
            limits: of admission, pool, waiters and blocks.
            announce: called with the effects of each commit.
            now: returns Unix seconds.
            room: on the ledger's disk.
            record: takes rejected transactions.
            workers: see `bigchaindb.engine.checks.process_count`.
            propose: a faulty proposer for the first round of each height; only tests pass one.
        """
        self._limits = limits
        self._validators = ValidatorSet({decode_key(key.public_key): 1})
        self._announce = announce
        self._room = room
        self._pool = Pool(count_max=limits.pool_count_max, bytes_max=limits.pool_bytes_max)
        self._record, self._rejected = record, Rejected()
        self._intake = Intake(
            ledger,
            store,
            limits=limits,
            pool=self._pool,
            refusal=self._refusal,
            accepted=self._accept,
            rejected=self._rejected,
            workers=workers,
        )
        self._decider = Decider(ledger, store, key, now, propose)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._store = store
        self._round = 0
        self._turns = Turns(self._pool, limits)
        self._is_untidy = False
        self._full: StoreFull | None = None
        self._damage: StoreDamaged | None = None
        self._halt: Callable[[StoreDamaged], None] = lambda _: None
        self._defect: Exception | None = None
        self._stopping = asyncio.Event()

    def heed(self, damage: StoreDamaged | None, halt: Callable[[StoreDamaged], None]) -> None:
        """Refuse all transactions after the damage of an earlier run, and record new damage for later runs.

        Args:
            damage: of the earlier run; None: there was none.
            halt: records a damage for later runs; called in the writer thread.
        """
        self._damage, self._halt = damage, halt

    def require_writer(self, require: Callable[[Transaction], None]) -> None:
        """Take only transactions for which `require` raises no WriterNotAllowed."""
        self._pool.require_writer = require

    async def run(self) -> None:
        """See `Engine`.

        Raises:
            EngineError: the store failed, or the disk was full at the stop; what was accepted may be lost.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._intake.run())
                tasks.create_task(self._decide_all())
                tasks.create_task(self._rejected.run(self._record))
                tasks.create_task(self._watch_room())
        except ExceptionGroup as group:
            cause = first_of(group)
            lost = f"{len(self._pool)} accepted transactions are not committed"
            raise EngineError(f"the engine stopped, {lost}: {cause!r}") from cause
        finally:
            self._end()

    def stop(self) -> None:
        """See `Engine`."""
        self._stopping.set()
        self._intake.close()

    async def submit(self, body: bytes, mode: Mode) -> Transaction:
        """See `Engine`."""
        return await self._intake.submit(body, mode)

    @property
    def figures(self) -> EngineFigures:
        """What it has in hand, and what it has done."""
        return self._intake.figures

    def standing(self, transaction_id: str) -> Standing | None:
        """See `Engine`."""
        return self._intake.standing(transaction_id)

    def validators(self) -> ValidatorSet:
        """See `Engine`."""
        return self._validators

    def _refusal(self, body: bytes) -> EngineError | None:
        if self._damage is not None:
            return _unable(self._damage)
        if (full := self._full or self._room.shortage()) is not None:
            return Overloaded(f"the disk is full: {full}; try again later")
        return self._rejected.shortage(self._limits.pool_bytes_max) or self._pool.shortage(body)

    def _accept(self, entry: Entry, transaction: Transaction) -> None:
        if self._damage is None:
            accept(entry, transaction)
        else:  # it was being checked when the damage was met
            entry.resolve(_unable(self._damage))

    async def _decide_all(self) -> None:
        await self._decide_until_stopped()
        self._rejected.end()

    async def _decide_until_stopped(self) -> None:
        loop = asyncio.get_running_loop()
        while self._damage is None and await self._has_work(loop):
            if not self._stopping.is_set() and (short := self._room.shortage()) is not None:
                await self._wait_for_room(short)
                continue
            if (full := await self._decide_one(loop)) is not None:
                await self._wait_for_room(full)
            if self._defect is not None:  # the decision was concluded before this task went on
                raise self._defect
        if self._damage is not None:
            await self._serve_reads(self._damage)

    async def _serve_reads(self, damage: StoreDamaged) -> None:
        """Wait for the stop and decide nothing: a block would rest on rows that cannot be read."""
        _log.critical(
            "a block needs what is damaged: no transaction is taken, and reads are served until a person restores it",
            extra={"table": damage.table, "row": damage.row, "why": str(damage)},
        )
        self._intake.proposed = frozenset()
        self._intake.answer_waiting(_unable(damage))
        await self._stopping.wait()
        if self._pool:
            _log.critical("accepted transactions are not committed", extra={"count": len(self._pool)})

    async def _decide_one(self, loop: asyncio.AbstractEventLoop) -> StoreFull | None:
        """Decide a block of waiting transactions; return why there was no room for it."""
        stopping = self._stopping.is_set()
        candidates = self._turns.choose(loop.time(), is_untidy=self._is_untidy, is_last=stopping)
        if not candidates:  # heavy ones wait, for what they leave behind or for others, and nobody else does
            await self._wait_for_turn(loop)
            return None
        self._intake.proposed = frozenset(candidate.id for candidate in candidates)
        begin_s = loop.time()
        try:
            await self._write(loop, self._decide, loop, candidates)
        except StoreFull as error:
            return error
        self._turns.wrote(begin_s, loop.time())
        return None

    async def _wait_for_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tidy up a piece, or wait for others."""
        self._turns.waited()
        if self._is_untidy:
            await self._write(loop, self._tidy, 1)
            return
        self._intake.work.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._intake.work.wait(), self._turns.wait_s(loop.time()))

    async def _has_work(self, loop: asyncio.AbstractEventLoop) -> bool:
        while not self._pool and self._damage is None:
            if self._intake.has_ended:
                return False
            self._intake.work.clear()
            if self._is_untidy:
                await self._write(loop, self._tidy, 1)
            else:
                await self._intake.work.wait()
        return self._damage is None

    async def _write(self, loop: asyncio.AbstractEventLoop, work: Callable[..., None], *arguments: object) -> None:
        """Run `work` in the writer thread, and note damage that it meets."""
        try:
            await loop.run_in_executor(self._writer, work, *arguments)
        except StoreDamaged as error:
            self._damage = error
            await loop.run_in_executor(self._writer, self._halt, error)

    def _decide(self, loop: asyncio.AbstractEventLoop, candidates: Sequence[Transaction]) -> None:
        """Decide one block, report it to the loop, tidy up: the whole work of the writer thread."""
        decision = self._decider.decide(candidates, self._round)
        loop.call_soon_threadsafe(self._conclude_or_fail, decision)
        # Who came while a heavy block was written has waited long enough.
        self._tidy(0 if self._turns.is_heavy else 1 + len(candidates) // TIDY_COUNT)

    def _tidy(self, piece_count: int) -> None:
        """Tidy up a piece or several; the rest is for when nobody waits, or behind the next block."""
        try:
            self._is_untidy = all(self._store.tidy() for _ in range(piece_count))
        except StoreFull as error:  # nothing is lost: the next commit finds out whether there is room
            self._is_untidy = False
            _log.warning("the disk is full, the store was not tidied", extra={"error": str(error)})

    async def _watch_room(self) -> None:
        """Measure the disk while nothing is committed as well: others may be filling it."""
        while not self._stopping.is_set():
            self._room.shortage()
            await self._pause(MEASURE_S)

    async def _wait_for_room(self, error: StoreFull) -> None:
        if self._stopping.is_set():
            raise error
        if self._full is None:
            _log.error("the disk is full, no transaction is taken", extra={"error": str(error)})
        self._full = error
        self._intake.proposed = frozenset()  # they stand in no block until there is room
        await self._pause(FULL_RETRY_S)

    async def _pause(self, limit_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), limit_s)

    def _conclude_or_fail(self, decision: Decided) -> None:
        try:
            self._conclude(decision)
        except Exception as error:  # noqa: BLE001  ends `run`; the event loop would only log it, and all go on
            self._defect = error

    def _conclude(self, decision: Decided) -> None:
        """Take note of a decision and announce it. Runs on the loop, once for each."""
        if self._full is not None:
            self._full = None
            _log.info("the disk has room again, transactions are taken")
        self._intake.proposed = frozenset()
        answers: list[Answer] = []
        for rejection in decision.rejected:
            answers += self._intake.report(self._pool.reject(rejection.transaction.id, rejection.error))
        if decision.culprit is not None:
            answers += self._intake.report([decision.culprit])
        if (effects := decision.effects) is not None:
            self._intake.decided()
            answers += self._take_note(effects)
        answer_in_slices(answers)
        if effects is not None:
            self._announce(effects)  # E4: it is durable

    def _take_note(self, effects: Effects) -> list[Answer]:
        event = effects.last.event
        if event.reason is not None:
            self._round += 1
            about = {"height": event.height, "block": event.block_id, "reason": event.reason}
            _log.warning("a block was voted invalid", extra=about)
            return []
        self._round = 0
        return self._intake.committed(effects.transactions, effects.tip.height)

    def _end(self) -> None:
        self.stop()
        self._intake.end()
        self._writer.shutdown()


def _unable(damage: StoreDamaged) -> Overloaded:
    return Overloaded(f"the node's ledger is damaged, and it takes no transaction: {damage}")
