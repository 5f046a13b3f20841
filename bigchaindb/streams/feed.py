"""Follows the log and writes it to every client of the WebSocket stream, each at its own speed.

A client is either level with the feed, and gets each block with all others, or late: then a task of its own reads the
log from its place. Reads for late clients do not delay the feed (`shared_log`).
"""

import asyncio
import logging
from typing import Final

from bigchaindb.errors import StoreDamaged
from bigchaindb.ledger.effects import Effects
from bigchaindb.streams.follower import Follower
from bigchaindb.streams.shared_log import Frames, LogSource, Place, SharedLog
from bigchaindb.streams.websocket_frames import frames_of, read_frames

logger = logging.getLogger(__name__)

SLICE_COUNT: Final = 100
"""Clients that are written to in one turn of the loop: 100 take half a millisecond."""
RETRY_S: Final = 1.0
INTERNAL_ERROR: Final = 1011
TRY_AGAIN_LATER: Final = 1013


class Feed:
    """All clients of the stream. Belongs to the event loop."""

    def __init__(self, source: LogSource, stall_s_max: float) -> None:
        self.log: SharedLog[None] = SharedLog(source, "stream", read_frames)
        self._hub = source.hub
        self._hub.witness(self._add)
        self._stall_s_max = stall_s_max
        self._position = source.hub.head
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

    def add(self, follower: Follower) -> None:
        """Begin to serve a client, from its place on."""
        self._followers.add(follower)
        if not self._is_level(follower):
            self._catch_up_soon(follower)

    def remove(self, follower: Follower) -> None:
        """Stop serving a client."""
        self._followers.discard(follower)

    async def run(self) -> None:
        """Write each event that becomes durable to each client, until cancelled."""
        while True:
            try:
                head = await self._hub.wait_beyond(self._position)
                await self._hand_out(await self.log.at_head(None, Place(self._position), head))
            except StoreDamaged as error:
                self._break_off(error)
            except Exception:
                logger.exception("the WebSocket stream cannot read behind position %d; retrying", self._position)
                await asyncio.sleep(RETRY_S)

    def _add(self, effects: Effects) -> None:
        """Keep the frames of a decision for the clients at the head, if there are any."""
        if any(not follower.late for follower in self._followers):
            self.log.add(None, frames_of(effects, self.log.chain_id))

    def _break_off(self, error: StoreDamaged) -> None:
        """End the clients whose next event is damaged: none may take the event behind it for the next one."""
        logger.error("WebSocket clients at the head are closed: %s", error)
        for follower in self.followers:
            if not follower.late:
                follower.end(INTERNAL_ERROR, "")
        self._position = self._hub.head
        self._moved.set()

    async def stop(self) -> None:
        """Stop serving all clients."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.log.close()

    async def _hand_out(self, frames: Frames) -> None:
        before, self._position = self._position, frames.place.position
        for count, follower in enumerate(self.followers, 1):
            if not follower.late:
                self._hand_to(follower, before, frames)
            if count % SLICE_COUNT == 0:
                await asyncio.sleep(0)
        self._moved.set()

    def _hand_to(self, follower: Follower, before: int, frames: Frames) -> None:
        if follower.place.position == before:
            follower.write(frames)
        if follower.full or follower.place < frames.place:
            self._catch_up_soon(follower)

    def _is_level(self, follower: Follower) -> bool:
        return follower.place.position >= self._position and not follower.place.skip

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
                if self._is_level(follower):
                    follower.late = False  # No await since the comparison: the feed's next block is this client's too.
                    follower.hear()
                    return
                # No further than the feed: a client ahead of it would not get its next block from it.
                through = max(self._position, follower.place.position + 1)
                follower.write(await self.log.next(None, follower.place, through))
            follower.end(TRY_AGAIN_LATER, follower.token)
        except ConnectionError:
            return
        except StoreDamaged as error:
            position = follower.place.position
            logger.error("a WebSocket client cannot be served behind position %d: %s", position, error)  # noqa: TRY400 - the row says all
            follower.end(INTERNAL_ERROR, "")
        except Exception:
            logger.exception("a WebSocket client cannot be served behind position %d", follower.place.position)
            follower.end(INTERNAL_ERROR, "")
