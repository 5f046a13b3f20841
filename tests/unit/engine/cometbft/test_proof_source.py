"""From the answers of the real program to a proof that holds."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from bigchaindb.engine.cometbft.proof_source import CometBftProofs
from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.ledger.block import event_body
from bigchaindb.ledger.ports import ProofSource
from bigchaindb.ledger.proofs.document import commit_proof
from bigchaindb.ledger.proofs.pieces import Trust, network_block
from bigchaindb.ledger.proofs.signed_header import moment
from bigchaindb.ledger.proofs.verifying import verify
from bigchaindb.ledger.rejections import INTERNAL_MARK

VECTORS: Final = Path(__file__).parents[3] / "vectors/data/cometbft_0_38.json"
BLOCKS: Final = {b["signed_header"]["header"]["height"]: b for b in json.loads(VECTORS.read_bytes())["blocks"]}


def answer(method: str, block: Any) -> Any:
    """Return the answer of the real program, as far as the vectors hold it."""
    signed = block["signed_header"]
    return {
        "commit": {"signed_header": signed, "canonical": True},
        "block": {
            "block_id": signed["commit"]["block_id"],
            "block": {"header": signed["header"], "data": {"txs": block["txs"]}},
        },
        "validators": {"block_height": "1", "validators": block["validators"], "count": "4", "total": "4"},
    }[method]


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[ProofSource]:
    async def handle(request: web.Request) -> web.Response:
        asked = json.loads(await request.text())
        result = answer(asked["method"], BLOCKS[asked["params"]["height"]])
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": result})

    application = web.Application()
    application.router.add_post("/", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "rpc.sock")).start()
    rpc = CometBftRpc(tmp_path / "rpc.sock", answer_s_max=5)
    yield CometBftProofs(rpc, "vector-chain")
    await rpc.close()
    await runner.cleanup()


async def test_what_cometbft_answers_proves_an_event(source: ProofSource) -> None:
    height = 5
    signed, transactions = await source.header_and_commit(height), await source.transactions(height)
    validators = await source.validators(height)
    header = signed.header
    shown = [one for one in transactions if not one.startswith(INTERNAL_MARK)]
    block = network_block(
        height, moment(header.time).seconds, bytes.fromhex(header.proposer_address), validators, shown
    )
    document = commit_proof(event_body(block), signed, validators, transactions)
    verified = verify(document, Trust(validators=validators, chain_id=source.chain_id))
    assert verified.block == block
    assert (verified.power, verified.total) == (24, 27)
