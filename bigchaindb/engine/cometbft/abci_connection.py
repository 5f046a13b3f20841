"""One connection of CometBFT: requests in, answers out in the same order. Belongs to the event loop.

Requests that need no ledger are answered here: echo, flush, and refusals of queries and snapshots. The owner answers
the rest, many at once; an answer is sent once all before it are sent.

Source: CometBFT v0.38, its specification of ABCI 2.0.
"""

import asyncio
from collections import deque
from typing import Any, Final, NamedTuple, Protocol, cast

from google.protobuf.message import DecodeError, Message

from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.framing import FrameDecoder
from bigchaindb.errors import AbciProtocolError
from bigchaindb.ledger.protobuf import delimited

FRAME_BYTES_MAX: Final = 512 * 1024 * 1024
"""A block of 4 MiB has room and the vote extensions of a thousand validators. A third of them may have a mebibyte each,
the most that CometBFT takes from a peer: it lets the node verify none that comes after its block is decided."""
IN_HAND_COUNT_MAX: Final = 4096
"""Unanswered requests of one connection; more are not taken. Far more than keep the threads that check busy."""
IN_HAND_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of those requests: what may wait to be checked, as in admission. One request above it is taken by itself."""
WAITING_BYTES_MAX: Final = 64 * 1024 * 1024
"""Read and not taken, on each connection. CometBFT must not meet a full socket, which holds 90 transactions of usual
size: while its sender waits, a timer of its ABCI client, meant as 20 ms, fires every 20 ns
and takes a core. No option of ours makes that socket larger, for Linux counts its bytes to the sender."""

QUERY_CODE: Final = 1
"""Not 0, which would mean success."""


class Owner(Protocol):
    """The owner of a connection, which answers for the ledger."""

    def call(self, name: str, request: Message) -> bytes | asyncio.Task[bytes]:
        """Begin to answer a request that the ledger has to answer.

        Args:
            name: of the member of `Request` that holds it.
            request: that member.

        Returns:
            The frame to send, or the task that makes it. If the task fails, so does the owner.
        """
        ...

    def connected(self, connection: "AbciConnection") -> bool:
        """Accept a connection; return False to refuse it."""
        ...

    def disconnected(self, connection: "AbciConnection") -> None:
        """Forget a connection."""
        ...

    def fail(self, error: BaseException) -> None:
        """Close all connections: the bytes of this one are not ABCI 2.0."""
        ...


def answer_frame(name: str, answer: Message) -> bytes:
    """Return the frame that answers a request.

    Args:
        name: of the member of `Response`, which is that of the request.
        answer: that member.
    """
    members: dict[str, Any] = {name: answer}
    return delimited(pb.Response(**members).SerializeToString())


_OWN_ANSWERS: Final = {
    name: answer_frame(name, answer)
    for name, answer in (
        ("flush", pb.ResponseFlush()),
        ("query", pb.ResponseQuery(code=QUERY_CODE, log="no queries: ask the node's HTTP API")),
        ("list_snapshots", pb.ResponseListSnapshots()),
        ("offer_snapshot", pb.ResponseOfferSnapshot(result=pb.ResponseOfferSnapshot.ABORT)),
        ("load_snapshot_chunk", pb.ResponseLoadSnapshotChunk()),
        ("apply_snapshot_chunk", pb.ResponseApplySnapshotChunk(result=pb.ResponseApplySnapshotChunk.ABORT)),
    )
}


class _Request(NamedTuple):
    """A request that is not answered yet: its size, and the frame to send, or the task that makes it."""

    size: int
    answer: bytes | asyncio.Task[bytes]


class AbciConnection(asyncio.Protocol):
    """One connection: requests in, answers out in the same order, those of one turn of the loop in one write."""

    def __init__(self, owner: Owner) -> None:
        """Serve one connection of `owner`."""
        self._owner = owner
        self._frames = FrameDecoder(FRAME_BYTES_MAX)
        self._requests: deque[_Request] = deque()
        self._bytes = 0
        self._transport: asyncio.Transport | None = None
        self._is_reading = True
        self._is_writable = True
        self._is_flushing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the owner whether the connection is wanted."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._owner.connected(self):
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever it was, CometBFT has gone
        """Forget unanswered requests: there is nobody to send an answer to."""
        self._transport = None
        self._requests.clear()
        self._owner.disconnected(self)

    def data_received(self, data: bytes) -> None:
        """Take the frames that are complete."""
        self._frames.feed(data)
        self._take()

    def pause_writing(self) -> None:
        """Take nothing more while CometBFT does not read its answers."""
        self._is_writable = False

    def resume_writing(self) -> None:
        """Take requests again."""
        self._is_writable = True
        self._take()

    def abort(self) -> None:
        """Close at once; unsent answers are dropped."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def _take(self) -> None:
        """Begin the requests that arrived, as far as the bounds allow, and read on until many wait."""
        try:
            while (has_room := self._has_room()) and (frame := self._frames.next_frame()) is not None:
                self._begin(frame)
        except AbciProtocolError as error:
            self._owner.fail(error)
        reads = has_room or self._frames.waiting_bytes < WAITING_BYTES_MAX
        if self._transport is not None and reads is not self._is_reading:
            self._is_reading = reads
            self._transport.resume_reading() if reads else self._transport.pause_reading()

    def _has_room(self) -> bool:
        return (
            self._transport is not None
            and self._is_writable
            and len(self._requests) < IN_HAND_COUNT_MAX
            and self._bytes < IN_HAND_BYTES_MAX
        )

    def _begin(self, frame: bytes) -> None:
        request, name = _parsed(frame)
        answer = _own_answer(request, name) or self._owner.call(name, getattr(request, name))
        if isinstance(answer, bytes):
            self._flush_soon()
        else:
            answer.add_done_callback(self._flush_soon)
        self._requests.append(_Request(len(frame), answer))
        self._bytes += len(frame)

    def _flush_soon(self, _task: object = None) -> None:
        if not self._is_flushing:
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Send answers up to the first request without one, then take requests for which there is room now."""
        self._is_flushing = False
        if self._transport is None:
            return
        answers = []
        while self._requests and (answer := _sent_of(self._requests[0])) is not None:
            self._bytes -= self._requests.popleft().size
            answers.append(answer)
        if answers:
            self._transport.write(b"".join(answers))
            self._take()


def _sent_of(request: _Request) -> bytes | None:
    """Return the frame that answers a request; None while there is none, or if its task failed."""
    answer = request.answer
    if isinstance(answer, bytes):
        return answer
    if not answer.done() or answer.cancelled() or answer.exception() is not None:
        return None
    return answer.result()


def _parsed(frame: bytes) -> tuple[pb.Request, str]:
    try:
        request = pb.Request.FromString(frame)
    except DecodeError as error:
        raise AbciProtocolError(f"request: {len(frame)} bytes that are no message of ABCI 2.0") from error
    name = request.WhichOneof("value")
    if name is None:
        raise AbciProtocolError("request: a kind that ABCI 2.0 does not have, or none")
    return request, name


def _own_answer(request: pb.Request, name: str) -> bytes | None:
    if name == "echo":
        return answer_frame(name, pb.ResponseEcho(message=request.echo.message))
    return _OWN_ANSWERS.get(name)
