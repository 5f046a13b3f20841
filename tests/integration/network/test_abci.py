"""The real CometBFT orders transactions through our server, our client and our submitter, and dies without harm."""

import asyncio
import base64
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.abci_server import AbciServer
from bigchaindb.engine.cometbft.genesis import KEY_TYPE
from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.engine.cometbft.submitter import Submitter
from bigchaindb.errors import CometBftUnavailable, StoreFull
from bigchaindb.ledger.validators import address_of
from tests.support.cometbft import require_cometbft

WITHIN_S = 60
CHAIN = "test-chain"
KEY = SigningKey(bytes(range(32)))
PUBLIC = bytes(KEY.verify_key)
CONFIG = """\
proxy_app = "unix://{home}/abci.sock"
moniker = "one"
[rpc]
laddr = "unix://{home}/rpc.sock"
max_request_batch_size = 0
max_body_bytes = 8000000
[p2p]
laddr = "tcp://127.0.0.1:0"
pex = false
[mempool]
size = 100000
[consensus]
timeout_commit = "10ms"
skip_timeout_commit = true
create_empty_blocks = false
[tx_index]
indexer = "null"
"""


def base64_of(value: bytes) -> str:
    return base64.b64encode(value).decode()


def write_home(home: Path) -> None:
    """Write what CometBFT needs to be the only validator of a chain."""
    key = {"type": KEY_TYPE, "value": base64_of(PUBLIC)}
    secret = {"type": "tendermint/PrivKeyEd25519", "value": base64_of(bytes(KEY) + PUBLIC)}
    address = address_of(PUBLIC).hex().upper()
    documents = {
        "config/node_key.json": {"priv_key": secret},
        "config/priv_validator_key.json": {"address": address, "pub_key": key, "priv_key": secret},
        "data/priv_validator_state.json": {"height": "0", "round": 0, "step": 0},
        "config/genesis.json": {
            "genesis_time": "2026-01-01T00:00:00Z",
            "chain_id": CHAIN,
            "initial_height": "1",
            "consensus_params": {
                "block": {"max_bytes": "4194304", "max_gas": "-1"},
                "evidence": {"max_age_num_blocks": "100", "max_age_duration": "3600000000000", "max_bytes": "65536"},
                "validator": {"pub_key_types": ["ed25519"]},
                "version": {"app": "1"},
                "abci": {"vote_extensions_enable_height": "1"},
            },
            "validators": [{"address": address, "pub_key": key, "power": "10", "name": ""}],
            "app_hash": "",
        },
    }
    for folder in ("config", "data"):
        (home / folder).mkdir(parents=True)
    for name, document in documents.items():
        (home / name).write_text(json.dumps(document))
    (home / "config/config.toml").write_text(CONFIG.format(home=home))


