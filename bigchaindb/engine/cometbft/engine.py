"""The engine of a network: CometBFT orders, this node's ledger judges, and accepted transactions are not forgotten.

A transaction is checked against the ledger and the pool, written into the outbox, and handed to CometBFT, which carries
it to the other nodes. It leaves the outbox when a block shows it or a rule turns it away; until then it is submitted
again and again, for a mempool is memory and drops silently.

Source: docs/explanation/network.md.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final, ParamSpec, Protocol, TypeVar

from bigchaindb.config import Limits
from bigchaindb.engine.admission import Entry, answer_in_slices
from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.abci_server import AbciServer
from bigchaindb.engine.cometbft.accepted import Accepted
from bigchaindb.engine.cometbft.files import POOL_FACTOR
from bigchaindb.engine.cometbft.handlers import LedgerHandlers, Observers, Parts
from bigchaindb.engine.cometbft.health import Health
from bigchaindb.engine.cometbft.misbehavior import Misbehaviors
from bigchaindb.engine.cometbft.own import Own
from bigchaindb.engine.cometbft.participation import Participation
from bigchaindb.engine.cometbft.probation import Probation
from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.engine.cometbft.rpc_answers import ConsensusState, NetInfo
from bigchaindb.engine.cometbft.submitter import Submitter
from bigchaindb.engine.engine import Announce, EngineFigures, Mode, NetworkFigures, Standing
from bigchaindb.engine.failures import first_of
from bigchaindb.engine.intake import Intake
from bigchaindb.errors import CometBftUnavailable, EngineError, Overloaded, StoreDamaged
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.elections import Elections
from bigchaindb.ledger.pool import Pool
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction.keys import decode_key
from bigchaindb.transaction.model import Transaction

AGAIN_S: Final = 5.0
"""Time between two rounds in which undecided transactions are submitted again, unless they have just come."""
HEALTH_S: Final = 0.5
"""Time between two status requests to CometBFT."""
START_BYTES_MIN: Final = 32 * 1024 * 1024
"""Free bytes without which CometBFT is not started: it ends where it finds no room, and a node with it."""
DIAL_S: Final = 60.0
"""Time between two calls of all peers. By itself CometBFT waits up to 16 hours before it calls again one that was away
for long, gives it up after a day, and never calls one whose name was not known when it started."""

P = ParamSpec("P")
T = TypeVar("T")
_log: Final = logging.getLogger(__name__)


class Process(Protocol):
    """CometBFT as a child of this process.

    Attributes:
        start_count: how often it was started.
    """

    start_count: int

    async def run(self) -> None:
        """Keep it running until `stop`.

        Raises:
            EngineError: it cannot be kept running; the message has the reason.
        """
        ...

    async def restart(self) -> None:
        """End it; `run` starts it anew."""
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
        announce: Announce,
        rpc: CometBftRpc,
        serve: Callable[[LedgerHandlers, Callable[[BaseException], None]], AbciServer],
        process: Process,
        own: Own,
        workers: int | None = None,
    ) -> None:
        """Make the engine of one node.

        Args:
            parts: what it works on.
            chain_id: of the network.
            limits: of admission and waiters; those of the pool bound what this node's clients have under way.
            announce: called with the effects of each commit that logs something.
            rpc: of CometBFT.
            serve: makes the server that CometBFT connects to, from its handlers and a callback for its failure.
            process: CometBFT itself.
            own: who this node is.
            workers: see `bigchaindb.engine.checks.process_count`.
        """
        self._parts = parts
        self._announce = announce
        self._rpc = rpc
        self._process = process
        self._own = own
        self._submitter = Submitter(rpc.broadcast_many, bundle_bytes_max=own.sizes.transaction_bytes_max)
        self._accepted = Accepted(parts.outbox, self._submitter, parts.recorded, limits, rpc.flush_mempool)
        self._participation = Participation(self.validators, self._validators_at, own=own.address, peers=own.peers)
        self._misbehaviors = Misbehaviors(own.layout, own.address, self._validators_at)
        self._probation = Probation(own.layout, own.key, own.address, is_held=own.is_held)
        self._health = Health(rpc, asyncio.get_running_loop().time, self._compared)
        self._health.is_held = own.is_held
        self._invalid_count = 0
        self._intake = self._make_intake(limits, workers)
        self._handlers = LedgerHandlers(
            parts,
            chain_id=chain_id,
            intake=self._intake,
            observed=Observers(self._decided, self._misbehaviors.take),
            committed=self._conclude,
            wake=self._submitter.put,
            is_own=self._submitter.has_sent,
            is_sole=lambda: self.validators().powers.keys() == {decode_key(own.key.public_key)},
        )
        self._damage: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._server = serve(self._handlers, self._fail)
        self._stopping = asyncio.Event()

    def _make_intake(self, limits: Limits, workers: int | None) -> Intake:
        parts = self._parts
        return Intake(
            parts.ledger,
            parts.store,
            limits=limits,
            pool=Pool(count_max=POOL_FACTOR * limits.pool_count_max, bytes_max=POOL_FACTOR * limits.pool_bytes_max),
            refusal=self._refusal,
            accepted=self._take,
            rejected=self._accepted.rejected,
            elected=lambda: parts.ledger.state.elected,
            workers=workers,
        )

    async def run(self) -> None:
        """See `Engine`. Accepted transactions that are undecided wait in the outbox for the next start.

        Raises:
            EngineError: CometBFT or the ledger failed; the message has the cause.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._admit())
                has_begun = self._parts.ledger.has_begun
                if has_begun:
                    await self._accepted.readmit(self._intake)
                await self._server.start()
                tasks.create_task(self._accepted.keep(self._intake, self._handlers.wake))
                for work in (self._submitter.run, self._submit_again, self._watch, self._dial):
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

    def damaged(self, _: StoreDamaged) -> None:
        """End CometBFT and vote no more: nothing that depends on damaged rows can be trusted."""
        if not self._damage.done():
            self._damage.set_result(None)

    async def submit(self, body: bytes, mode: Mode) -> Transaction:
        """See `Engine`."""
        return await self._intake.submit(body, mode)

    @property
    def figures(self) -> EngineFigures:
        """What it has in hand, and what it has done."""
        return self._intake.figures

    def network(self) -> NetworkFigures:
        """Return the figures of this node and of the validators that it sees."""
        health = self._health
        return NetworkFigures(
            is_following=health.is_following,
            is_degraded=health.is_degraded,
            is_stalled=health.is_stalled,
            height=health.height,
            peer_count=health.peer_count,
            invalid_count=self._invalid_count,
            rejection_count=self._parts.own.added_count,
            outbox_count=self._accepted.count,
            start_count=self._process.start_count,
            round=health.round,
            own_key=self._own.key.public_key,
            validators=self._participation.figures(),
            misbehaviors=self._misbehaviors.all,
        )

    def standing(self, transaction_id: str) -> Standing | None:
        """See `Engine`."""
        return self._intake.standing(transaction_id)

    def validators(self) -> ValidatorSet:
        """Return the validators of the next block."""
        return self._validators_at(self._parts.store.tip().height + 1)

    def _validators_at(self, height: int) -> ValidatorSet:
        ledger = self._parts.ledger  # CometBFT names them at its first start
        return ledger.state.validators_at(height) if ledger.knows_validators else ValidatorSet({})

    def elections(self) -> Elections:
        """Return the current state of the elections."""
        ledger = self._parts.ledger
        return ledger.state.elections if ledger.has_begun else Elections()

    # Admission

    def _refusal(self, body: bytes) -> EngineError | None:
        if self._damage.done():
            return Overloaded("the node's ledger is damaged and it decides nothing; ask another node")
        if (full := self._parts.room.shortage()) is not None:
            return Overloaded(f"the disk is full: {full}; try again later")
        if not self._health.is_following:
            return Overloaded("the node does not follow its network yet; try again later")
        return self._accepted.refusal(len(body))

    def _take(self, entry: Entry, transaction: Transaction) -> None:
        """Take over a transaction of the pool: one that a client posted goes into the outbox first."""
        if entry.mode is None:
            entry.resolve(transaction)
        else:
            self._accepted.take(entry, transaction)

    async def _admit(self) -> None:
        await self._intake.run()
        self._accepted.wake()

    async def _readmit_once_begun(self) -> None:
        """Check again what was accepted before the first block, by the validators that CometBFT then names."""
        while not self._parts.ledger.has_begun:
            if await self._pause(HEALTH_S):
                return
        await self._accepted.readmit(self._intake)

    # Work beside

    async def _submit_again(self) -> None:
        while not await self._pause(AGAIN_S):
            await self._accepted.submit_again(self._intake, older_s=AGAIN_S / 2, is_following=self._health.is_following)

    async def _watch(self) -> None:
        """Watch the disk, and whether CometBFT follows the network."""
        while not await self._pause(HEALTH_S):
            self._parts.room.shortage()
            await self._health.update(self._accepted.count)
            if self._health.is_held and self._health.has_caught_up:
                await self._end_probation()
            if self._health.is_following:
                await self._participation.recall(self._rpc, self._health.height)

    async def _end_probation(self) -> None:
        """Allow this node's key to vote, if the chain shows that it did not before."""
        height, validators = self._health.height, self.validators()
        connected = sum(one.power for one in self._participation.figures() if one.connected)
        can_begin = validators.is_decisive(connected) and connected > validators.power_of(self._own.address)
        now_s = asyncio.get_running_loop().time()
        if self._probation.has_seen_head(height, can_begin=can_begin, now_s=now_s):
            with suppress(CometBftUnavailable):  # it is asked again
                await self._probation.conclude(self._rpc, height, validators, self._process.restart)
        self._health.is_held = self._probation.is_held

    async def _dial(self) -> None:
        """Make CometBFT dial missing peers, so that a network resumes soon, even after a partition of hours."""
        while not await self._pause(DIAL_S):
            if self._own.peers:
                with suppress(CometBftUnavailable):  # it calls them all when it starts
                    await self._rpc.dial_peers(self._own.peers)

    async def _run_process(self) -> None:
        """Keep CometBFT running until the stop, or until something has failed."""
        if self._damage.done():  # found by an earlier run: not one vote more
            await self._serve_reads()
            return
        running = asyncio.create_task(self._start_process())
        try:
            await asyncio.wait({running, self._failure, self._damage}, return_when=asyncio.FIRST_COMPLETED)
            if self._damage.done() and not self._failure.done():
                await self._serve_reads()
            if not self._failure.done():
                await running  # raises why it gave up
                raise EngineError("CometBFT ended")
            self._failure.result()
        finally:
            await self._process.stop()  # first: it must not meet a server that is gone
            await asyncio.gather(running, return_exceptions=True)

    def _decided(self, request: pb.RequestFinalizeBlock) -> None:
        self._probation.decided(request)
        self._participation.decided(request)

    def _compared(self, consensus: ConsensusState, net: NetInfo) -> None:
        health = self._health
        now_s = asyncio.get_running_loop().time()
        self._participation.observe(consensus, net, height=health.height, is_following=health.is_following, now_s=now_s)

    async def _start_process(self) -> None:
        """Run CometBFT once the disk has room for its start; until then the node serves reads."""
        if (short := self._parts.room.shortage(START_BYTES_MIN)) is not None:
            _log.error("the disk is full, CometBFT waits for room to start", extra={"error": str(short)})
        while self._parts.room.shortage(START_BYTES_MIN) is not None:
            if await self._pause(HEALTH_S):
                return
        await self._process.run()

    async def _serve_reads(self) -> None:
        """Wait for the stop without CometBFT: others see a validator that does not sign."""
        _log.critical("CometBFT is ended, since what is stored is damaged; reads are served until a person restores it")
        await self._process.stop()
        await asyncio.wait({self._failure})

    def _conclude(self, effects: Effects) -> None:
        """Take note of a durable decision and announce it."""
        self._intake.decided()
        for one in effects.logged:
            if one.event.reason is not None:
                self._invalid_count += 1
                about = {"height": one.event.height, "block": one.event.block_id, "reason": one.event.reason}
                _log.warning("a block was voted invalid", extra=about)
        for transaction in effects.transactions:
            self._accepted.forget(transaction.id)
        answer_in_slices(self._intake.committed(effects.transactions, effects.tip.height))
        self._accepted.count_max = self._own.sizes.admitted_count(len(self.validators().powers))
        if effects.powers:
            self._intake.revalidate_elections()
        if effects.logged:
            self._announce(effects)  # E4: it is durable

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, StoreDamaged):
            self.damaged(error)
            return
        if self._damage.done():  # what the end of CometBFT leaves undone
            return
        if not self._failure.done():
            self._failure.set_exception(error if isinstance(error, Exception) else EngineError(repr(error)))

    async def _pause(self, limit_s: float) -> bool:
        """Wait; return whether the engine is to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), limit_s)
        return self._stopping.is_set()

    async def _end(self) -> None:
        self.stop()
        await self._server.stop()
        await self._rpc.close()
        self._intake.end()
        self._handlers.close()
        self._accepted.end()
