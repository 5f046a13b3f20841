"""Writes replies: complete answers, lists while they are read, and streams of events."""

import asyncio
import logging
from typing import Final

from bigchaindb.api.answers import JSON_TYPE, VARY_ACCEPT, Answer, Listing, Reply
from bigchaindb.errors import BigchainDBError
from bigchaindb.serving.answering import CLOSE, chunk, opening, whole
from bigchaindb.serving.connection import Connection
from bigchaindb.serving.request import Request
from bigchaindb.streams.sse import EventStream

logger = logging.getLogger(__name__)

STREAM_HEAD: Final = (
    b"Content-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n" + VARY_ACCEPT
)
"""Of a stream that no proxy may cache or buffer; the third line is NGINX's own header for that."""


async def send(connection: Connection, request: Request, reply: Reply) -> None:
    """Write a reply.

    Raises:
        ConnectionError: the client is gone.
    """
    match reply:
        case Answer():
            write_answer(connection, request, reply)
        case Listing():
            await _send_listing(connection, request, reply)
        case EventStream():
            try:
                await _send_stream(connection, request, reply)
            finally:
                reply.close()


def write_answer(connection: Connection, request: Request, answer: Answer) -> None:
    """Write a complete answer."""
    if answer.close:
        request.keeps_alive = False
    kind = answer.content_type if answer.body else b""
    connection.answer(request, answer.status, answer.body, kind + answer.headers)


def last(answer: Answer, lines: bytes) -> bytes:
    """Return the bytes of an answer, with further header lines, to a client whose request is not read."""
    return whole(answer.status, answer.body, JSON_TYPE + lines + CLOSE + answer.headers)


async def _send_listing(connection: Connection, request: Request, listing: Listing) -> None:
    """Write a list while it is read; an error aborts the connection, so that no client takes a part for the whole."""
    request.keeps_alive = request.keeps_alive and request.is_1_1 and request.body.is_complete
    transport = connection.transport
    if transport.is_closing():
        return
    transport.write(opening(request, JSON_TYPE))
    if request.method == "HEAD":
        return
    try:
        await _write_pieces(connection, request, listing)
    except ConnectionError:
        raise
    except BigchainDBError as error:
        logger.error("a list was cut off by an error: %s", error)  # noqa: TRY400 - no defect
        transport.abort()
    except Exception:
        logger.exception("a list was cut off by an error")
        transport.abort()


async def _write_pieces(connection: Connection, request: Request, listing: Listing) -> None:
    start = b"["
    async for piece in listing.pieces:
        if piece:
            await _write_piece(connection, request, start + piece)
            start = b","
        else:  # Nothing matched yet; stop searching if the client is gone.
            await connection.drain()
    await _write_piece(connection, request, b"]\n" if start == b"," else b"[]\n")
    _end(connection, request)


async def _send_stream(connection: Connection, request: Request, stream: EventStream) -> None:
    """Write messages until the client leaves or the stream ends; the connection ends with it."""
    request.keeps_alive = False
    transport = connection.transport
    if transport.is_closing():
        return
    transport.write(opening(request, STREAM_HEAD))
    if request.method == "HEAD":
        return
    writing = asyncio.create_task(_write_messages(connection, request, stream))
    connection.on_gone = writing.cancel
    if connection.has_ended:  # with its request, or before the stream could begin
        writing.cancel()
    unwatch = None if stream.watch is None else stream.watch(lambda *_: writing.cancel())
    try:
        await asyncio.wait({writing})
        if writing.cancelled():  # The client is gone, or may no longer read: the answer ends between two messages.
            _end(connection, request)
        elif (error := writing.exception()) is not None:
            if not isinstance(error, ConnectionError):
                logger.error("a stream of events was cut off by an error", exc_info=error)
            transport.abort()
    finally:
        connection.on_gone = None
        writing.cancel()
        if unwatch is not None:
            unwatch()


async def _write_messages(connection: Connection, request: Request, stream: EventStream) -> None:
    async for piece in stream.pieces:
        await _write_piece(connection, request, piece)
    _end(connection, request)


async def _write_piece(connection: Connection, request: Request, piece: bytes) -> None:
    if connection.transport.is_closing():
        raise ConnectionResetError("the client is gone")
    connection.transport.writelines(chunk(request, piece))
    await connection.drain()


def _end(connection: Connection, request: Request) -> None:
    if request.is_1_1 and not connection.transport.is_closing():
        connection.transport.write(b"0\r\n\r\n")
