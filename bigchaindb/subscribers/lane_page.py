"""The lane page: a plugin's progress in memory that its host and the supervisor share, and that outlives both.

`lanes/NAME.EPOCH` is a memory-mapped file of aligned 64-bit words. An acknowledgement is a store into it: a killed
process loses none, as the kernel has the page; `sync` is for power cuts. A new epoch is a new file, so what a stale
process writes is never read (P12).

The first sector holds `Word`s, the part from `SLOTS_WORD` on two words for each event of the window: the position in
hand (0: free; with the bit `RETURNING` if it was parked and comes again by hand, and between both how often it was
delivered before) and when this epoch's process took it (0: not yet). A position stands in a slot before the event is
delivered and leaves it by settlement alone (P6).

Where a desk is the host the page is *packed*: the first word has 63 bits for a number, and the count stands in the
second one, below the time in milliseconds. So the number of a transaction, position and index, has room.

What never changes is checked, together with the name of the file: the page of another lane or epoch is none. `CHECK` is
0 while `REACHED` and `CURSOR` change, and `HELD_CHECK` while a slot does. A packed page checks each slot instead: a
third word of it is written last and cleared first, and the slot holds an event exactly while this one is not 0. So a
kill between two stores leaves no record that looks damaged.

Source: decisions 0014, 0097 and 0115.
"""

import errno
import mmap
import os
from collections.abc import Iterator, Mapping
from enum import IntEnum
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple, Self
from urllib.parse import quote

from bigchaindb.errors import RESTORE, StoreDamaged, StoreFull
from bigchaindb.eventlog.lane import Progress

PAGE_BYTES: Final = 4096
_NAME_BYTES_MAX: Final = 255
"""Of a file, in Linux; a character of a lane's name takes up to 12."""
_STEM_KEPT: Final = 187
_MAKING: Final = ".new"
"""Behind the name of a page while it is made."""
SLOTS_WORD: Final = PAGE_BYTES // 8
"""The first word of the slots."""
RETURNING: Final = 1 << 63
"""Marks a position that the cursor does not know: it was parked, and is settled apart."""
_COUNT_SHIFT: Final = 44
POSITION: Final = (1 << _COUNT_SHIFT) - 1
"""The bits of a position: 10,000 events a second take 55 years to fill them."""
COUNT_MAX: Final = RETURNING // (POSITION + 1) - 1
"""Deliveries that a page counts, 524,287 of one event; beyond them node.db alone does, once a second."""
_TIME_SHIFT: Final = 22
_PACKED_COUNT_MAX: Final = (1 << _TIME_SHIFT) - 1
"""Deliveries that a packed page counts; above them there is room for 139 years in milliseconds."""
_NS_PER_MS: Final = 1_000_000
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
_MAGIC: Final = int.from_bytes(b"bcdblan2", "little")
_UNCHECKED: Final = int.from_bytes(b"bcdblan1", "little")
"""Of a page of earlier versions: without checks, and with two words for each slot."""
_ODD: Final = 0x9E3779B97F4A7C15
_ALL: Final = (1 << 64) - 1


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
    CHECK = 6
    """Of the two before; 0 while they change. All three are in one line of the processor's cache, so that a power cut
    leaves them of one moment."""
    READ_SINCE = 7
    """When the read of the log began that is under way, monotonic nanoseconds; 0: none is."""
    CLOSING = 8
    """1: the next `get` raises `Closed`."""
    IS_PACKED = 9
    """1: the page of a desk."""
    HEAD = 10
    """The durable head; the supervisor writes it, no reader passes it (P4)."""
    HEADER_CHECK = 11
    """Of what never changes but `BOOT`, and of the name of the file."""
    SEEK_COUNT = 12
    """How often a person had sent the lane to another place."""
    HELD_CHECK = 13
    """Of the slots of a plugin's page; 0 while they change, and where they change too often to be summed up."""


class _Held(NamedTuple):
    """What a slot holds: how often the event was delivered before, and since when it is out, or 0."""

    number: int
    is_returning: bool
    deliveries: int
    since_ns: int


