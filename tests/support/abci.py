"""A server of CometBFT's questions with a recorder behind it, and the connection of a CometBFT."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.abci_server import AbciServer
from bigchaindb.engine.cometbft.framing import FrameDecoder
from bigchaindb.ledger.protobuf import delimited
from tests.support.engines import WITHIN_S

FLUSH = pb.Request(flush=pb.RequestFlush())


@dataclass
class Recorder:
    """Handlers that write down what they are asked, and wait where the test says so."""

    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    error: BaseException | None = None

    async def _work(self, name: str) -> None:
        self.begun.append(name)
        if self.error is not None:
            raise self.error
        if (gate := self.gates.get(name)) is not None:
            await gate.wait()
        self.done.append(name)

    async def info(self, request: pb.RequestInfo) -> pb.ResponseInfo:
        await self._work("info")
        return pb.ResponseInfo(data=request.version, last_block_height=7)

    async def init_chain(self, request: pb.RequestInitChain) -> pb.ResponseInitChain:
        await self._work("init_chain")
        return pb.ResponseInitChain(validators=request.validators)

    def check_known(self, request: pb.RequestCheckTx) -> pb.ResponseCheckTx | None:
        return pb.ResponseCheckTx(log="known") if request.tx.startswith(b"known") else None

    async def check_tx(self, request: pb.RequestCheckTx) -> pb.ResponseCheckTx:
        await self._work(f"check_tx {request.tx.decode()}")
        return pb.ResponseCheckTx(data=request.tx)

    async def prepare_proposal(self, request: pb.RequestPrepareProposal) -> pb.ResponsePrepareProposal:
        await self._work("prepare_proposal")
        return pb.ResponsePrepareProposal(txs=request.txs)

    async def process_proposal(self, request: pb.RequestProcessProposal) -> pb.ResponseProcessProposal:
        await self._work(f"process_proposal {request.height}")
        return pb.ResponseProcessProposal(status=pb.ResponseProcessProposal.ACCEPT)

    async def extend_vote(self, request: pb.RequestExtendVote) -> pb.ResponseExtendVote:
        await self._work("extend_vote")
        return pb.ResponseExtendVote(vote_extension=request.hash)

    async def verify_vote_extension(self, request: pb.RequestVerifyVoteExtension) -> pb.ResponseVerifyVoteExtension:
        await self._work("verify_vote_extension")
        return pb.ResponseVerifyVoteExtension(
            status=pb.ResponseVerifyVoteExtension.ACCEPT
            if request.vote_extension
            else pb.ResponseVerifyVoteExtension.REJECT
        )

    async def finalize_block(self, request: pb.RequestFinalizeBlock) -> pb.ResponseFinalizeBlock:
        await self._work("finalize_block")
        return pb.ResponseFinalizeBlock(tx_results=[pb.ExecTxResult() for _ in request.txs], app_hash=b"hash")

    async def commit(self, request: pb.RequestCommit) -> pb.ResponseCommit:  # noqa: ARG002 - it has no members
        await self._work("commit")
        return pb.ResponseCommit()


@dataclass
class Client:
    """What CometBFT does on one of its connections."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    frames: FrameDecoder = field(default_factory=lambda: FrameDecoder(2**26))

    def send(self, *requests: pb.Request) -> None:
        self.writer.write(b"".join(delimited(request.SerializeToString()) for request in requests))

    async def answer(self) -> pb.Response:
        async with asyncio.timeout(WITHIN_S):
            while (frame := self.frames.next_frame()) is None:
                received = await self.reader.read(65536)
                assert received, "the connection is closed"
                self.frames.feed(received)
        return pb.Response.FromString(frame)

    async def ask(self, request: pb.Request) -> pb.Response:
        self.send(request)
        return await self.answer()

    async def is_closed(self) -> bool:
        async with asyncio.timeout(WITHIN_S):
            try:
                return await self.reader.read() == b""
            except ConnectionResetError:
                return True


@dataclass
class Running:
    """A server, what it asks, and why it failed."""

    path: Path
    handlers: Recorder
    server: AbciServer
    failures: list[BaseException]
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def client(self) -> Client:
        reader, writer = await asyncio.open_unix_connection(self.path)
        self.writers.append(writer)
        return Client(reader, writer)


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Running]:
    handlers, failures = Recorder(), list[BaseException]()
    server = AbciServer(folder / "abci.sock", handlers, failures.append)
    running = Running(folder / "abci.sock", handlers, server, failures)
    await server.start()
    try:
        yield running
    finally:
        for gate in handlers.gates.values():
            gate.set()
        await server.stop()
        for writer in running.writers:
            writer.close()


def check(text: str) -> pb.Request:
    return pb.Request(check_tx=pb.RequestCheckTx(tx=text.encode()))


def process(height: int) -> pb.Request:
    return pb.Request(process_proposal=pb.RequestProcessProposal(height=height))
