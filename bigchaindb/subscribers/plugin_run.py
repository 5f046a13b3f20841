"""One host of a lane, and the page that it shares with the node. Belongs to the event loop."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

from bigchaindb.errors import BigchainDBError
from bigchaindb.eventlog import facts
from bigchaindb.subscribers.lane_page import LanePage, Word
from bigchaindb.subscribers.machine import Host, Machine

GRACE_S: Final = 1.0
"""Time for a plugin to end by itself before an order is carried out. Source: event-plugin-api.md, section 5."""
READ_S_MAX: Final = 5.0
"""A read of the log takes milliseconds; one that lasts longer, in a stopped process, pins the write-ahead log."""
STUCK_S: Final = 60.0
"""An event in hand for longer is worth a line in the log."""


class FirstStart:
    """Whether the first start after an order, or at the start of the node, succeeds."""

    def __init__(self) -> None:
        self._done: asyncio.Future[None] | None = None  # made when asked for: a thousand may have no consumer

    @property
    def is_awaited(self) -> bool:
        """Whether it is not known yet."""
        return self._done is None or not self._done.done()

    def begin(self) -> None:
        """Stand for another start from now on."""
        if not self.is_awaited:
            self._done = None

    def end(self, error: BigchainDBError | None = None) -> None:
        """Note that a host is ready, or what kept it from that; the first word counts."""
        done = self._future()
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
            done.exception()  # at an order nobody may wait for it

    async def ready(self) -> None:
        """Wait until a host is ready; raise what kept it from that."""
        await self._future()

    def _future(self) -> asyncio.Future[None]:
        if self._done is None:
            self._done = asyncio.get_running_loop().create_future()
        return self._done


class PluginRun:
    """A host from its start to its end.

    Attributes:
        host: the process, or the desk.
        last: what it reported last of how `run` ended; or why the node ended it.
        is_blameless: the node ended it, for no fault of an event.
        has_begun: `run` may be called: the process has been nudged.
    """

    def __init__(self, page: LanePage, machine: Machine, host: Host) -> None:
        """Take over a host that was started on a page."""
        self.page = page
        self.host = host
        self.last: facts.LastWord | None = None
        self.is_blameless = False
        self.has_begun = False
        self._machine = machine
        self._warned_of = 0

    def begin(self) -> None:
        """Nudge the process, which then calls `run`."""
        self.has_begun = True
        self.host.nudge()

    def announce(self, head: int) -> None:
        """Pass on how far the log is durable; never waits (S1)."""
        self.page.words[Word.HEAD] = head  # P4
        if self.has_begun:
            self.host.nudge()

    def close(self) -> None:
        """Close the plugin's queue: the next `get` raises `Closed`."""
        self.page.words[Word.CLOSING] = 1
        self.host.nudge()

    def kill(self, why: str) -> None:
        """End the process for no fault of an event."""
        self.last, self.is_blameless = facts.Raised(why), True
        self.host.kill()

    async def end(self) -> None:
        """Wait until the host has ended, as it was told to; by force after a while."""
        try:
            async with asyncio.timeout(GRACE_S):  # `wait_for` may swallow the cancellation of a stop
                await self.host.ended.wait()
        except TimeoutError:
            self.host.kill()
            await self.host.ended.wait()

    def has_reached(self, number: int) -> bool:
        """Whether every event up to a number was taken."""
        return self.page.words[Word.REACHED] >= number

    def oldest_s(self) -> float:
        """Return the age of the event in hand for longest; 0 if none is."""
        oldest = self.page.oldest_delivery()
        return 0.0 if oldest is None else max(0.0, self._age_s(oldest[0]))

    def stuck(self) -> tuple[int, float] | None:
        """Return an event that is in hand for too long, and its age; None if there is none, or it was named before."""
        if (oldest := self.page.oldest_delivery()) is None:
            return None
        delivered_ns, position = oldest
        age_s = self._age_s(delivered_ns)
        if age_s < STUCK_S or position == self._warned_of:
            return None
        self._warned_of = position
        return position, age_s

    def end_pinning_read(self, ledger: Path, wal_bytes_max: int) -> None:
        """End a process whose read keeps the write-ahead log from being reset, once that has grown too far (S1)."""
        since_ns = self.page.words[Word.READ_SINCE]
        if not since_ns or self._age_s(since_ns) < READ_S_MAX:
            return
        with suppress(OSError):  # read again at the next look
            if ledger.with_name(f"{ledger.name}-wal").stat().st_size > wal_bytes_max:
                self.kill(f"a read of the log lasted over {READ_S_MAX:g} s and kept the disk from being freed")

    def _age_s(self, since_ns: int) -> float:
        return (self._machine.monotonic_ns() - since_ns) / 1e9
