"""How a desk reads: first what was in hand, then the log, ahead and in bounded pieces; and again what comes again.

Bodies that are out are not kept. Reading goes on as long as the window has room: where all that was read ahead waits
for its key or its delay, its bodies are forgotten, and read again in their turn.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from itertools import islice
from typing import Final, Protocol

from bigchaindb.errors import StoreDamaged, StoreError
from bigchaindb.eventlog import subscription as definitions
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.subscribers.bodies import Bodies
from bigchaindb.subscribers.desk_log import FRAME_BYTES, DeskLog, Item, key_of
from bigchaindb.subscribers.desk_slots import Slots
from bigchaindb.subscribers.taker import Waiting

TAKE_COUNT: Final = 64
"""Events that are taken in without a pause for others."""
RECALL_COUNT: Final = 1_024
"""Events that are read again at once."""
READ_PART: Final = 4
"""While nobody waits this part of the window is free before the log is read on: a block is split at each read."""
RETRY_S: Final = 1.0
"""Time between two tries to read a log that cannot be read."""

_log: Final = logging.getLogger(__name__)


class Dealer(Protocol):
    """The desk that is read for."""

    @property
    def unread_count(self) -> int:
        """Events that it has room for; 0 while nobody consumes."""
        ...

    def take_up(self, item: Item) -> None:
        """Take an event that was in hand when the run began."""
        ...

    def take_in(self, item: Item) -> None:
        """Take the next event of the log in hand."""
        ...

    def passed(self, number: int) -> None:
        """Note that the log was read up to a number."""
        ...

    def opened(self) -> None:
        """Begin to deal out: everything that was in hand is known."""
        ...


class DeskReader:
    """Reads for one run of a desk.

    Attributes:
        number: up to here the log was read.
        token: of that place; "" until it is known.
        bodies: that were read and are not out.
    """

    def __init__(self, wanted: Subscription, log: DeskLog, dealer: Dealer, slots: Slots, waiting: Waiting) -> None:
        """Begin behind what the page has reached."""
        self.number = slots.reached
        self.token = ""
        self.bodies = Bodies()
        self._wanted = wanted
        self._log = log
        self._dealer = dealer
        self._slots = slots
        self._waiting = waiting
        self._absent: dict[int, None] = {}

    @property
    def lag(self) -> int:
        """Rows of the log that were not read to their end."""
        return max(0, self._log.hub.head - self._wanted.numbering.seen(self.number))

    def recall(self, numbers: Iterable[int]) -> None:
        """Read bodies again soon."""
        self._absent |= dict.fromkeys(numbers)
        self._waiting.asked.set()

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            HistoryLost: the log does not hold what it should.
            StoreDamaged: the next event is not as it was written.
        """
        self._log.reader_count += 1
        try:
            await self._run(self._slots.numbers)
        finally:
            self._log.reader_count -= 1

    async def _run(self, unsettled: list[int]) -> None:
        while self.token == "":
            await self._trying(lambda: self._begin(unsettled))
        self._dealer.opened()
        while True:
            if asked := self._may_recall():
                await self._trying(partial(self._recall, asked))
            elif self._may_read():
                await self._trying(self._read)
            else:
                self._waiting.asked.clear()
                await self._waiting.asked.wait()

    async def _trying(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except StoreDamaged:
            raise
        except (StoreError, OSError) as error:
            fields = {"subscription": self._wanted.name, "error": str(error)}
            _log.error("a subscription cannot read the log, and tries again", extra=fields)
            await asyncio.sleep(RETRY_S)

    async def _begin(self, unsettled: list[int]) -> None:
        """Learn the keys of what was in hand: before anything new, and before any of it is given."""
        wanted = self._wanted
        while unsettled:
            numbers = unsettled[:RECALL_COUNT]
            if wanted.order == definitions.BY_ASSET:
                known = await self._log.recall(wanted, numbers, bytes_max=FRAME_BYTES)
            else:
                known = [Item(number, key_of(wanted, number), b"") for number in numbers]
            for item in known:
                self._dealer.take_up(item)
                if item.envelope and self.bodies.room_bytes:
                    self.bodies.put(item.number, item.envelope)
            del unsettled[: len(known)]
        self.token = await self._log.token(wanted, self.number)
        self._dealer.passed(self.number)

    def _may_recall(self) -> list[int]:
        """Return what of the absent bodies may be read now: without room what somebody waits for, and no more."""
        if not self._absent:
            return []
        is_room = self.bodies.room_bytes > 0
        return sorted(islice(self._absent if is_room else self._waiting.firsts & self._absent.keys(), RECALL_COUNT))

    async def _recall(self, asked: list[int]) -> None:
        numbers = [number for number in asked if self._is_absent(number)]
        for number in {*asked}.difference(numbers):
            del self._absent[number]
        if not numbers:
            return
        bytes_max = max(self.bodies.room_bytes, FRAME_BYTES)
        for number, _, body in await self._log.recall(self._wanted, numbers, bytes_max=bytes_max):
            self._absent.pop(number, None)
            if self._is_absent(number):
                self.bodies.put(number, body)
        self._waiting.serve_soon()

    def _is_absent(self, number: int) -> bool:
        return number in self._slots and number not in self.bodies

    def _may_read(self) -> bool:
        room_count, is_wanting = self._dealer.unread_count, bool(self._waiting)
        if not (self.lag and room_count > 0) or (room_count < self._slots.count_max // READ_PART and not is_wanting):
            return False
        if not self.bodies.room_bytes and is_wanting:
            self.bodies.keep(self._waiting.firsts)  # those are about to be taken, and nobody would ask for them again
        return self.bodies.room_bytes > 0

    async def _read(self) -> None:
        dealer = self._dealer
        piece = await self._log.read(
            self._wanted, self.number, count_max=dealer.unread_count, bytes_max=self.bodies.room_bytes
        )
        for index, item in enumerate(piece.items, 1):
            dealer.take_in(item)
            self.bodies.put(item.number, item.envelope)
            if index % TAKE_COUNT == 0:
                self._pass(item.number)
                await asyncio.sleep(0)
        self.token = piece.token
        self._pass(piece.reached)

    def _pass(self, number: int) -> None:
        self.number = number
        self._dealer.passed(number)
