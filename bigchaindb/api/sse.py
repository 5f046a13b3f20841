"""Server-Sent Events: the log as a stream without end, each client at its own speed.

Every client is a loop that reads the next piece from its own place, writes it, and goes on once its socket has room
(S1): the log is the buffer. What nobody takes for `limits.stream_stall_s_max` is ended by the connection's own bounds.

Source: docs/reference/http-events.md; https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from bigchaindb.api.answers import EventStream
from bigchaindb.api.event_log import EventLog
from bigchaindb.api.event_pieces import Choice, Piece, Place
from bigchaindb.errors import Overloaded, Stopping

HEARTBEAT_S: Final = 15.0
"""Silence after which a client is told how far it is: proxies end silent connections after 30 to 60 s."""
RETRY_MS: Final = 1_000
"""How long browsers wait before they come back."""


def frames(piece: Piece) -> bytes:
    """Give a message for each CloudEvent; canonical JSON has no line ends in it."""
    return b"".join(
        b"id: %b\nevent: %b\ndata: %b\n\n" % (item.token.encode(), item.type.encode(), item.envelope)
        for item in piece.items
    )


def opening(token: str) -> bytes:
    """Give what a stream begins with: even a client that gets no event knows where to come back to."""
    return b"retry: %d\nid: %b\n\n" % (RETRY_MS, token.encode())


def heartbeat(position: int, head: int, token: str) -> bytes:
    """Give a sign of life. A message without data is not dispatched, but its id counts for the next connection."""
    return b": at %d of %d\nid: %b\n\n" % (position, head, token.encode())


class EventStreams:
    """All clients of Server-Sent Events. Belongs to the event loop."""

    def __init__(self, log: EventLog, *, count_max: int, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._log = log
        self._count_max = count_max
        self._heartbeat_s = heartbeat_s
        self._count = 0
        self._stopping = False
        self._moved = asyncio.Event()
        log.heads.listen(lambda _: self._wake())

    @property
    def count(self) -> int:
        """How many clients there are."""
        return self._count

    async def open(self, choice: Choice, after: str | None) -> EventStream:
        """Give a stream that begins after a token, or with what becomes durable from now on.

        Raises:
            MalformedToken: `after` is none.
            HistoryLost: it is of another log.
            Overloaded: there are as many clients as may be.
            Stopping: the node stops.
        """
        if self._stopping:
            raise Stopping("the node is about to stop")
        if self._count >= self._count_max:
            raise Overloaded(f"limits.sse_connection_count_max = {self._count_max} streams are open; try again later")
        self._count += 1
        try:
            place, token = await self._log.place(after)
        except BaseException:
            self._close()
            raise
        return EventStream(self._follow(choice, place, token), self._close)

    def stop(self) -> None:
        """Have each stream end once its client has all that is durable; whoever is slow, the server breaks off."""
        self._stopping = True
        self._wake()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _close(self) -> None:
        self._count -= 1

    async def _follow(self, choice: Choice, place: Place, token: str) -> AsyncIterator[bytes]:
        loop, heads = asyncio.get_running_loop(), self._log.heads
        yield opening(token)
        due_s = loop.time() + self._heartbeat_s
        while not self._is_over(place):
            if place.position < heads.head:
                rendered = await self._log.rendered(choice, place)
                place, token = rendered.place, rendered.token
                if rendered.frames:
                    yield rendered.frames
                    due_s = loop.time() + self._heartbeat_s
            else:
                await self._wait(due_s)
            if loop.time() >= due_s:
                yield heartbeat(place.position, heads.head, token)
                due_s = loop.time() + self._heartbeat_s
        yield heartbeat(place.position, heads.head, token)

    def _is_over(self, place: Place) -> bool:
        return self._stopping and place.position >= self._log.heads.head

    async def _wait(self, until_s: float) -> None:
        """Wait for the head to move, for the stop or for the time."""
        try:
            async with asyncio.timeout_at(until_s):
                await self._moved.wait()
        except TimeoutError:
            return
