"""Answers CometBFT over a unix socket: the node as an ABCI 2.0 application. Belongs to the event loop.

CometBFT opens four connections: for consensus, mempool, queries and snapshots. On each, answers go out in the order of
the requests. `Handlers` answers for the ledger. Nothing goes on after a failure: CometBFT stops itself as soon as its
connections close, and the node learns why.

Source: docs/explanation/network.md; CometBFT v0.38, its specification of ABCI 2.0.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Protocol

from google.protobuf.message import Message

from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.abci_connection import AbciConnection, answer_frame
from bigchaindb.errors import EngineError, Stopping
from bigchaindb.serving.unix_socket import bound

CONNECTION_COUNT_MAX: Final = 16
"""CometBFT has four; after a crash the next one's may come before those of the dead one are seen to close."""


class Handlers(Protocol):
    """The ledger's answers to CometBFT. One consensus call (see `CONSENSUS`) at a time, the others beside it.

    An exception out of any of these ends all connections for good: the node cannot go on after it.
    """

    async def info(self, request: pb.RequestInfo) -> pb.ResponseInfo:
        """Return height and app_hash of the last durable block; called at the start of each connection."""
        ...

    async def init_chain(self, request: pb.RequestInitChain) -> pb.ResponseInitChain:
        """Take the genesis, before the first block of a chain."""
        ...

    def check_known(self, request: pb.RequestCheckTx) -> pb.ResponseCheckTx | None:
        """Answer as `check_tx` if the transaction is known, else None: most transactions are known here."""
        ...

    async def check_tx(self, request: pb.RequestCheckTx) -> pb.ResponseCheckTx:
        """Answer whether the mempool should hold a transaction; many run at once."""
        ...

    async def prepare_proposal(self, request: pb.RequestPrepareProposal) -> pb.ResponsePrepareProposal:
        """Choose the transactions of a proposal of this node, at most `max_tx_bytes` of them."""
        ...

    async def process_proposal(self, request: pb.RequestProcessProposal) -> pb.ResponseProcessProposal:
        """Judge a proposal; the verdict on one block never changes."""
        ...

    async def extend_vote(self, request: pb.RequestExtendVote) -> pb.ResponseExtendVote:
        """Return the extension that this validator signs with its precommit."""
        ...

    async def verify_vote_extension(self, request: pb.RequestVerifyVoteExtension) -> pb.ResponseVerifyVoteExtension:
        """Answer whether another validator's extension is one that an honest node could send."""
        ...

    async def finalize_block(self, request: pb.RequestFinalizeBlock) -> pb.ResponseFinalizeBlock:
        """Execute a decided block; it becomes durable only with `commit`."""
        ...

    async def commit(self, request: pb.RequestCommit) -> pb.ResponseCommit:
        """Make the executed block durable."""
        ...


CONSENSUS: Final = frozenset(
    {
        "info",
        "init_chain",
        "prepare_proposal",
        "process_proposal",
        "extend_vote",
        "verify_vote_extension",
        "finalize_block",
        "commit",
    }
)
"""The calls that run one at a time, over all connections: the last one of a CometBFT that died may still be at work,
and must not overtake the height that the next one learns."""

OnFailure = Callable[[BaseException], None]
"""Called once, on the loop, with the reason why the server gave up: an AbciProtocolError, or a handler's exception."""


class AbciServer:
    """Listens for CometBFT. Start it before CometBFT, which tries a missing socket again only every 3 s."""

    def __init__(self, path: Path, handlers: Handlers, on_failure: OnFailure) -> None:
        """Do nothing before `start`.

        Args:
            path: of the socket, in a folder that nobody else may enter.
            handlers: answers for the ledger.
            on_failure: called after all connections are closed; not called by `stop`.
        """
        self._path = path
        self._handlers = handlers
        self._on_failure = on_failure
        self._consensus = asyncio.Lock()
        self._connections: set[AbciConnection] = set()
        self._calls: dict[asyncio.Task[bytes], bool] = {}
        self._server: asyncio.Server | None = None
        self._has_ended = False
        self._has_failed = False

    async def start(self) -> None:
        """Listen. The socket of a node that was killed is replaced: the folder is ours.

        Raises:
            StartupError: its path is too long, or it cannot be bound.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: AbciConnection(self), sock=bound(self._path))

    async def stop(self) -> None:
        """Close the socket and the connections; return once no call is at work. The consensus call is let finish.

        A call that fails meanwhile is reported to `on_failure` too.
        """
        self._end()
        for task, is_consensus in self._calls.items():
            if not is_consensus:
                task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def call(self, name: str, request: Message) -> bytes | asyncio.Task[bytes]:
        """Begin to answer a request that the ledger has to answer.

        Returns:
            The frame to send, or the task that makes it. If the task fails, so does the server.
        """
        if isinstance(request, pb.RequestCheckTx) and (known := self._handlers.check_known(request)) is not None:
            return answer_frame(name, known)
        task = asyncio.create_task(self._answer(name, request))
        self._calls[task] = name in CONSENSUS
        task.add_done_callback(self._called)
        return task

    def connected(self, connection: AbciConnection) -> bool:
        """Take a connection, unless there are too many or the server has ended."""
        if self._has_ended or len(self._connections) >= CONNECTION_COUNT_MAX:
            return False
        self._connections.add(connection)
        return True

    def disconnected(self, connection: AbciConnection) -> None:
        """Forget a connection. Its calls may finish: half a commit helps nobody."""
        self._connections.discard(connection)

    def fail(self, error: BaseException) -> None:
        """Close everything, and report the first error."""
        self._end()
        if not self._has_failed:
            self._has_failed = True
            self._on_failure(error)

    async def _answer(self, name: str, request: Message) -> bytes:
        handler: Callable[[Any], Awaitable[Message]] = getattr(self._handlers, name)
        if name not in CONSENSUS:
            return answer_frame(name, await handler(request))
        async with self._consensus:
            if self._has_ended:  # while it waited for its turn: nothing is begun any more
                raise Stopping(f"{name}: the node takes no call of CometBFT any more")
            try:
                return answer_frame(name, await handler(request))
            except Exception as error:
                self.fail(error)  # here, and not in `_called`: the next one must not have its turn before
                raise

    def _called(self, task: asyncio.Task[bytes]) -> None:
        del self._calls[task]
        if task.cancelled():
            if not self._has_ended:
                self.fail(EngineError("a call of CometBFT was cancelled before it was answered"))
        elif (error := task.exception()) is not None and not isinstance(error, Stopping):
            self.fail(error)

    def _end(self) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
        for connection in tuple(self._connections):
            connection.abort()
