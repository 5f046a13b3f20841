"""Reads the log for the WebSocket stream: frames of whole blocks, in a thread of its own."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from bigchaindb.config.settings import KIB
from bigchaindb.errors import StoreDamaged
from bigchaindb.ledger.effects import NO_DIGEST
from bigchaindb.ledger.ports import LogReader
from bigchaindb.streams.log_thread import LogThread
from bigchaindb.streams.websocket_frames import frames

PIECE_BYTES: Final = 64 * KIB
"""A piece of at least this size gets no further block; a single block of 1,000 transactions has 270 KB."""


class Piece(NamedTuple):
    """Frames of one or more blocks.

    Attributes:
        position: of the last event in it.
        data: the frames; empty for invalid blocks.
    """

    position: int
    data: bytes


class LogFrames:
    """One reader of the log and the thread that it belongs to."""

    def __init__(self, open_reader: Callable[[], LogReader], name: str) -> None:
        self._thread = LogThread(open_reader, name)

    async def piece(self, after: int, skip: int, through: int) -> Piece:
        """Return the frames of the next events, at least one.

        Args:
            after: the position before the first.
            skip: how many transactions of the first event to leave out.
            through: the last position that may be read: durable, and above `after`.
        """
        return await self._thread.run(lambda reader: _piece(reader, after, skip, through))

    async def digest(self, position: int) -> bytes | None:
        """Return the log's digest at a position, None if it has no such position."""
        if position == 0:
            return NO_DIGEST
        entry = await self._thread.run(lambda reader: reader.entry(position))
        return None if entry is None else entry.digest

    def close(self) -> None:
        """Wait for the running read; start no other."""
        self._thread.close()


def _piece(reader: LogReader, after: int, skip: int, through: int) -> Piece:
    assert after < through, (after, through)  # P4: nobody reads beyond the durable head
    position = after + 1
    data = [frames(reader.announcements(position)[skip:])]
    size = len(data[0])
    with suppress(StoreDamaged):  # The events before it are served; the next piece begins with it.
        while position < through and size < PIECE_BYTES:
            data.append(frames(reader.announcements(position + 1)))
            position += 1
            size += len(data[-1])
    return Piece(position, b"".join(data))
