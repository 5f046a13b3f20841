"""Follows the log and writes it to every client, each at its own speed.

A client is either level with the feed, and gets each block with all others, or late: then a task of its own reads the
log from its position. The log is the buffer, no client has a copy (S1), and reads for late clients run in a thread of
their own, so that they cannot delay the live feed.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from bigchaindb.errors import StoreDamaged
from bigchaindb.eventlog import token
from bigchaindb.ledger.ports import LogReader
from bigchaindb.streams.follower import Follower
from bigchaindb.streams.hub import Hub
from bigchaindb.streams.stream_log import LogFrames, Piece

logger = logging.getLogger(__name__)

SLICE_COUNT: Final = 100
"""Clients that are written to in one turn of the loop: 100 take half a millisecond."""
RETRY_S: Final = 1.0
INTERNAL_ERROR: Final = 1011
TRY_AGAIN_LATER: Final = 1013


class Feed:
    """All clients of the stream. Belongs to the event loop."""

    def __init__(self, hub: Hub, open_reader: Callable[[], LogReader], chain_id: str, stall_s_max: float) -> None:
        self._hub = hub
        self._live = LogFrames(open_reader, "stream-live")
        self._behind = LogFrames(open_reader, "stream-late")
        self._chain_id = chain_id
        self._stall_s_max = stall_s_max
        self._position = hub.head
        self._moved = asyncio.Event()
        self._followers: set[Follower] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def followers(self) -> list[Follower]:
        """The clients that are connected."""
        return list(self._followers)

    async def until_level(self) -> None:
        """Wait until everything durable is written to each client that is not late."""
        while self._position < self._hub.head:
            self._moved.clear()
            await self._moved.wait()

    async def place(self, after: str | None) -> tuple[int, int]:
        """Return where a new client begins: a position, and how many transactions of the next event it has seen.

        Args:
            after: its token; None begins with the next event that becomes durable.

        Raises:
            MalformedToken: `after` is no token.
            HistoryLost: the token is of another log.
        """
        head = self._hub.head
        if after is None:
            return head, 0
        place = token.decode(after, self._chain_id, head)
        token.require_known(place, await self._behind.digest(place.position), head)
        if place.index == token.WHOLE or place.position == 0:
            return place.position, 0
        return place.position - 1, place.index + 1

    def add(self, follower: Follower) -> None:
        """Begin to serve a client, from its place on."""
        self._followers.add(follower)
        if follower.position < self._position or follower.skip:
            self._catch_up_soon(follower)

    def remove(self, follower: Follower) -> None:
        """Stop serving a client."""
        self._followers.discard(follower)

    async def run(self) -> None:
        """Write each event that becomes durable to each client, until cancelled."""
        while True:
            try:
                head = await self._hub.wait_beyond(self._position)
                await self._hand_out(await self._live.piece(self._position, 0, head))
            except StoreDamaged as error:
                self._break_off(error)
            except Exception:
                logger.exception("the stream cannot read the log beyond position %d; it tries again", self._position)
                await asyncio.sleep(RETRY_S)

    def _break_off(self, error: StoreDamaged) -> None:
        """End the clients whose next event is damaged: none may take the event behind it for the next one."""
        logger.error("the stream cannot go on for its clients: %s", error)
        for follower in self.followers:
            if not follower.late:
                follower.end(INTERNAL_ERROR, "")
        self._position = self._hub.head
        self._moved.set()

    async def token_of(self, follower: Follower) -> str:
        """Return the token of a client's place, with which it can reconnect."""
        position, index = follower.position, token.WHOLE
        if follower.skip:
            position, index = position + 1, follower.skip - 1
        digest = await self._behind.digest(position)
        assert digest is not None, position  # P7
        return token.encode(self._chain_id, position, index, digest)

    async def stop(self) -> None:
        """Stop serving all clients."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._live.close()
        self._behind.close()

    async def _hand_out(self, piece: Piece) -> None:
        before, self._position = self._position, piece.position
        for count, follower in enumerate(self.followers, 1):
            if not follower.late:
                self._hand_to(follower, before, piece)
            if count % SLICE_COUNT == 0:
                await asyncio.sleep(0)
        self._moved.set()

    def _hand_to(self, follower: Follower, before: int, piece: Piece) -> None:
        if follower.position == before:
            follower.write(piece)
        if follower.full or follower.position < piece.position:
            self._catch_up_soon(follower)

    def _catch_up_soon(self, follower: Follower) -> None:
        follower.late = True
        task = asyncio.create_task(self._catch_up(follower))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _catch_up(self, follower: Follower) -> None:
        try:
            while await follower.drained(self._stall_s_max):
                if follower.closing:
                    return
                if follower.position >= self._position and not follower.skip:
                    follower.late = False  # No await since the comparison: the feed's next block is this client's too.
                    follower.hear()
                    return
                through = max(self._position, follower.position + 1)
                follower.write(await self._behind.piece(follower.position, follower.skip, through))
            follower.end(TRY_AGAIN_LATER, await self.token_of(follower))
        except ConnectionError:
            return
        except StoreDamaged as error:
            logger.error("a client of the stream cannot be served beyond position %d: %s", follower.position, error)  # noqa: TRY400 - the row says all
            follower.end(INTERNAL_ERROR, "")
        except Exception:
            logger.exception("a client of the stream cannot be served beyond position %d", follower.position)
            follower.end(INTERNAL_ERROR, "")
