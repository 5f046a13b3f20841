"""The log as many clients read it: in threads beside the event loop, never beyond the durable head (P4).

A client is a place in the log and asks for the piece behind it; the log is the only buffer (S1). Clients at the head
have one thread, all other clients another, so that reads of history cannot delay the clients at the head.
Clients at the head with equal choices get the same piece, which is read and rendered once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from bigchaindb.errors import HistoryLost
from bigchaindb.eventlog import token
from bigchaindb.ledger.ports import LogReader
from bigchaindb.streams.hub import Hub
from bigchaindb.streams.log_thread import LogThread

PIECE_BYTES: Final = 64 * 1024
"""A piece of at least this size gets no further event; a single block of 1,000 transactions is larger."""
LIVE_COUNT: Final = 16
"""A client this many events behind still counts as at the head: commits may pass between its wake-up and its read."""
SHARED_COUNT_MAX: Final = 16
"""Pieces at the head that are kept for further clients, for a few different choices."""
SHARED_BYTES_MAX: Final = 8 * 1024 * 1024
"""Their bytes."""

C = TypeVar("C")


class LogSource(NamedTuple):
    """The log of this node."""

    hub: Hub
    open_reader: Callable[[], LogReader]
    chain_id: str


class Place(NamedTuple):
    """A place in the log, between two events or within one.

    Attributes:
        position: of the last event that was delivered whole, or skipped.
        skip: transactions of the next event that were delivered before.
    """

    position: int
    skip: int = 0


class Frames(NamedTuple):
    """A piece of the log as it is sent.

    Attributes:
        data: empty if nothing matched.
        place: behind the last event that was read.
        token: of that place.
    """

    data: bytes
    place: Place
    token: str


ReadFrames = Callable[[LogReader, str, C, Place, int], Frames]
"""Reads the next piece. Arguments: the reader, the chain id, the choice, the place and the last position to read."""


def token_at(reader: token.Digests, chain_id: str, position: int) -> str:
    """Return the token of the place behind the event at `position`, which the log holds; 0 is before the first."""
    digest = token.digest_at(reader, position)
    if digest is None:  # of a log whose oldest rows go: it went since it was read
        raise HistoryLost(position, position)
    return token.encode(chain_id, position, token.WHOLE, digest)


def place_of(reader: token.Digests, text: str, chain_id: str, head: int) -> Place:
    """Return the place of a token; see `token.known`."""
    return Place(*token.known(text, reader, chain_id, head).place)


class SharedLog(Generic[C]):
    """The log for all clients of a kind, whose choices are of type `C`. Belongs to the event loop."""

    def __init__(self, source: LogSource, name: str, read: ReadFrames[C]) -> None:
        """Begin without threads; the first reads start them.

        Args:
            source: the log.
            name: of the threads.
            read: reads a piece for this kind of client.
        """
        self.hub = source.hub
        self.chain_id = source.chain_id
        self._read = read
        self._live = LogThread(source.open_reader, f"{name}-live")
        self._late = LogThread(source.open_reader, f"{name}-late")
        self._shared: OrderedDict[tuple[C, Place], asyncio.Future[Frames]] = OrderedDict()
        self._newest = Place(-1), ""

    async def begin(self, after: str | None) -> tuple[Place, str]:
        """Return the place of a new client and its token: after the token `after`, or at the durable head.

        Raises:
            MalformedToken: `after` is no token.
            HistoryLost: the token is of another log.
        """
        head = self.hub.head
        if after is None:
            place = Place(head)
            if self._newest[0] == place:  # as for most clients: a read costs as much as a quarter of a handshake
                return self._newest
            text = await self._live.run(lambda reader: token_at(reader, self.chain_id, head))
            self._newest = max(self._newest, (place, text))
            return place, text
        return await self._live.run(lambda reader: place_of(reader, after, self.chain_id, head)), after

    async def next(self, choice: C, after: Place, through: int | None = None) -> Frames:
        """Return the next piece for a client; there must be events behind `after`.

        Args:
            choice: of the client.
            after: its place.
            through: the last position to read; None reads to the head.
        """
        through = self.hub.head if through is None else through
        if self.hub.head - after.position > LIVE_COUNT:
            return await self._frames(self._late, choice, after, through)
        return await self.at_head(choice, after, through)

    async def at_head(self, choice: C, after: Place, through: int) -> Frames:
        """Return the next piece as `next` does, by the thread of the clients at the head."""
        key = (choice, after)
        if (task := self._shared.get(key)) is None:
            task = asyncio.create_task(self._frames(self._live, choice, after, through))
            self._shared[key] = task
            task.add_done_callback(lambda _: self._trim())
            self._trim()
        try:
            return await asyncio.shield(task)  # The read goes on for the others when one client leaves.
        except Exception:
            self._shared.pop(key, None)
            raise

    def add(self, choice: C, frames: Sequence[Frames]) -> None:
        """Keep pieces of one event each for clients at the head, in order, so that none of them is read.

        A piece that ends within its event is left out: whoever wants it reads it.
        """
        loop = asyncio.get_running_loop()
        for one in frames:
            if one.place.skip:
                continue
            piece: asyncio.Future[Frames] = loop.create_future()
            piece.set_result(one)
            self._shared[choice, Place(one.place.position - 1)] = piece
            self._newest = max(self._newest, (one.place, one.token))
        self._trim()

    def close(self) -> None:
        """Wait for the running reads; start no other."""
        self._late.close()
        self._live.close()

    async def _frames(self, thread: LogThread, choice: C, after: Place, through: int) -> Frames:
        assert after.position < through, (after, through)  # P4
        frames = await thread.run(lambda reader: self._read(reader, self.chain_id, choice, after, through))
        self._newest = max(self._newest, (frames.place, frames.token))
        return frames

    def _trim(self) -> None:
        """Forget the oldest pieces beyond the bounds; their waiting clients keep those that are still being read."""
        while len(self._shared) > SHARED_COUNT_MAX or sum(map(_size, self._shared.values())) > SHARED_BYTES_MAX:
            self._shared.popitem(last=False)


def _size(task: asyncio.Future[Frames]) -> int:
    done = task.done() and not task.cancelled() and task.exception() is None
    return len(task.result().data) if done else 0