@dataclass
class Counter:
    """Counts transactions: its hash is their number. Signs the height with each vote."""

    height: int = 0
    committed: list[bytes] = field(default_factory=list)
    staged: list[bytes] = field(default_factory=list)
    staged_height: int = 0
    asked: list[str] = field(default_factory=list)
    extensions: list[bytes] = field(default_factory=list)
    genesis: pb.RequestInitChain | None = None
    error: Exception | None = None

    @staticmethod
    def hash_of(count: int) -> bytes:
        return count.to_bytes(8, "big")

    async def info(self, request: pb.RequestInfo) -> pb.ResponseInfo:
        self.asked.append(f"info {request.abci_version}")
        return pb.ResponseInfo(
            app_version=1,
            last_block_height=self.height,
            last_block_app_hash=self.hash_of(len(self.committed)) if self.height else b"",
        )

    async def init_chain(self, request: pb.RequestInitChain) -> pb.ResponseInitChain:
        self.genesis = request
        return pb.ResponseInitChain(app_hash=self.hash_of(0))

    def check_known(self, request: pb.RequestCheckTx) -> pb.ResponseCheckTx | None:
        return pb.ResponseCheckTx(code=1) if request.tx in self.committed else None

    async def check_tx(self, request: pb.RequestCheckTx) -> pb.ResponseCheckTx:
        return pb.ResponseCheckTx(code=int(request.tx in self.committed))

    async def prepare_proposal(self, request: pb.RequestPrepareProposal) -> pb.ResponsePrepareProposal:
        for vote in request.local_last_commit.votes:
            assert vote.validator == pb.Validator(address=address_of(PUBLIC), power=10)
            assert vote.block_id_flag == pb.BLOCK_ID_FLAG_COMMIT
            assert len(vote.extension_signature) == 64
            self.extensions.append(vote.vote_extension)
        return pb.ResponsePrepareProposal(txs=request.txs)

    async def process_proposal(self, request: pb.RequestProcessProposal) -> pb.ResponseProcessProposal:
        assert request.proposer_address == address_of(PUBLIC)
        return pb.ResponseProcessProposal(status=pb.ResponseProcessProposal.ACCEPT)

    async def extend_vote(self, request: pb.RequestExtendVote) -> pb.ResponseExtendVote:
        return pb.ResponseExtendVote(vote_extension=f"{request.height}".encode())

    async def verify_vote_extension(self, request: pb.RequestVerifyVoteExtension) -> pb.ResponseVerifyVoteExtension:
        assert request.vote_extension == f"{request.height}".encode()
        return pb.ResponseVerifyVoteExtension(status=pb.ResponseVerifyVoteExtension.ACCEPT)

    async def finalize_block(self, request: pb.RequestFinalizeBlock) -> pb.ResponseFinalizeBlock:
        self.staged, self.staged_height = list(request.txs), request.height
        return pb.ResponseFinalizeBlock(
            tx_results=[pb.ExecTxResult() for _ in self.staged],
            app_hash=self.hash_of(len(self.committed) + len(self.staged)),
        )

    async def commit(self, request: pb.RequestCommit) -> pb.ResponseCommit:  # noqa: ARG002 - it has no members
        if self.error is not None:
            raise self.error
        self.committed += self.staged
        self.height = self.staged_height
        return pb.ResponseCommit()


