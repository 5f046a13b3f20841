"""Turns CometBFT's requests into calls of the ledger, and the ledger's results into answers.

All that touches the ledger runs in one thread, the writer; documents are checked beforehand in processes. A
decided block is staged by `finalize_block` and made durable by `commit`; a block that was staged before is dropped, so
that a CometBFT that died in between may send it again.

Source: docs/explanation/network.md; CometBFT v0.38, its specification of ABCI 2.0.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.mempool import Mempool
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.engine.cometbft.wake import Wake
from bigchaindb.engine.intake import Intake
from bigchaindb.engine.room import Room
from bigchaindb.errors import EngineError, ImproperVoteError
from bigchaindb.ledger.bundle import unbundled
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.network_ledger import NetworkLedger, NetworkVerdict, Proposal
from bigchaindb.ledger.ports import NetworkStore
from bigchaindb.ledger.rejections import (
    BLOCK_COUNT_MAX,
    BODY_COUNT_MAX,
    CARRY_HEIGHTS,
    INTERNAL_MARK,
    Rejection,
    SignedExtension,
)
from bigchaindb.ledger.validating import ParseResult
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.store.own import Outbox, Rejections

T = TypeVar("T")
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that the engine of a network works on.

    Attributes:
        ledger: the application.
        store: the ledger's own.
        own: this node's verdicts.
        outbox: transactions that this node has accepted from its clients.
        room: on the ledger's disk.
        recorded: called on the loop with the last durable position of the log of rejected transactions.
    """

    ledger: NetworkLedger
    store: NetworkStore
    own: Rejections
    outbox: Outbox
    room: Room
    recorded: Callable[[int], None] = lambda _: None


class Observers(NamedTuple):
    """Callbacks for what a decided block shows of validators; one block may come twice.

    Attributes:
        decided: called on the loop with the request, which has the commit of the block before.
        proven: called on the writer's thread with the misbehavior that the block proves, and its height.
    """

    decided: Callable[[pb.RequestFinalizeBlock], None]
    proven: Callable[[Sequence[pb.Misbehavior], int], None]


