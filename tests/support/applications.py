"""The application of a network, as CometBFT asks it: its handlers over the real store."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bigchaindb.config import Limits
from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.handlers import LedgerHandlers, Parts
from bigchaindb.engine.intake import Intake, accept
from bigchaindb.engine.rejected import Rejected
from bigchaindb.engine.room import Room, Usage
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.network_ledger import NetworkLedger
from bigchaindb.ledger.pool import Pool
from bigchaindb.ledger.proven import Proven
from bigchaindb.store import Store
from bigchaindb.store.own import Outbox, Rejections
from tests.support.networks import CHAIN, KEYS, TIME, address, raw

ACCEPT, REJECT = pb.ResponseProcessProposal.ACCEPT, pb.ResponseProcessProposal.REJECT
BLOCK_BYTES = 4_000_000


@dataclass
class Application:
    """The handlers of the first of four validators, and what they told the engine."""

    store: Store
    pool_count_max: int = 100
    committed: list[Effects] = field(default_factory=list)
    woken: list[bytes] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        limits = Limits()
        proven = Proven(count_max=100, bytes_max=1_000_000)
        self.own = Rejections(self.store.node)
        self.ledger = NetworkLedger(
            self.store.writer, chain_id=CHAIN, key=KEYS[0], body_bytes_max=1_000_000, proven=proven, own=self.own
        )
        room = Room(lambda: Usage(1 << 40, 0), limits, itertools.count().__next__)
        parts = Parts(self.ledger, self.store.writer, self.own, Outbox(self.store.node), room)
        self.intake = Intake(
            self.ledger,
            self.store.writer,
            limits=limits,
            pool=Pool(count_max=self.pool_count_max, bytes_max=1_000_000),
            refusal=lambda _: None,
            accepted=accept,
            rejected=Rejected(),
            elected=lambda: self.ledger.state.elected,
        )
        self.handlers = LedgerHandlers(
            parts,
            chain_id=CHAIN,
            intake=self.intake,
            committed=self._note,
            wake=self.woken.append,
            is_own=self.sent.__contains__,
        )
        self.admitting = asyncio.create_task(self.intake.run())

    def _note(self, effects: Effects) -> None:
        self.committed.append(effects)
        self.intake.committed(effects.transactions, effects.tip.height)

    async def close(self) -> None:
        self.intake.close()
        await self.admitting
        self.intake.end()
        self.handlers.close()

    async def begin(self) -> pb.ResponseInitChain:
        return await self.handlers.init_chain(init_chain())

    async def check(self, tx: bytes, *, again: bool = False) -> pb.ResponseCheckTx:
        request = pb.RequestCheckTx(tx=tx, type=pb.RECHECK if again else pb.NEW)
        known = self.handlers.check_known(request)
        return await self.handlers.check_tx(request) if known is None else known

    async def until_checked(self) -> None:
        await asyncio.gather(*self.handlers._mempool._late.values())

    async def judge(self, *txs: bytes, name: str = "block", time: int = TIME) -> int:
        about = request_of(self.store.writer.tip().height + 1, txs, name, time)
        answer = await self.handlers.process_proposal(pb.RequestProcessProposal(**about))
        return answer.status

    async def decide(self, *txs: bytes, name: str = "block", time: int = TIME) -> pb.ResponseFinalizeBlock:
        about = request_of(self.store.writer.tip().height + 1, txs, name, time)
        answer = await self.handlers.finalize_block(pb.RequestFinalizeBlock(**about))
        await self.handlers.commit(pb.RequestCommit())
        return answer

    def propose(self, votes: Sequence[pb.ExtendedVoteInfo] = ()) -> pb.RequestPrepareProposal:
        last = pb.ExtendedCommitInfo(round=0, votes=votes)
        return pb.RequestPrepareProposal(
            max_tx_bytes=BLOCK_BYTES, height=self.store.writer.tip().height + 1, local_last_commit=last
        )


def request_of(height: int, txs: Sequence[bytes], name: str, time: int) -> dict[str, Any]:
    return {
        "height": height,
        "txs": txs,
        "hash": name.encode().ljust(32, b"."),
        "time": pb.Timestamp(seconds=time, nanos=5),
        "proposer_address": bytes.fromhex(address(KEYS[1])),
    }


def init_chain(chain_id: str = CHAIN, initial_height: int = 1) -> pb.RequestInitChain:
    validators = [pb.ValidatorUpdate(pub_key=pb.PublicKey(ed25519=raw(key)), power=10) for key in KEYS[:4]]
    return pb.RequestInitChain(chain_id=chain_id, initial_height=initial_height, validators=validators)