class LanePage:
    """A mapped page. `words` is the whole of it, for those who store a word per event."""

    def __init__(self, path: Path) -> None:
        """Map the page at `path`.

        Raises:
            FileNotFoundError: there is no page.
            StoreDamaged: the file is no page, or that of another lane.
        """
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._map = _mapped(self._fd, path)
        except BaseException:
            os.close(self._fd)
            raise
        self.words: memoryview = memoryview(self._map).cast("Q")
        words, self.key = self.words, _key(path)
        self._is_packed = words[Word.IS_PACKED] == 1
        self._is_old: Final = words[Word.MAGIC] == _UNCHECKED
        self.is_checked: Final = self._is_packed and not self._is_old
        step = 3 if self.is_checked else 2
        self.slots: Final = range(SLOTS_WORD, SLOTS_WORD + step * words[Word.SLOT_COUNT], step)
        self._number: Final = RETURNING - 1 if self._is_packed else POSITION
        is_whole = self._is_old or (
            words[Word.MAGIC] == _MAGIC and words[Word.HEADER_CHECK] == _header_check(words, self.key)
        )
        if not is_whole or self.slots.stop > len(words):
            self.close()
            raise StoreDamaged(f"{path} is no lane page, or that of another lane; {RESTORE}")

    @classmethod
    def create(
        cls,
        path: Path,
        progress: Progress,
        *,
        head: int,
        slot_count: int,
        counts: Mapping[int, int] | None = None,
        is_packed: bool = False,
        seek_count: int = 0,
    ) -> Self:
        """Make a page that goes on from `progress`, durable before this returns. Replaces what is at `path`.

        Args:
            path: of the file.
            progress: how far the plugin is.
            head: of the log.
            slot_count: the plugin's window.
            counts: deliveries so far, by position; 0 for others.
            is_packed: for a desk.
            seek_count: how often a person has sent the lane to another place.

        Raises:
            StoreFull: there is no room on the disk.
        """
        unsettled = sorted([*progress.in_hand, *(position | RETURNING for position in progress.returning)])
        slot_count = max(slot_count, len(unsettled))
        key, step = _key(path), 3 if is_packed else 2
        words = memoryview(bytearray(PAGE_BYTES + 8 * step * slot_count)).cast("Q")
        words[Word.MAGIC], words[Word.BOOT], words[Word.SLOT_COUNT] = _MAGIC, _boot(), slot_count
        words[Word.START] = words[Word.CURSOR] = progress.cursor
        words[Word.REACHED], words[Word.HEAD], words[Word.IS_PACKED] = progress.reached, head, int(is_packed)
        words[Word.SEEK_COUNT] = seek_count
        words[Word.HEADER_CHECK] = _header_check(words, key)
        words[Word.CHECK] = check_of(key, progress.reached, progress.cursor)
        for slot, word in zip(range(SLOTS_WORD, len(words), step), unsettled, strict=False):
            count = (counts or {}).get(word & (RETURNING - 1), 0)
            if is_packed:
                words[slot], words[slot + 1], words[slot + 2] = word, packed_count(count), check_of(key, word)
            else:
                words[slot] = with_count(word, count)
        if not is_packed:
            words[Word.HELD_CHECK] = _held_check(words, key)
        try:
            _write_durably(path, words)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise StoreFull(f"{path}: no room on the disk; nothing was written") from error
        return cls(path)

    @property
    def cursor(self) -> int:
        """The cursor; while the host runs a lower bound."""
        return self.words[Word.CURSOR]

    @property
    def is_of_this_boot(self) -> bool:
        """Whether the machine has run on since the page was made, so that all of it is of one moment."""
        return self.words[Word.BOOT] == _boot()

    def require_whole(self) -> None:
        """Require that each record is what was written, as far as `progress` believes it and there are checks.

        Raises:
            StoreDamaged: one is not.
        """
        words = self.words
        if self.is_read_checked and words[Word.CHECK] != check_of(self.key, words[Word.REACHED], words[Word.CURSOR]):
            raise StoreDamaged(f"{self.path}: how far its events were read is not what was written; {RESTORE}")
        if self._is_old or not self.is_of_this_boot:
            return
        is_held_whole = (
            all(words[slot + 2] in {0, check_of(self.key, words[slot])} for slot in self.slots)
            if self._is_packed
            else words[Word.HELD_CHECK] in {0, _held_check(words, self.key)}
        )
        if not is_held_whole:
            raise StoreDamaged(f"{self.path}: an event in hand is not what was written; {RESTORE}")

    @property
    def is_read_checked(self) -> bool:
        """Whether there is a check of how far its events were read."""
        return not self._is_old and self.words[Word.CHECK] != 0

    def progress(self) -> Progress:
        """Return what is settled and what is in hand. Only for a page that nobody writes any more; else use `cursor`.

        After a restart of the machine only the cursor counts: a power cut keeps sectors of different moments, so the
        slots may be older than `REACHED`, while any `CURSOR` that ever stood there is a true lower bound.
        """
        words = self.words
        cursor = words[Word.CURSOR]
        if not self.is_of_this_boot:
            return Progress(cursor, cursor)
        held = list(self._held())
        in_hand = tuple(sorted(one.number for one in held if not one.is_returning))
        returning = tuple(sorted(one.number for one in held if one.is_returning))
        delivered = {one.number for one in held if one.since_ns}
        counts = {one.number: one.deliveries for one in held if one.deliveries}
        reached = max((words[Word.REACHED], *in_hand))  # a kill between slot and REACHED
        cursor = in_hand[0] - 1 if in_hand else reached
        return Progress(cursor, reached, in_hand, returning, delivered, counts)

    def in_hand(self) -> tuple[int, ...]:
        """Return the positions in the slots, ascending; while the host runs, as of this moment."""
        words = self.words[self.slots.start : self.slots.stop : self.slots.step].tolist()  # a large window has 65,536
        return tuple(sorted(word & self._number for word in words if word))

    def free_slot(self, start: int) -> int:
        """Return a free slot, the next one from `start` on; there must be one."""
        index = self.slots.index(start)
        return next(slot for part in (self.slots[index:], self.slots[:index]) for slot in part if not self.words[slot])

    def end_deliveries(self) -> None:
        """Count what was delivered to a process that has ended, and clear the times: it is nobody's fault any more."""
        words = self.words
        if not self._is_packed:
            words[Word.HELD_CHECK] = 0
        for slot in self.slots:
            if not words[slot + 1]:
                continue
            one = self._slot(slot)
            if self._is_packed:
                words[slot + 1] = packed_count(one.deliveries + (one.since_ns > 0)) if words[slot] else 0
            else:
                words[slot] = with_count(words[slot], one.deliveries + 1) if words[slot] else 0
                words[slot + 1] = 0
        if not self._is_packed:  # its process may have left it in the middle of a change
            words[Word.CHECK] = check_of(self.key, words[Word.REACHED], words[Word.CURSOR])
            words[Word.HELD_CHECK] = _held_check(words, self.key)

    def oldest_delivery(self) -> tuple[int, int] | None:
        """Return when the event in hand for longest was delivered, monotonic ns, and its position; None if none is."""
        beside = self.words[self.slots.start + 1 : self.slots.stop : self.slots.step].tolist()
        least = _PACKED_COUNT_MAX if self._is_packed else 0
        taken = [slot for slot, word in zip(self.slots, beside, strict=False) if word > least and self.words[slot]]
        return min(((one.since_ns, one.number) for one in map(self._slot, taken)), default=None)

    def _held(self) -> Iterator[_Held]:
        live = 2 if self.is_checked else 0
        return (self._slot(slot) for slot in self.slots if self.words[slot + live])

    def _slot(self, slot: int) -> _Held:
        word, beside = self.words[slot], self.words[slot + 1]
        if self._is_packed:
            since_ns = (beside >> _TIME_SHIFT) * _NS_PER_MS
            return _Held(word & self._number, word >= RETURNING, beside & _PACKED_COUNT_MAX, since_ns)
        return _Held(word & self._number, word >= RETURNING, word >> _COUNT_SHIFT & COUNT_MAX, beside)

    def sync(self) -> None:
        """Make the page durable."""
        os.fdatasync(self._fd)  # unlike mmap.flush it lets other threads run meanwhile

    def close(self) -> None:
        """Unmap it."""
        self.words.release()
        self._map.close()
        os.close(self._fd)


