"""The engine of a network: CometBFT orders, this node's ledger judges, and what was accepted is not forgotten.

A transaction is checked against the ledger and the pool, written into the outbox, and handed to CometBFT, which carries
it to the other nodes. It leaves the outbox when a block shows it or a rule turns it away; until then it is submitted
again and again, for a mempool is memory and drops silently.

Source: docs/explanation/network.md.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple, ParamSpec, Protocol, TypeVar

from bigchaindb.config import Limits
from bigchaindb.engine.admission import Entry, answer_in_slices
from bigchaindb.engine.checkers import BATCH_COUNT_MAX
from bigchaindb.engine.cometbft.abci_server import AbciServer
from bigchaindb.engine.cometbft.handlers import LedgerHandlers, Parts
from bigchaindb.engine.cometbft.health import Health
from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.engine.cometbft.submitter import Submitter
from bigchaindb.engine.engine import EngineFigures, HeadListener, Mode, NetworkFigures, Standing
from bigchaindb.engine.failures import first_of
from bigchaindb.engine.intake import Intake, accept
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
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.elections import Elections
from bigchaindb.ledger.pool import Pool
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction.model import Transaction

POOL_FACTOR: Final = 8
"""The pool holds what the clients of so many nodes may have under way; a node refuses its own clients long before."""
AGAIN_S: Final = 5.0
"""Time between two rounds in which what is undecided is submitted again, unless it has just come."""
DROP_COUNT: Final = 1_000
"""Decided transactions that are dropped from the outbox at a time."""
AGAIN_COUNT_MAX: Final = 2
"""After so many rounds CometBFT's mempool is emptied first: it sends a transaction to each peer once, and a peer that
was too busy for it has dropped it."""
PARENTLESS_ROUND_COUNT_MAX: Final = 24
"""So often, while the node follows its network, is a transaction submitted again whose inputs do not exist. By then all
nodes have submitted what they had accepted, a parent of it included."""
HEALTH_S: Final = 0.5
"""Time between two looks at CometBFT."""

P = ParamSpec("P")
T = TypeVar("T")
_log: Final = logging.getLogger(__name__)


class _UnderWay(NamedTuple):
    """What a client was told is accepted, and when it was last submitted, and how often again."""

    body: bytes
    since_s: float
    again_count: int = 0


class Process(Protocol):
    """CometBFT as a child of this process.

    Attributes:
        start_count: how often it was started.
    """

    start_count: int

    async def run(self) -> None:
        """Keep it running until `stop`.

        Raises:
            EngineError: it cannot be kept running; the message says why.
        """
        ...

    async def stop(self) -> None:
        """End it, and wait for its end."""
        ...


class CometBftEngine:
    """Implements `bigchaindb.engine.engine.Engine`. Belongs to the event loop; one `run` each."""

    def __init__(
        self,
        parts: Parts,
        *,
        chain_id: str,
        limits: Limits,
        announce: HeadListener,
        rpc: CometBftRpc,
        serve: Callable[[LedgerHandlers, Callable[[BaseException], None]], AbciServer],
        process: Process,
        workers: int | None = None,
    ) -> None:
        """Make the engine of one node.

        Args:
            parts: what it works on.
            chain_id: of the network.
            limits: of admission and waiters; those of the pool bound what this node's clients have under way.
            announce: is told the durable head after each commit that logs something.
            rpc: asks CometBFT.
            serve: makes the server that CometBFT connects to, from its handlers and what to tell of a failure.
            process: CometBFT itself.
            workers: threads that check; None is one a core.
        """
        self._parts = parts
        self._limits = limits
        self._announce = announce
        self._rpc = rpc
        self._process = process
        self._submitter = Submitter(rpc.broadcast_many)
        self._outbox_thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._under_way: dict[str, _UnderWay] = {}
        self._under_way_bytes = 0
        self._accepted: list[tuple[Entry, Transaction]] = []
        self._decided: dict[str, None] = {}
        self._parentless: dict[str, int] = {}
        self._is_drop_due = False
        self._outbox_work = asyncio.Event()
        self._health = Health(rpc, asyncio.get_running_loop().time)
        self._invalid_count = 0
        self._intake = Intake(
            parts.ledger,
            parts.store,
            limits=limits,
            pool=Pool(count_max=POOL_FACTOR * limits.pool_count_max, bytes_max=POOL_FACTOR * limits.pool_bytes_max),
            refusal=self._refusal,
            accepted=self._take,
            turned_away=self._forget,
            elected=lambda: parts.ledger.state.elected,
            workers=workers,
        )
        self._handlers = LedgerHandlers(
            parts,
            chain_id=chain_id,
            intake=self._intake,
            committed=self._conclude,
            wake=self._submitter.put,
        )
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._server = serve(self._handlers, self._fail)
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """See `Engine`. What was accepted and is undecided waits in the outbox for the next start.

        Raises:
            EngineError: CometBFT or the ledger failed; the message says what happened.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._admit())
                has_begun = self._parts.ledger.has_begun
                if has_begun:
                    await self._readmit()
                await self._server.start()
                for work in (self._submitter.run, self._keep_outbox, self._submit_again, self._watch):
                    tasks.create_task(work())
                if not has_begun:
                    tasks.create_task(self._readmit_once_begun())
                tasks.create_task(self._run_process())
        except ExceptionGroup as group:
            cause = first_of(group)
            raise EngineError(f"the engine stopped: {cause}") from cause
        finally:
            await self._end()

    def stop(self) -> None:
        """See `Engine`."""
        self._stopping.set()
        self._intake.close()
        self._submitter.stop()
        if not self._failure.done():
            self._failure.set_result(None)

    async def submit(self, body: bytes, mode: Mode) -> Transaction:
        """See `Engine`."""
        return await self._intake.submit(body, mode)

    @property
    def figures(self) -> EngineFigures:
        """What it has in hand, and what it has done."""
        return self._intake.figures

    def network(self) -> NetworkFigures:
        """Give how it stands among the others."""
        health = self._health
        return NetworkFigures(
            is_following=health.is_following,
            is_degraded=health.is_degraded,
            is_stalled=health.is_stalled,
            height=health.height,
            peer_count=health.peer_count,
            invalid_count=self._invalid_count,
            rejection_count=self._parts.own.added_count,
            outbox_count=len(self._under_way),
            start_count=self._process.start_count,
        )

    def standing(self, transaction_id: str) -> Standing | None:
        """See `Engine`."""
        return self._intake.standing(transaction_id)

    def validators(self) -> ValidatorSet:
        """Give who votes on the next block."""
        ledger = self._parts.ledger
        if not ledger.knows_validators:  # CometBFT tells them at its first start
            return ValidatorSet({})
        return ledger.state.validators_at(self._parts.store.tip().height + 1)

    def elections(self) -> Elections:
        """Give the elections as they stand."""
        ledger = self._parts.ledger
        return ledger.state.elections if ledger.has_begun else Elections()

    # Admission

    def _refusal(self, body_bytes: int) -> EngineError | None:
        if (full := self._parts.room.shortage()) is not None:
            return Overloaded(f"the disk is full: {full}; try again later")
        if not self._health.is_following:
            return Overloaded("the node does not follow its network yet; try again later")
        limits = self._limits
        if len(self._under_way) >= limits.pool_count_max:
            return Overloaded(
                f"limits.pool_count_max = {limits.pool_count_max} transactions are under way; try again later"
            )
        if self._under_way_bytes + body_bytes > limits.pool_bytes_max:
            return Overloaded(f"limits.pool_bytes_max = {limits.pool_bytes_max} bytes are under way; try again later")
        return None

    def _take(self, entry: Entry, transaction: Transaction) -> None:
        """Take over what was put into the pool: what a client posted goes into the outbox first."""
        if entry.mode is None:
            entry.resolve(transaction)
            return
        self._accepted.append((entry, transaction))
        self._note(transaction.id, transaction.body)
        self._outbox_work.set()

    def _note(self, id_: str, body: bytes) -> None:
        """Take a transaction over; the outbox may have it from before, and was perhaps about to drop it."""
        if (before := self._under_way.pop(id_, None)) is not None:
            self._under_way_bytes -= len(before.body)
        self._decided.pop(id_, None)
        self._under_way[id_] = _UnderWay(body, asyncio.get_running_loop().time())
        self._under_way_bytes += len(body)

    def _forget(self, transaction_id: str) -> None:
        """Let a transaction go that was decided, one way or the other."""
        if (found := self._under_way.pop(transaction_id, None)) is not None:
            self._under_way_bytes -= len(found.body)
            self._decided[transaction_id] = None
            if len(self._decided) >= DROP_COUNT:
                self._outbox_work.set()

    async def _admit(self) -> None:
        await self._intake.run()
        self._outbox_work.set()  # what it waited for will not come any more

    async def _readmit(self) -> None:
        """Check again what the last run had accepted and did not see decided."""
        kept = await self._off_loop(self._parts.outbox.all)
        for batch in _batches(kept, self._limits.admission_bytes_max):  # one after the other: parents precede children
            outcomes = await asyncio.gather(*(self._intake.admit(body) for _, body in batch), return_exceptions=True)
            for (id_, body), outcome in zip(batch, outcomes, strict=True):
                if id_ in self._intake.pool:  # from here, or because a client or a peer was faster
                    self._note(id_, body)
                    self._submitter.put(body)
                elif isinstance(outcome, (Transaction, DuplicateTransaction)):
                    self._decided[id_] = None
                elif isinstance(outcome, (InputDoesNotExist, Overloaded)):
                    # Another node had accepted the parent, or decided it while this one was away: CometBFT will bring
                    # the parent, and this one by its submission. Until then the pool does not have it. Likewise where
                    # the pool has become smaller, by another setting: there will be room later.
                    self._note(id_, body)
                    self._submitter.put(body)
                    self._parentless[id_] = 0
                elif isinstance(outcome, ValidationError):
                    self._intake.leave_word(id_, outcome)
                    self._decided[id_] = None
                elif isinstance(outcome, CheckFailed):  # the log has its traceback, and the document
                    self._decided[id_] = None
                elif isinstance(outcome, Stopping):
                    return  # the rest waits for the next start
                else:
                    raise outcome

    async def _readmit_once_begun(self) -> None:
        """Check again what was accepted before the first block, by the validators that CometBFT tells anew."""
        while not self._parts.ledger.has_begun:
            if await self._pause(HEALTH_S):
                return
        await self._readmit()

    # Work beside

    async def _keep_outbox(self) -> None:
        """Write down what was accepted, then answer and submit it; drop what was decided. One fsync for many."""
        while True:
            accepted, self._accepted = self._accepted, []
            if accepted:
                rows = [(one.id, one.body) for _, one in accepted]
                await self._off_loop(self._parts.outbox.put, rows)
                for entry, transaction in accepted:
                    accept(entry, transaction)
                    self._submitter.put(transaction.body)
            if self._is_drop_due or len(self._decided) >= DROP_COUNT:
                # What is dropped late is found to be decided at the next start.
                self._is_drop_due = False
                decided, self._decided = self._decided, {}
                await self._off_loop(self._parts.outbox.drop, decided)
            if not self._accepted:
                if self._intake.has_ended:
                    break
                self._outbox_work.clear()
                await self._outbox_work.wait()
        await self._off_loop(self._parts.outbox.drop, self._decided)

    async def _submit_again(self) -> None:
        while not await self._pause(AGAIN_S):
            now_s = asyncio.get_running_loop().time()
            late = [(id_, one) for id_, one in self._under_way.items() if now_s - one.since_s > AGAIN_S / 2]
            if any(one.again_count >= AGAIN_COUNT_MAX for _, one in late):
                await self._empty_mempool()
                late = list(self._under_way.items())
            for id_, one in late:
                again_count = one.again_count + 1 if one.again_count < AGAIN_COUNT_MAX else 0
                self._under_way[id_] = _UnderWay(one.body, now_s, again_count)
                if not self._submitter.put(one.body):
                    break
            if self._decided:
                self._is_drop_due = True
                self._outbox_work.set()
            if self._health.is_following:
                self._give_up_parentless()

    async def _empty_mempool(self) -> None:
        """Let CometBFT forget what it has sent, so that it sends what is submitted next to all its peers again.

        What other nodes have accepted they submit themselves; the pool, from which this node proposes, keeps all.
        """
        with suppress(CometBftUnavailable):  # it is away, and so is its mempool
            await self._rpc.flush_mempool()

    def _give_up_parentless(self) -> None:
        """Let go of what was accepted before the start and whose parents nobody has brought since."""
        for id_, round_count in list(self._parentless.items()):
            if id_ in self._intake.pool or id_ not in self._under_way:
                del self._parentless[id_]
            elif round_count < PARENTLESS_ROUND_COUNT_MAX:
                self._parentless[id_] = round_count + 1
            else:
                _log.warning(
                    "an accepted transaction is given up: its inputs do not exist, or there was never room for it",
                    extra={"transaction": id_},
                )
                del self._parentless[id_]
                self._forget(id_)

    async def _watch(self) -> None:
        """Look whether CometBFT follows the network, and at the disk."""
        while not await self._pause(HEALTH_S):
            self._parts.room.shortage()
            await self._health.look(len(self._under_way))

    async def _run_process(self) -> None:
        """Keep CometBFT running until the stop, or until something has failed."""
        running = asyncio.create_task(self._process.run())
        try:
            await asyncio.wait({running, self._failure}, return_when=asyncio.FIRST_COMPLETED)
            if not self._failure.done():
                await running  # raises why it gave up
                raise EngineError("CometBFT ended")
            self._failure.result()
        finally:
            await self._process.stop()  # first: it must not meet a server that is gone
            await asyncio.gather(running, return_exceptions=True)

    def _conclude(self, effects: Effects) -> None:
        """Take note of what is durable and tell everybody."""
        self._intake.decided()
        for one in effects.logged:
            if one.event.reason is not None:
                self._invalid_count += 1
                about = {"height": one.event.height, "block": one.event.block_id, "reason": one.event.reason}
                _log.warning("a block was voted invalid", extra=about)
        for transaction in effects.transactions:
            self._forget(transaction.id)
        answer_in_slices(self._intake.committed(effects.transactions, effects.tip.height))
        if effects.powers:
            self._intake.judge_elections()
        if effects.logged:
            self._announce(effects.tip.position)  # E4: it is durable

    def _fail(self, error: BaseException) -> None:
        if not self._failure.done():
            self._failure.set_exception(error if isinstance(error, Exception) else EngineError(repr(error)))

    async def _pause(self, limit_s: float) -> bool:
        """Wait; say whether the engine is to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), limit_s)
        return self._stopping.is_set()

    async def _off_loop(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        done = partial(work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._outbox_thread, done)

    async def _end(self) -> None:
        self.stop()
        await self._server.stop()
        await self._rpc.close()
        self._intake.end()
        self._handlers.close()
        self._outbox_thread.shutdown()


def _batches(kept: Sequence[tuple[str, bytes]], bytes_max: int) -> Iterator[Sequence[tuple[str, bytes]]]:
    """Cut what the outbox holds into pieces of which all may wait to be checked at the same time."""
    start, size = 0, 0
    for end, (_, body) in enumerate(kept):
        size += len(body)
        if end > start and (size > bytes_max or end - start == BATCH_COUNT_MAX):
            yield kept[start:end]
            start, size = end, len(body)
    if kept:
        yield kept[start:]
