"""The log as a stream without end, as Server-Sent Events or as WebSocket texts, each client at its own speed.

Every client is a loop that reads the next piece from its own place, writes it, and continues once its socket has room
(S1): the log is the buffer. The connection ends a stream that takes nothing for `limits.stream_stall_s_max`.

Source: docs/reference/http-events.md; https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from bigchaindb.errors import HistoryLost, Overloaded, Stopping
from bigchaindb.ledger.effects import Effects
from bigchaindb.streams.announced import Announced
from bigchaindb.streams.cloud_events import Choice, Piece, Selects, read_piece
from bigchaindb.streams.shared_log import PIECE_BYTES, SHARED_COUNT_MAX, Frames, Place, SharedLog
from bigchaindb.streams.websocket_frames import text_frame

HEARTBEAT_S: Final = 15.0
"""Silence after which a heartbeat is written: proxies end silent connections after 30 to 60 s."""
RETRY_MS: Final = 1_000
"""How long browsers wait before they reconnect."""
PIECE_COUNT_MAX: Final = 1_000
"""CloudEvents in one piece."""
LOOP_BYTES_MAX: Final = 1024 * 1024
"""Bytes of a decision that are rendered on the loop for all choices together, a millisecond; what is beyond is read."""
DECODED_WEIGHT: Final = 4
"""Of a byte where transactions are decoded or stand alone, against one that is copied."""


def read_frames(reader: Selects, chain_id: str, choice: Choice, after: Place, through: int) -> Frames:
    """Return the next messages; see `shared_log.ReadFrames`."""
    piece = read_piece(reader, chain_id, choice, after, through, count_max=PIECE_COUNT_MAX, bytes_max=PIECE_BYTES)
    return Frames(frames(piece), piece.place, piece.token)


def frames(piece: Piece) -> bytes:
    """Return a message for each CloudEvent; canonical JSON has no line ends in it."""
    return b"".join(
        b"id: %b\nevent: %b\ndata: %b\n\n" % (item.token.encode(), item.type.encode(), item.envelope)
        for item in piece.items
    )


def opening(token: str) -> bytes:
    """Return the first message of a stream: a client that gets no event still has an id to reconnect with."""
    return b"retry: %d\nid: %b\n\n" % (RETRY_MS, token.encode())


def heartbeat(position: int, head: int, token: str) -> bytes:
    """Return a heartbeat. Clients do not dispatch a message without data, but they reconnect with its id."""
    return b": at %d of %d\nid: %b\n\n" % (position, head, token.encode())


def read_texts(reader: Selects, chain_id: str, choice: Choice, after: Place, through: int) -> Frames:
    """Return the next messages of a WebSocket; see `shared_log.ReadFrames`."""
    piece = read_piece(reader, chain_id, choice, after, through, count_max=PIECE_COUNT_MAX, bytes_max=PIECE_BYTES)
    texts = [text_frame(b'{"token":"%b","event":%b}' % (item.token.encode(), item.envelope)) for item in piece.items]
    return Frames(b"".join(texts), piece.place, piece.token)


def token_text(token: str) -> bytes:
    """Return the message of a WebSocket that holds a place alone."""
    return text_frame(b'{"token":"%b"}' % token.encode())


class Form(NamedTuple):
    """How a stream looks.

    Attributes:
        read: reads its next events.
        opening: returns the first message, with the token to begin with.
        heartbeat: returns the message after a silence, with position, head and token.
    """

    read: Callable[[Selects, str, Choice, Place, int], Frames]
    opening: Callable[[str], bytes]
    heartbeat: Callable[[int, int, str], bytes]


SSE: Final = Form(read_frames, opening, heartbeat)
TEXTS: Final = Form(read_texts, token_text, lambda _position, _head, token: token_text(token))


class Places:
    """How many streams may be open, of all logs and forms together.

    Attributes:
        count: of those that are open.
    """

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self.count = 0

    def take(self) -> None:
        """Count one more.

        Raises:
            Overloaded: none is left.
        """
        if self.count >= self._count_max:
            raise Overloaded(f"{self.count} event streams are open (limits.sse_connection_count_max); try again later")
        self.count += 1

    def leave(self) -> None:
        """Count one less."""
        self.count -= 1


@dataclass(frozen=True, slots=True)
class EventStream:
    """Server-Sent Events: an answer without end, until the client leaves or the node stops.

    Attributes:
        pieces: whole messages.
        close: call it once, after the last write.
        watch: is told what ends the stream, for whoever may end it; returns what to call afterwards.
    """

    pieces: AsyncIterator[bytes]
    close: Callable[[], None]
    watch: Callable[[Callable[..., object]], Callable[[], None]] | None = None


class EventStreams:
    """All clients of one log and form. Belongs to the event loop.

    Attributes:
        is_stopping: the node stops.
    """

    def __init__(
        self, log: SharedLog[Choice], places: Places, *, form: Form = SSE, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self._log = log
        self._places = places
        self._form = form
        self._heartbeat_s = heartbeat_s
        self.is_stopping = False
        self._moved = asyncio.Event()
        self._level: Counter[Choice] = Counter()
        log.hub.witness(self._add)
        log.hub.listen(lambda _: self._wake())

    @property
    def chain_id(self) -> str:
        """Of the log, as tokens name it."""
        return self._log.chain_id

    @property
    def head(self) -> int:
        """The last durable position."""
        return self._log.hub.head

    async def open(self, choice: Choice, after: str | None) -> EventStream:
        """Return a stream that begins after a token, or with the next event that becomes durable.

        Raises:
            MalformedToken: `after` is no token.
            HistoryLost: the token is of another log.
            Overloaded: no further client is allowed.
            Stopping: the node stops.
        """
        if self.is_stopping:
            raise Stopping("the node is about to stop")
        self._places.take()
        try:
            place, token = await self._log.begin(after)
        except BaseException:
            self._places.leave()
            raise
        return EventStream(self._follow(choice, place, token), self._places.leave)

    def stop(self) -> None:
        """End each stream once it is at the durable head; the server's stop cuts off slow clients."""
        self.is_stopping = True
        self._wake()

    def close(self) -> None:
        """Wait for the running reads; start no other."""
        self._log.close()

    def _add(self, effects: Effects) -> None:
        """Keep the pieces of a decision for the clients that wait at the head."""
        if not self._level or not effects.logged:
            return
        announced, room = Announced(effects), LOOP_BYTES_MAX
        for choice, _ in self._level.most_common(SHARED_COUNT_MAX // len(announced.positions)):
            room -= announced.bytes_count * _weight(choice)
            if room < 0:
                break
            read = (
                self._form.read(announced, self._log.chain_id, choice, Place(p - 1), p) for p in announced.positions
            )
            self._log.add(choice, list(read))

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def _follow(self, choice: Choice, place: Place, token: str) -> AsyncIterator[bytes]:
        loop, hub = asyncio.get_running_loop(), self._log.hub
        yield self._form.opening(token)
        due_s = loop.time() + self._heartbeat_s
        while not self._is_over(place):
            if place.position < hub.head:
                try:
                    data, place, token = await self._log.next(choice, place)
                except HistoryLost:  # the client comes back with its token, and is told that
                    return
                if data:
                    yield data
                    due_s = loop.time() + self._heartbeat_s
            else:
                await self._wait(choice, due_s)
            if loop.time() >= due_s:
                yield self._form.heartbeat(place.position, hub.head, token)
                due_s = loop.time() + self._heartbeat_s
        yield self._form.heartbeat(place.position, hub.head, token)

    def _is_over(self, place: Place) -> bool:
        return self.is_stopping and place.position >= self._log.hub.head

    async def _wait(self, choice: Choice, until_s: float) -> None:
        """Wait until the head moves, the node stops or the time comes."""
        self._level[choice] += 1
        try:
            async with asyncio.timeout_at(until_s):
                await self._moved.wait()
        except TimeoutError:
            return
        finally:
            self._level[choice] -= 1
            if not self._level[choice]:
                del self._level[choice]


def _weight(choice: Choice) -> int:
    if choice.each_transaction or choice.selection:
        return DECODED_WEIGHT
    return 0 if choice.is_summary else 1