class LedgerHandlers:
    """Implements `bigchaindb.engine.cometbft.abci_server.Handlers`. Belongs to the event loop."""

    def __init__(
        self,
        parts: Parts,
        *,
        chain_id: str,
        intake: Intake,
        committed: Callable[[Effects], None],
        wake: Callable[[bytes], object],
        is_own: Callable[[bytes], bool] = lambda _: False,
        is_sole: Callable[[], bool] = lambda: False,
        observed: Observers | None = None,
    ) -> None:
        """Answer for one node.

        Args:
            parts: what the engine works on.
            chain_id: that the network must have.
            intake: whose pool is proposed.
            committed: called on the loop with what has become durable.
            wake: submits a transaction of the network's own.
            is_own: whether this node has submitted a bundle.
            is_sole: whether this node is the only validator.
            observed: callbacks for what decided blocks show of validators.
        """
        self._ledger = parts.ledger
        self._store = parts.store
        self._own = parts.own
        self._chain_id = chain_id
        self._intake = intake
        self._observed = Observers(lambda _: None, lambda *_: None) if observed is None else observed
        self._committed = committed
        self._wake = Wake(wake, pool=intake.pool, has_fresh=parts.ledger.has_fresh, is_sole=is_sole)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._verdict: NetworkVerdict | None = None
        self._staged: Effects | None = None
        self._mempool = Mempool(intake, wakes=self._wake.holds, is_own=is_own)

    def close(self) -> None:
        """End the writer, once what it does is done."""
        self._writer.shutdown()

    # Start

    async def info(self, request: pb.RequestInfo) -> pb.ResponseInfo:
        """See `Handlers`."""
        self._mempool.started()
        tip = self._store.tip()
        has_begun = self._ledger.has_begun
        _log.info("CometBFT is there", extra={"version": request.version, "height": tip.height})
        return pb.ResponseInfo(
            app_version=RULES_VERSION,
            last_block_height=tip.height if has_begun else 0,
            last_block_app_hash=tip.app_hash if has_begun else b"",
        )

    async def init_chain(self, request: pb.RequestInitChain) -> pb.ResponseInitChain:
        """See `Handlers`."""
        tip = self._store.tip()
        if request.chain_id != self._chain_id:
            raise EngineError(f"genesis.json is of chain {request.chain_id!r}, and this ledger is {self._chain_id!r}")
        if request.initial_height != tip.height + 1:
            raise EngineError(f"genesis.json begins at {request.initial_height}, and this ledger ends at {tip.height}")
        validators = ValidatorSet.of((one.pub_key.ed25519, one.power) for one in request.validators)
        self._ledger.begin(validators, request.initial_height)
        return pb.ResponseInitChain(app_hash=tip.app_hash)

    # Mempool

    def check_known(self, request: pb.RequestCheckTx) -> pb.ResponseCheckTx | None:
        """See `Handlers`."""
        return self._mempool.check_known(request)

    async def check_tx(self, request: pb.RequestCheckTx) -> pb.ResponseCheckTx:
        """See `Handlers`."""
        return await self._mempool.check(request)

    def wake(self) -> bool:
        """Make CometBFT begin blocks until the pool is empty; return False, and do nothing, if others propose too."""
        return self._wake.for_pool()

    # Consensus

    async def prepare_proposal(self, request: pb.RequestPrepareProposal) -> pb.ResponsePrepareProposal:
        """See `Handlers`."""
        pool, bytes_max = self._intake.pool, request.max_tx_bytes
        # One dear transaction a block, and in front: at the end a full block would leave it out for ever.
        others = pool.candidates(count_max=BLOCK_COUNT_MAX, bytes_max=bytes_max)
        candidates = [*pool.first_dear(bytes_max=bytes_max), *others]
        self._intake.proposed = frozenset(one.id for one in candidates)
        last = request.local_last_commit
        evidence = [
            SignedExtension(
                validator=vote.validator.address.hex(),
                round=last.round,
                extension=vote.vote_extension,
                signature=vote.extension_signature,
            )
            for vote in last.votes
            if vote.block_id_flag == pb.BLOCK_ID_FLAG_COMMIT and vote.vote_extension
        ]
        bodies = [one.body for one in candidates]
        selection = await self._write(lambda: self._ledger.propose(bodies, evidence, bytes_max=bytes_max))
        for index, error in selection.rejected:
            self._intake.turn_away(candidates[index].id, error)
        return pb.ResponsePrepareProposal(txs=selection.transactions)

    async def process_proposal(self, request: pb.RequestProcessProposal) -> pb.ResponseProcessProposal:
        """See `Handlers`."""
        accept, reject = pb.ResponseProcessProposal.ACCEPT, pb.ResponseProcessProposal.REJECT
        if self._own.of(request.height, request.hash) is not None:
            return pb.ResponseProcessProposal(status=reject)
        self._verdict = verdict = await self._judge(_proposal(request))
        if verdict.fault is None:
            return pb.ResponseProcessProposal(status=accept)
        rejection = await self._write(lambda: self._keep(verdict))  # durable before it is reported
        about = {"height": rejection.height, "proposer": rejection.proposer, "reason": rejection.reason}
        _log.warning("voted against a proposal", extra=about)
        return pb.ResponseProcessProposal(status=reject)

    async def extend_vote(self, _: pb.RequestExtendVote) -> pb.ResponseExtendVote:
        """See `Handlers`."""
        return pb.ResponseExtendVote(vote_extension=self._ledger.attest())

    async def verify_vote_extension(self, request: pb.RequestVerifyVoteExtension) -> pb.ResponseVerifyVoteExtension:
        """See `Handlers`."""
        try:
            self._ledger.check_attestation(request.vote_extension)
        except ImproperVoteError as error:
            about = {"validator": request.validator_address.hex(), "height": request.height, "error": str(error)}
            _log.warning("a validator's vote extension is none", extra=about)
            return pb.ResponseVerifyVoteExtension(status=pb.ResponseVerifyVoteExtension.REJECT)
        return pb.ResponseVerifyVoteExtension(status=pb.ResponseVerifyVoteExtension.ACCEPT)

    async def finalize_block(self, request: pb.RequestFinalizeBlock) -> pb.ResponseFinalizeBlock:
        """See `Handlers`.

        Raises:
            EngineError: the network decided what this node's rules forbid: it must not go on.
        """
        self._staged = None
        proposal = _proposal(request)
        where = f"block {request.hash.hex()} of height {request.height}"
        if (rejected := self._own.of(request.height, request.hash)) is not None:
            raise EngineError(f"the network decided {where}, which this node rejected: {rejected.reason}")
        verdict = self._verdict
        if verdict is None or verdict.proposal != proposal:
            verdict = await self._judge(proposal)
        if verdict.fault is not None:
            raise EngineError(f"the network decided {where}, which breaks a rule: {verdict.fault.reason}")
        self._staged = effects = await self._write(lambda: self._finalize(verdict, request))
        self._observed.decided(request)
        return pb.ResponseFinalizeBlock(
            tx_results=[pb.ExecTxResult() for _ in request.txs],
            validator_updates=[
                pb.ValidatorUpdate(pub_key=pb.PublicKey(ed25519=key), power=power)
                for key, power in sorted(effects.powers.items())
            ],
            app_hash=effects.tip.app_hash,
        )

    async def commit(self, _: pb.RequestCommit) -> pb.ResponseCommit:
        """See `Handlers`."""
        effects, self._staged, self._verdict = self._staged, None, None
        assert effects is not None, "a commit without a block"
        await self._write(lambda: self._ledger.commit(effects))
        self._intake.proposed = frozenset()
        self._mempool.committed()
        self._committed(effects)
        self._wake.for_rejections()
        self._writer.submit(self._tidy, effects.tip.height)
        return pb.ResponseCommit()

    def _tidy(self, height: int) -> None:
        """Tidy up after a block was announced, in pieces: the next call of CometBFT waits for one of them."""
        try:
            self._own.forget(height - CARRY_HEIGHTS)
            if self._store.tidy():
                with suppress(RuntimeError):  # the writer ends: the rest is due after the next start as well
                    self._writer.submit(self._tidy, height)
        except Exception:  # noqa: BLE001 - nothing is lost: the next commit meets the same disk, and reports it
            _log.exception("the store was not tidied")

    def _finalize(self, verdict: NetworkVerdict, request: pb.RequestFinalizeBlock) -> Effects:
        self._observed.proven(request.misbehavior, request.height)
        return self._ledger.finalize(verdict)

    def _keep(self, verdict: NetworkVerdict) -> Rejection:
        rejection = verdict.rejection
        self._own.add(rejection, verdict.proposal.transactions)
        return rejection

    async def _judge(self, proposal: Proposal) -> NetworkVerdict:
        bodies = proposal.transactions
        known: Mapping[bytes, ParseResult] = {}
        if len(bodies) <= BODY_COUNT_MAX:  # more are rejected unread: a million empty ones would take half a minute
            # A document that cannot be checked ends the engine here, as a crash would: it is no reason for a vote.
            known = await self._intake.judge([tx for tx in bodies if not tx.startswith(INTERNAL_MARK)])
        return await self._write(lambda: self._ledger.accepts(proposal, known))

    async def _write(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, work)


def _proposal(request: pb.RequestProcessProposal | pb.RequestFinalizeBlock) -> Proposal:
    transactions = unbundled(request.txs)
    return Proposal(request.height, request.hash, request.time.seconds, request.proposer_address, transactions)
