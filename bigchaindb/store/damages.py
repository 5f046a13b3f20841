"""What the reads of one process have found damaged, so that the operator learns of all of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from bigchaindb.errors import StoreDamaged
from bigchaindb.files import write

_HALTS: Final = "no transaction is taken"
"""The last line of a mark, where a block could not be decided."""


class Damages:
    """Counts damage and tells it on; any thread may note some.

    Attributes:
        first: what was found first, by an earlier process perhaps; None: the files are whole as far as they were read.
        halting: what kept a block from being decided, in an earlier process perhaps; None: nothing did.
        count: how many reads have met damage.
    """

    def __init__(self, mark: Path | None = None) -> None:
        """Begin with what an earlier process has found.

        Args:
            mark: a file that keeps the first damage beyond the end of this process: see `read_mark`.
        """
        self._mark = mark
        self._lock = Lock()
        self._listener: Callable[[StoreDamaged], None] | None = None
        kept = None if mark is None else read_mark(mark)
        self.first = None if kept is None else kept.damage
        self.halting = kept.damage if kept is not None and kept.halts else None
        self.count = 0

    def listen(self, listener: Callable[[StoreDamaged], None]) -> None:
        """Call `listener` with the first damage so far, and with each from now on in the thread that met it."""
        self._listener = listener
        if self.first is not None:
            listener(self.first)

    def note(self, error: StoreDamaged) -> None:
        """Note that a read has met damage."""
        with self._lock:
            self.count += 1
            if self.first is None and self._mark is not None:
                write_mark(self._mark, error)
            self.first = self.first or error
        if self._listener is not None:
            self._listener(error)

    def halt(self, error: StoreDamaged) -> None:
        """Note that damage kept a block from being decided: none is tried until a person has restored the data."""
        with self._lock:
            self.halting = error
            if self._mark is not None:
                write_mark(self._mark, error, halts=True)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what the reads within raise."""
        try:
            yield
        except StoreDamaged as error:
            self.note(error)
            raise


class Mark(NamedTuple):
    """What the file `damaged` says.

    Attributes:
        damage: what was found first, or what kept a block from being decided.
        halts: whether it did that.
    """

    damage: StoreDamaged
    halts: bool


def write_mark(mark: Path, error: StoreDamaged, *, halts: bool = False) -> None:
    """Keep a damage until a person has restored the data; on a disk that takes no more the log alone has it."""
    lines = [error.table, error.row, str(error), *([_HALTS] if halts else [])]
    with suppress(OSError):
        write(mark, "".join(f"{line}\n" for line in lines).encode())


def read_mark(mark: Path) -> Mark | None:
    """Return what was found damaged, by a process that may have ended; None: nothing was."""
    try:
        table, row, *text = mark.read_text(encoding="utf-8", errors="replace").splitlines() or ["", ""]
    except (FileNotFoundError, ValueError):
        return None
    halts = text[-1:] == [_HALTS]
    return Mark(StoreDamaged(" ".join(text[:-1] if halts else text), table=table, row=row), halts)
