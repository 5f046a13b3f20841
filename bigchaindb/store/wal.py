"""Whether a write-ahead log holds all that was committed: SQLite reads it up to the first frame that is not whole.

After a crash that is right, since what follows was never synced. A flipped bit looks the same, and takes all commits
behind it. The two differ by what follows: each commit is synced before the next frame is written, and the checksum of a
frame continues that of the frame before it. So a frame that continues a commit shows that all before it was durable.

Source: https://www.sqlite.org/fileformat2.html, section 4; docs/decisions/0173.
"""

from collections.abc import Iterator
from pathlib import Path
from struct import Struct, unpack
from typing import BinaryIO, Final, NamedTuple

from bigchaindb.errors import RESTORE, StoreDamaged

_HEADER: Final = Struct(">I4xI4x8sII")
"""Magic, bytes of a page, salts, checksum of what stands before it."""
_FRAME: Final = Struct(">4xI8sII")
"""Pages of the database after a commit, else 0; salts, checksum."""
_SUMMED_BYTES: Final = 8
"""Of a frame's head; its page is summed too."""
_ORDERS: Final = {0x377F0682: "<", 0x377F0683: ">"}
"""Of the bytes of the words that are summed, by the magic."""
_BUFFER_BYTES: Final = 1 << 20
_ALL: Final = (1 << 32) - 1

_Sums = tuple[int, int]


class _Frame(NamedTuple):
    """A frame: whether it ends a commit, whose it is, its checksum, and what that is of."""

    is_commit: bool
    salts: bytes
    sums: _Sums
    summed: bytes


def require_whole(database: Path) -> None:
    """Require that SQLite finds each commit in the write-ahead log of a database that this process has not open.

    Raises:
        StoreDamaged: it does not.
    """
    if (text := complaint(database)) is not None:
        raise StoreDamaged(f"{text}; stop, and {RESTORE}")


def complaint(database: Path) -> str | None:
    """Return what is damaged in the write-ahead log of a database; None: nothing that was committed is lost."""
    path = database.with_name(f"{database.name}-wal")
    try:
        found = _broken(path)
        if found is None or found != _broken(path):  # a process that writes meanwhile leaves frames that are half new
            return None
    except OSError:  # SQLite names what cannot be read
        return None
    what = f"frame {found}" if found else "the header"
    return f"{path.name}: {what} is not what was written, so the commits behind it cannot be read"


def _broken(path: Path) -> int | None:
    """Return the number of the first broken frame, if it was durable once; 0 is the header."""
    with path.open("rb", buffering=_BUFFER_BYTES) as file:
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return None
        magic, page_bytes, salts, *sums = _HEADER.unpack(head)
        order = _ORDERS.get(magic)
        if order is None or _sums_of(head[: -2 * 4], order, (0, 0)) != (sums[0], sums[1]):
            return 0 if file.read(1) else None  # it is synced before the first frame is written
        return _first_lost(_frames(file, page_bytes), order, salts, (sums[0], sums[1]))


def _first_lost(frames: Iterator[_Frame], order: str, salts: bytes, sums: _Sums) -> int | None:
    broken: int | None = None
    ends: set[_Sums] = set()
    for number, frame in enumerate(frames, 1):
        is_own = frame.salts == salts  # otherwise it is left of the log before this one, or damaged
        if broken is None:
            right = _sums_of(frame.summed, order, sums)
            if is_own and right == frame.sums:
                sums = right
                continue
            broken, found = number, {right, frame.sums}
        elif is_own and any(_sums_of(frame.summed, order, end) == frame.sums for end in ends):
            return broken
        else:
            found = {frame.sums}
        ends = found if frame.is_commit else set()
    return None


def _frames(file: BinaryIO, page_bytes: int) -> Iterator[_Frame]:
    size = _FRAME.size + page_bytes
    while len(frame := file.read(size)) == size:
        pages, salts, *sums = _FRAME.unpack_from(frame)
        yield _Frame(pages > 0, salts, (sums[0], sums[1]), frame[:_SUMMED_BYTES] + frame[_FRAME.size :])


def _sums_of(content: bytes, order: str, sums: _Sums) -> _Sums:
    """Return the checksum of a content that continues another: 15 ms for a megabyte."""
    first, second = sums
    words = iter(unpack(f"{order}{len(content) // 4}I", content))
    for word in words:
        first = first + word + second & _ALL
        second = second + next(words) + first & _ALL
    return first, second
