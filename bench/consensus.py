"""The time of each call of CometBFT on the node's side, without CometBFT: the handlers over a real store.

One validator's calls in CometBFT's order, blocks of 1,000, no other process at work: the time of the whole process, all
threads, for each transaction. `bench.network` has what CometBFT itself takes beside it.
"""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import closing
from itertools import count
from typing import Final, TypeVar

from bench.documents import Documents
from bench.measure import Scale
from bench.networks import CHAIN_ID
from bench.report import Figure
from bigchaindb.config import Limits
from bigchaindb.engine.admission import answer_in_slices
from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.handlers import LedgerHandlers, Parts
from bigchaindb.engine.cometbft.submitter import BATCH_COUNT_MAX
from bigchaindb.engine.intake import Intake, accept
from bigchaindb.engine.rejected import Rejected
from bigchaindb.engine.room import Room, Usage
from bigchaindb.ledger.bundle import bundle_of, unbundled
from bigchaindb.ledger.network_ledger import NetworkLedger
from bigchaindb.ledger.pool import Pool
from bigchaindb.ledger.proven import Proven
from bigchaindb.ledger.validators import address_of
from bigchaindb.store import Store
from bigchaindb.store.own import Outbox, Rejections
from bigchaindb.transaction.keys import KeyPair, decode_key

BLOCK_SIZE: Final = 1_000
BLOCK_COUNT: Final = 10
STEPS: Final = {
    "check_tx": "CheckTx of another node's bundle: all rules but the block's",
    "recheck": "CheckTx of a bundle again",
    "prepare": "PrepareProposal",
    "process": "ProcessProposal",
    "finalize": "FinalizeBlock",
    "commit": "Commit: one fsync",
}
T = TypeVar("T")
_KEY: Final = KeyPair.from_seed(bytes([1]) * 32)


def calls(scale: Scale) -> list[Figure]:
    """Return the time that each call takes."""
    seconds = asyncio.run(_calls(scale, scale.count(BLOCK_COUNT)))
    transactions = scale.count(BLOCK_COUNT) * BLOCK_SIZE
    return [
        Figure(what=f"node: {STEPS[step]}", value=taken * 1e6 / transactions, unit="µs each")
        for step, taken in seconds.items()
    ]


async def _calls(scale: Scale, block_count: int) -> dict[str, float]:
    seconds = dict.fromkeys(STEPS, 0.0)

    async def timed(step: str, work: Awaitable[T]) -> T:
        begin = time.process_time()
        result = await work
        seconds[step] += time.process_time() - begin
        return result

    with closing(Store(scale.folder / f"calls-{time.monotonic_ns()}")) as store:
        intake, handlers = _application(store)
        admitting = asyncio.create_task(intake.run())
        update = pb.ValidatorUpdate(pub_key=pb.PublicKey(ed25519=decode_key(_KEY.public_key)), power=10)
        await handlers.init_chain(pb.RequestInitChain(chain_id=CHAIN_ID, initial_height=1, validators=[update]))
        documents = Documents()
        for height in range(1, block_count + 1):
            bodies = [body for _, body in documents.lanes(BLOCK_SIZE, 64)]
            pieces = [bodies[begin : begin + BATCH_COUNT_MAX] for begin in range(0, BLOCK_SIZE, BATCH_COUNT_MAX)]
            new = [pb.RequestCheckTx(tx=bundle_of(piece)) for piece in pieces]
            await timed("check_tx", asyncio.gather(*map(handlers.check_tx, new)))
            await timed("recheck", _recheck(handlers, [pb.RequestCheckTx(tx=one.tx, type=pb.RECHECK) for one in new]))
            prepared = await timed(
                "prepare", handlers.prepare_proposal(pb.RequestPrepareProposal(height=height, max_tx_bytes=1 << 22))
            )
            assert len(unbundled(prepared.txs)) == BLOCK_SIZE, len(prepared.txs)
            about = {
                "txs": prepared.txs,
                "hash": height.to_bytes(32, "big"),
                "height": height,
                "time": pb.Timestamp(seconds=1_700_000_000 + height),
                "proposer_address": address_of(decode_key(_KEY.public_key)),
            }
            await timed("process", handlers.process_proposal(pb.RequestProcessProposal(**about)))  # type: ignore[arg-type]
            await timed("finalize", handlers.finalize_block(pb.RequestFinalizeBlock(**about)))  # type: ignore[arg-type]
            await timed("commit", handlers.commit(pb.RequestCommit()))
        assert store.writer.tip().height == block_count
        intake.close()
        await admitting
        intake.end()
        handlers.close()
    return seconds


async def _recheck(handlers: LedgerHandlers, requests: list[pb.RequestCheckTx]) -> None:
    assert all(handlers.check_known(request) is not None for request in requests)


def _application(store: Store) -> tuple[Intake, LedgerHandlers]:
    limits = Limits()
    proven = Proven(count_max=2 * limits.pool_count_max, bytes_max=limits.pool_bytes_max)
    own = Rejections(store.node)
    ledger = NetworkLedger(store.writer, chain_id=CHAIN_ID, key=_KEY, body_bytes_max=1 << 20, proven=proven, own=own)
    room = Room(lambda: Usage(1 << 40, 0), limits, count().__next__)
    parts = Parts(ledger, store.writer, own, Outbox(store.node), room)
    intake = Intake(
        ledger,
        store.writer,
        limits=limits,
        pool=Pool(count_max=limits.pool_count_max, bytes_max=limits.pool_bytes_max),
        refusal=lambda _: None,
        accepted=accept,
        rejected=Rejected(),
        elected=lambda: ledger.state.elected,
    )
    handlers = LedgerHandlers(
        parts,
        chain_id=CHAIN_ID,
        intake=intake,
        committed=lambda effects: answer_in_slices(intake.committed(effects.transactions, effects.tip.height)),
        wake=lambda _: None,
    )
    return intake, handlers
