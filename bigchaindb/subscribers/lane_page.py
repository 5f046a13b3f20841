"""The lane page: a plugin's progress in memory that its host and the supervisor share, and that outlives both.

`lanes/NAME.EPOCH` is a memory-mapped file of aligned 64-bit words. An acknowledgement is a store into it: a killed
process loses none, as the kernel has the page; `sync` is for power cuts. A new epoch is a new file, so what a stale
process writes is never read (P12).

The first sector holds `Word`s, the part from `SLOTS_WORD` on two words for each event of the window: the position in
hand (0: free; with the bit `RETURNING` if it was parked and comes again by hand, and between both how often it was
delivered before) and when this epoch's process took it (0: not yet). A position stands in a slot before the event is
delivered and leaves it by settlement alone (P6).

Source: decision 0014.
"""

import mmap
import os
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

from bigchaindb.errors import StoreDamaged
from bigchaindb.eventlog.lane import Progress

PAGE_BYTES: Final = 4096
SLOTS_WORD: Final = PAGE_BYTES // 8
"""The first word of the slots."""
RETURNING: Final = 1 << 63
"""Marks a position that the cursor does not know: it was parked, and is settled apart."""
_COUNT_SHIFT: Final = 44
POSITION: Final = (1 << _COUNT_SHIFT) - 1
"""The bits of a position: 10,000 events a second take 55 years to fill them."""
COUNT_MAX: Final = RETURNING // (POSITION + 1) - 1
"""Deliveries that a page counts, 524,287 of one event; beyond them node.db alone does, once a second."""
_MAGIC: Final = int.from_bytes(b"bcdblan1", "little")


class Word(IntEnum):
    """What the words of the first sector are."""

    MAGIC = 0
    BOOT = 1
    """Which boot of the machine wrote the page."""
    SLOT_COUNT = 2
    START = 3
    """The cursor at which this epoch began."""
    CURSOR = 4
    REACHED = 5
    HEAD = 6
    """The durable head; the supervisor writes it, no reader passes it (P4)."""
    READ_SINCE = 7
    """When the read of the log began that is under way, monotonic nanoseconds; 0: none is."""
    CLOSING = 8
    """1: the next `get` raises `Closed`."""