@dataclass
class Node:
    """The application, its server, and a CometBFT that can be killed."""

    home: Path
    counter: Counter
    server: AbciServer
    rpc: CometBftRpc
    submitter: Submitter
    failures: list[BaseException]
    process: asyncio.subprocess.Process | None = None

    async def spawn(self) -> None:
        (self.home / "rpc.sock").unlink(missing_ok=True)  # one that was killed leaves it, and the next cannot listen
        with (self.home / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                require_cometbft(), "start", "--home", self.home, stdout=log, stderr=log
            )

    async def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        async with asyncio.timeout(WITHIN_S):
            return await self.process.wait()

    async def until(self, condition: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(WITHIN_S):
                while not condition():  # noqa: ASYNC110 - what is waited for says nothing
                    await asyncio.sleep(0.005)
        except TimeoutError:
            pytest.fail((self.home / "log").read_text()[-3000:])

    async def submit(self, *bodies: bytes) -> None:
        for body in bodies:
            assert self.submitter.put(body)
        await self.until(
            lambda: len(self.counter.committed) >= len(bodies) and self.counter.committed[-1] == bodies[-1]
        )


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    home = tmp_path / "cometbft"
    write_home(home)
    counter, failures = Counter(), list[BaseException]()
    rpc = CometBftRpc(home / "rpc.sock")
    node = Node(
        home,
        counter,
        AbciServer(home / "abci.sock", counter, failures.append),
        rpc,
        Submitter(rpc.broadcast_many, bundle_bytes_max=1_000_000),
        failures,
    )
    await node.server.start()
    await node.spawn()
    submitting = asyncio.create_task(node.submitter.run())
    yield node
    node.submitter.stop()
    await submitting
    await rpc.close()
    await node.end(signal.SIGTERM)
    await node.server.stop()


async def test_blocks_are_made_of_what_is_submitted_and_told_by_the_rpc(node: Node) -> None:
    for number in range(3):
        await node.submit(b"\x00%d" % number)
    await node.submit(*(b"\x00many %d" % number for number in range(1000)))
    assert node.counter.committed == [b"\x00%d" % number for number in range(3)] + [
        b"\x00many %d" % number for number in range(1000)
    ]
    assert node.counter.height >= 3
    assert not node.failures

    genesis = node.counter.genesis
    assert genesis is not None
    assert (genesis.chain_id, genesis.initial_height) == (CHAIN, 1)
    assert list(genesis.validators) == [pb.ValidatorUpdate(pub_key=pb.PublicKey(ed25519=PUBLIC), power=10)]
    assert genesis.consensus_params.block.max_bytes == 4194304
    assert genesis.consensus_params.abci.vote_extensions_enable_height == 1
    assert genesis.time.seconds == 1_767_225_600
    heights = [f"{height}".encode() for height in range(1, node.counter.height)]
    assert list(dict.fromkeys(node.counter.extensions))[: len(heights)] == heights

    status = await node.rpc.status()
    assert (status.node.version, status.sync.is_catching_up) == ("0.38.26", False)
    assert status.node.id == sha256(PUBLIC).hexdigest()[:40]
    assert status.sync.height >= node.counter.height - 1
    assert (await node.rpc.net_info()).peers == ()
    (validator,) = await node.rpc.validators(2)
    assert (validator.power, validator.public_key.value) == (10, PUBLIC)
    address = address_of(PUBLIC).hex().upper()
    commit = (await node.rpc.commit(2)).signed_header
    assert commit.header.chain_id == CHAIN
    assert (commit.header.height, commit.commit.height) == ("2", "2")
    assert [(vote.block_id_flag, vote.validator_address) for vote in commit.commit.signatures] == [(2, address)]
    blocks = [await node.rpc.block(height) for height in range(1, status.sync.height + 1)]
    transactions = [body for block in blocks for body in block.block.data.transactions]
    assert transactions == node.counter.committed[: len(transactions)]


async def test_what_the_mempool_has_already_and_what_is_not_there_is_said(node: Node) -> None:
    await node.submit(b"one")
    assert await node.rpc.broadcast_many([b"one"]) == ["Internal error: tx already exists in cache"]
    first, second = await node.rpc.broadcast_many([b"two", b"one"])
    assert (first, second) == (None, "Internal error: tx already exists in cache")
    with pytest.raises(
        CometBftUnavailable, match=r"^block: CometBFT refuses: Internal error: height 1000 must be less"
    ):
        await node.rpc.block(1000)


async def test_cometbft_is_killed_and_the_chain_goes_on(node: Node) -> None:
    """What comes meanwhile waits; the application is asked where it stands, and not for the same block again."""
    await node.submit(b"before")
    assert await node.end(signal.SIGKILL) == -signal.SIGKILL
    with pytest.raises(CometBftUnavailable):
        await node.rpc.status()
    assert node.submitter.put(b"meanwhile")
    height = node.counter.height
    await node.spawn()
    await node.submit(b"after")
    assert node.counter.committed == [b"before", b"meanwhile", b"after"]
    assert node.counter.height > height
    assert node.counter.asked == ["info 2.0.0"] * 2
    assert not node.failures


async def test_a_commit_that_fails_stops_cometbft_as_well(node: Node) -> None:
    """Neither goes on without the other: nothing is decided that is not durable here."""
    await node.submit(b"before")
    node.counter.error = StoreFull("no room")
    node.submitter.put(b"lost for now")
    await node.until(lambda: node.failures == [node.counter.error])
    assert node.process is not None
    async with asyncio.timeout(WITHIN_S):
        assert await node.process.wait() == 0
    assert node.counter.committed == [b"before"]