def page_path(directory: Path, name: str, epoch: int) -> Path:
    """Return the file of a lane's epoch; its name may hold any character."""
    plain, short = _stems(name)
    fits = len(f"{plain}.{epoch}{_MAKING}") <= _NAME_BYTES_MAX
    return directory / f"{plain if fits else short}.{epoch}"


def _stems(name: str) -> tuple[str, str]:
    """Return a lane's name as that of a file, and what stands for it where it is too long; "=" is in no other name."""
    plain = quote(name, safe="")
    return plain, f"{plain[:_STEM_KEPT]}={blake2b(name.encode(), digest_size=16).hexdigest()}"


def with_count(word: int, count: int) -> int:
    """Return a slot's word with how often its event was delivered, before the delivery whose time stands beside it."""
    return word & (RETURNING | POSITION) | min(count, COUNT_MAX) << _COUNT_SHIFT


def packed_count(count: int, since_ns: int = 0) -> int:
    """Return the second word of a slot of a packed page.

    Args:
        count: how often the event was delivered before.
        since_ns: when it was delivered, monotonic ns; 0 if it is not out.
    """
    return since_ns // _NS_PER_MS << _TIME_SHIFT | min(count, _PACKED_COUNT_MAX)


def check_of(key: int, *words: int) -> int:
    """Return the check of a record, which is never 0.

    Args:
        key: of the page.
        words: of the record.
    """
    for word in words:
        key = (key ^ word) * _ODD & _ALL
    return key | 1