class LanePage:
    """A mapped page. `words` is the whole of it, for those who store a word per event."""

    def __init__(self, path: Path) -> None:
        """Map the page at `path`.

        Raises:
            FileNotFoundError: there is no page.
            StoreDamaged: the file is no page.
        """
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._map = _mapped(self._fd, path)
        except BaseException:
            os.close(self._fd)
            raise
        self.words: memoryview = memoryview(self._map).cast("Q")
        self.slots: Final = range(SLOTS_WORD, SLOTS_WORD + 2 * self.words[Word.SLOT_COUNT], 2)
        if self.words[Word.MAGIC] != _MAGIC or self.slots.stop > len(self.words):
            self.close()
            raise StoreDamaged(
                f"{path}: is no lane page; delete the file: the plugin goes on where node.db saw it last"
            )

    @classmethod
    def create(
        cls, path: Path, progress: Progress, *, head: int, slot_count: int, counts: Mapping[int, int] | None = None
    ) -> Self:
        """Make a page that goes on from `progress`, durable before this returns. Replaces what is at `path`.

        Args:
            path: of the file.
            progress: how far the plugin is.
            head: of the log.
            slot_count: the plugin's window.
            counts: deliveries so far, by position; 0 for others.
        """
        unsettled = sorted([*progress.in_hand, *(position | RETURNING for position in progress.returning)])
        slot_count = max(slot_count, len(unsettled))
        words = memoryview(bytearray(PAGE_BYTES + 16 * slot_count)).cast("Q")
        words[Word.MAGIC], words[Word.BOOT], words[Word.SLOT_COUNT] = _MAGIC, _boot(), slot_count
        words[Word.START] = words[Word.CURSOR] = progress.cursor
        words[Word.REACHED], words[Word.HEAD] = progress.reached, head
        for index, position in enumerate(unsettled):
            words[SLOTS_WORD + 2 * index] = with_count(position, (counts or {}).get(position & POSITION, 0))
        _write_durably(path, words)
        return cls(path)

    @property
    def cursor(self) -> int:
        """The cursor; while the host runs a lower bound."""
        return self.words[Word.CURSOR]

    @property
    def is_of_this_boot(self) -> bool:
        """Whether the machine has run on since the page was made, so that all of it is of one moment."""
        return self.words[Word.BOOT] == _boot()

    def progress(self) -> Progress:
        """Return what is settled and what is in hand. Only for a page that nobody writes any more; else use `cursor`.

        After a restart of the machine only the cursor counts: a power cut keeps sectors of different moments, so the
        slots may be older than `REACHED`, while any `CURSOR` that ever stood there is a true lower bound.
        """
        words = self.words
        cursor = words[Word.CURSOR]
        if not self.is_of_this_boot:
            return Progress(cursor, cursor)
        held = [(words[slot], words[slot + 1]) for slot in self.slots if words[slot]]
        in_hand = tuple(sorted(word & POSITION for word, _ in held if word < RETURNING))
        returning = tuple(sorted(word & POSITION for word, _ in held if word >= RETURNING))
        delivered = {word & POSITION for word, delivered_ns in held if delivered_ns}
        counts = {word & POSITION: _count(word) for word, _ in held if _count(word)}
        reached = max((words[Word.REACHED], *in_hand))  # a kill between slot and REACHED
        cursor = in_hand[0] - 1 if in_hand else reached
        return Progress(cursor, reached, in_hand, returning, delivered, counts)

    def in_hand(self) -> tuple[int, ...]:
        """Return the positions in the slots, ascending; while the host runs, as of this moment."""
        return tuple(sorted(word & POSITION for slot in self.slots if (word := self.words[slot])))

    def free_slot(self, start: int) -> int:
        """Return a free slot, the next one from `start` on; there must be one."""
        index = self.slots.index(start)
        return next(slot for part in (self.slots[index:], self.slots[:index]) for slot in part if not self.words[slot])

    def end_deliveries(self) -> None:
        """Count what was delivered to a process that has ended, and clear the times: it is nobody's fault any more."""
        for slot in self.slots:
            if self.words[slot + 1]:
                word = self.words[slot]
                self.words[slot] = with_count(word, _count(word) + 1) if word else 0
                self.words[slot + 1] = 0

    def oldest_delivery(self) -> tuple[int, int] | None:
        """Return when the event in hand for longest was delivered, monotonic ns, and its position; None if none is."""
        held = ((self.words[slot], self.words[slot + 1]) for slot in self.slots)
        return min(((since_ns, word & POSITION) for word, since_ns in held if word and since_ns), default=None)

    def sync(self) -> None:
        """Make the page durable."""
        os.fdatasync(self._fd)  # unlike mmap.flush it lets other threads run meanwhile

    def close(self) -> None:
        """Unmap it."""
        self.words.release()
        self._map.close()
        os.close(self._fd)


def page_path(directory: Path, name: str, epoch: int) -> Path:
    """Return the file of a lane's epoch; a plugin's name may hold any character."""
    return directory / f"{quote(name, safe='')}.{epoch}"


def with_count(word: int, count: int) -> int:
    """Return a slot's word with how often its event was delivered, before the delivery whose time stands beside it."""
    return word & (RETURNING | POSITION) | min(count, COUNT_MAX) << _COUNT_SHIFT


def _count(word: int) -> int:
    return word >> _COUNT_SHIFT & COUNT_MAX


def _boot() -> int:
    """Identify this boot of the machine in 63 bits."""
    text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    return int(text.replace("-", "")[:15], 16)


def _mapped(fd: int, path: Path) -> mmap.mmap:
    size = os.fstat(fd).st_size
    if size < PAGE_BYTES or size % 8:
        raise StoreDamaged(
            f"{path}: {size} bytes are no lane page; delete the file: the plugin goes on where node.db saw it last"
        )
    return mmap.mmap(fd, 0)


def _write_durably(path: Path, content: memoryview) -> None:
    temporary = path.with_name(f"{path.name}.new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)  # a file of its own, whoever still maps the one before
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
