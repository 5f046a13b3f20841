"""Hands transactions to CometBFT in batches, in the order they came, clients' in bundles. Belongs to the event loop.

It promises nothing: a transaction lost between here and a block (the queue is full, CometBFT dies with its mempool) is
submitted again by `accepted`, which keeps it until a block shows it.

Source: docs/explanation/network.md.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Final, NamedTuple

from bigchaindb.errors import CometBftUnavailable
from bigchaindb.ledger.bundle import bundled
from bigchaindb.ledger.rejections import INTERNAL_MARK

BATCH_COUNT_MAX: Final = 200
"""Transactions of one request; larger ones were no faster."""
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of those transactions: 5.6 MB in base64, below the 8 MB of `rpc.max_body_bytes`."""
GATHER_S_MAX: Final = 0.005
"""Time between the beginnings of two batches that are not full. A transaction after a pause is sent at once."""
QUEUE_COUNT_MAX: Final = 20_000
"""Transactions that wait: twice as many as a node accepts before it refuses more (10,000)."""
QUEUE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of those transactions, as much as a pool holds."""
SENT_COUNT_MAX: Final = 1_000
"""Bundles of this node's own that are recognized. CometBFT asks for one soon after it was sent."""
RETRY_S_MIN: Final = 0.1
RETRY_S_MAX: Final = 2.0
"""Between two attempts while CometBFT is away. It is back 0.2 s after a crash, if nothing else is wrong."""

KNOWN: Final = "tx already exists in cache"
"""CometBFT's message about a transaction that it has received before."""

Broadcast = Callable[[Sequence[bytes]], Awaitable[Sequence[str | None]]]
"""Sends one batch; returns why each transaction was not taken, None if it was. Raises CometBftUnavailable."""

_log: Final = logging.getLogger(__name__)


class _Waiting(NamedTuple):
    """A transaction in the queue, and whether it travels in no bundle."""

    body: bytes
    alone: bool


class Submitter:
    """A bounded queue, and one batch of it under way at a time."""

    def __init__(self, broadcast: Broadcast, *, bundle_bytes_max: int) -> None:
        """Send nothing before `run`.

        Args:
            broadcast: to CometBFT.
            bundle_bytes_max: the longest transaction of CometBFT's mempool.
        """
        self._broadcast = broadcast
        self._bundle_bytes_max = bundle_bytes_max
        self._sent: deque[bytes] = deque(maxlen=SENT_COUNT_MAX)
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()

    @property
    def count(self) -> int:
        """Transactions that wait."""
        return len(self._queue)

    def put(self, body: bytes, *, alone: bool = False) -> bool:
        """Append a transaction, of at most `BATCH_BYTES_MAX` bytes; never waits.

        Args:
            body: of a client, or of the network's own.
            alone: whether it travels in no bundle; one of the network's own does not in any case.

        Returns:
            Whether there was room for it.
        """
        assert len(body) <= BATCH_BYTES_MAX, len(body)
        if len(self._queue) >= QUEUE_COUNT_MAX or self._bytes + len(body) > QUEUE_BYTES_MAX:
            return False
        self._queue.append(_Waiting(body, alone or body.startswith(INTERNAL_MARK)))
        self._bytes += len(body)
        if len(self._queue) == 1 or self._is_full():
            self._changed.set()
        return True

    def has_sent(self, carried: bytes) -> bool:
        """Whether something that CometBFT carries was sent from here; true of the newest ones alone."""
        return sha256(carried).digest() in self._sent

    def stop(self) -> None:
        """Make `run` return, after the batch that is under way; waiting transactions are not sent."""
        self._stopping.set()
        self._changed.set()

    async def run(self) -> None:
        """Send transactions until `stop`."""
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        while not self._stopping.is_set():
            await self._until(lambda: bool(self._queue))
            if (wait_s := next_s - loop.time()) > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._until(self._is_full)
            next_s = loop.time() + GATHER_S_MAX
            await self._send(self._batch())

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition() and not self._stopping.is_set():
            self._changed.clear()
            await self._changed.wait()

    def _is_full(self) -> bool:
        return len(self._queue) >= BATCH_COUNT_MAX or self._bytes >= BATCH_BYTES_MAX

    def _batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        room = BATCH_BYTES_MAX
        while self._queue and len(batch) < BATCH_COUNT_MAX and len(self._queue[0].body) <= room:
            batch.append(self._queue.popleft())
            room -= len(batch[-1].body)
        self._bytes -= BATCH_BYTES_MAX - room
        return batch

    async def _send(self, waiting: Sequence[_Waiting]) -> None:
        batch = [one.body for one in waiting if one.alone]
        batch += bundled((one.body for one in waiting if not one.alone), self._bundle_bytes_max)
        self._sent.extend(sha256(one).digest() for one in batch)
        retry_s = RETRY_S_MIN
        while not self._stopping.is_set():
            try:
                refusals = await self._broadcast(batch)
            except CometBftUnavailable as error:
                if retry_s == RETRY_S_MIN:  # once an absence, not once an attempt
                    _log.warning("transactions wait for CometBFT", extra={"why": str(error)})
            else:
                _log_refused(refusals)
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(retry_s):
                    await self._stopping.wait()
            retry_s = min(retry_s * 2, RETRY_S_MAX)


def _log_refused(refusals: Sequence[str | None]) -> None:
    """Log in one line what the mempool refused, apart from transactions that it has already."""
    texts = [text for text in refusals if text is not None and KNOWN not in text]
    if texts:
        _log.warning("CometBFT refused transactions", extra={"count": len(texts), "first": texts[0]})