def _held_check(words: memoryview, key: int) -> int:
    """Return the check of the slots of a plugin's page, wherever in them its events stand."""
    stop = SLOTS_WORD + 2 * words[Word.SLOT_COUNT]
    return check_of(key, *filter(None, words[SLOTS_WORD:stop:2].tolist()))


def _key(path: Path) -> int:
    return int.from_bytes(blake2b(path.name.encode(), digest_size=8).digest(), "little")


def _header_check(words: memoryview, key: int) -> int:
    seeks = [words[Word.SEEK_COUNT]] if words[Word.SEEK_COUNT] else []  # a page of earlier versions has no such word
    return check_of(key, words[Word.SLOT_COUNT], words[Word.START], words[Word.IS_PACKED], *seeks)


@cache
def _boot() -> int:
    """Identify this boot of the machine in 63 bits."""
    text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    return int(text.replace("-", "")[:15], 16)


def _mapped(fd: int, path: Path) -> mmap.mmap:
    size = os.fstat(fd).st_size
    if size < PAGE_BYTES or size % 8:
        raise StoreDamaged(f"{path} is no lane page, as it has {size} bytes; {RESTORE}")
    return mmap.mmap(fd, 0)


def _write_durably(path: Path, content: memoryview) -> None:
    temporary = path.with_name(f"{path.name}{_MAKING}")
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


def pages_of(directory: Path, name: str) -> Iterator[tuple[Path, int]]:
    """Yield the files of all epochs of a lane, with their numbers."""
    stems = _stems(name)
    for path in directory.iterdir():
        whole = path.with_suffix("") if path.suffix == _MAKING else path  # that of a process that died making it
        if whole.stem in stems and whole.suffix[1:].isdecimal():
            yield path, int(whole.suffix[1:])


def remove_pages(directory: Path, name: str, but: int | None = None) -> None:
    """Remove the files of a lane, except for those of one epoch."""
    for path, _ in list(pages_of(directory, name)):
        if path.suffix != f".{but}":
            path.unlink()
