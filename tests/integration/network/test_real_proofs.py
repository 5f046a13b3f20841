"""A chain of the real CometBFT proves its events with nothing but its genesis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from bigchaindb.engine.cometbft.abci_server import AbciServer
from bigchaindb.engine.cometbft.proof_source import CometBftProofs
from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.errors import CometBftUnavailable
from bigchaindb.ledger.block import event_body
from bigchaindb.ledger.bundle import bundle_of, unbundled
from bigchaindb.ledger.proofs.document import commit_proof
from bigchaindb.ledger.proofs.pieces import network_block
from bigchaindb.ledger.proofs.signed_header import moment
from bigchaindb.ledger.proofs.trusted import read_trust
from bigchaindb.ledger.proofs.verifying import verify
from bigchaindb.ledger.rejections import INTERNAL_MARK
from tests.integration.network.test_abci import CHAIN, Counter, write_home
from tests.support.cometbft import require_cometbft

WITHIN_S = 60
DOCUMENTS = [b'{"n":%d}' % number for number in range(6)]
CARRIED = [b"\0internal", *DOCUMENTS[:2], bundle_of(DOCUMENTS[2:5]), DOCUMENTS[5]]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Path]:
    """A chain of one validator, with an application that takes every transaction."""
    home = tmp_path / "home"
    write_home(home)
    failures = list[BaseException]()
    server = AbciServer(home / "abci.sock", Counter(), failures.append)
    await server.start()
    process = await asyncio.create_subprocess_exec(
        *(require_cometbft(), "start", "--home", home), stdout=asyncio.subprocess.DEVNULL
    )
    yield home
    process.terminate()
    await process.wait()
    await server.stop()
    assert not failures


async def height_with_transactions(rpc: CometBftRpc) -> int:
    """Submit transactions; return the height of the first block that holds some."""
    submitted = False
    while True:
        with suppress(CometBftUnavailable):
            if not submitted:
                assert await rpc.broadcast_many(CARRIED) == [None] * len(CARRIED)
                submitted = True
            for height in range(1, (await rpc.status()).sync.height + 1):
                if (await rpc.block(height)).block.data.transactions:
                    return height
        await asyncio.sleep(0.05)


async def test_a_commit_proves_an_event(home: Path) -> None:
    rpc = CometBftRpc(home / "rpc.sock")
    height = await asyncio.wait_for(height_with_transactions(rpc), WITHIN_S)
    source = CometBftProofs(rpc, CHAIN)
    signed, transactions = await source.header_and_commit(height), await source.transactions(height)
    validators = await source.validators(height)
    await rpc.close()
    header, shown = signed.header, [one for one in unbundled(transactions) if not one.startswith(INTERNAL_MARK)]
    block = network_block(
        height, moment(header.time).seconds, bytes.fromhex(header.proposer_address), validators, shown
    )
    trust = read_trust((home / "config/genesis.json").read_bytes())
    verified = verify(commit_proof(event_body(block), signed, validators, transactions), trust)
    assert (verified.chain_id, verified.power, verified.total) == (CHAIN, 10, 10)
    assert list(transactions) == CARRIED[: len(transactions)]  # the rest may be in the next block
    assert list(verified.block.transactions) == DOCUMENTS[: len(shown)]
    assert verified.kind == ("commit-2" if CARRIED[3] in transactions else "commit")
