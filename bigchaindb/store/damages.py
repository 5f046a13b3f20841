"""What the reads of one process have found damaged, so that whoever looks after the node learns of all of them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from bigchaindb.errors import StoreDamaged


class Damages:
    """Counts damage and tells it on; any thread may note some.

    Attributes:
        first: what was found first, by an earlier process perhaps; None: the files are whole as far as they were read.
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
        self.first = None if mark is None else read_mark(mark)
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

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what the reads within raise."""
        try:
            yield
        except StoreDamaged as error:
            self.note(error)
            raise


def write_mark(mark: Path, error: StoreDamaged) -> None:
    """Keep a damage until a person has restored the data; on a disk that takes no more the log alone has it."""
    with suppress(OSError):
        descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{error.table}\n{error.row}\n{error}\n")
            file.flush()
            os.fsync(descriptor)


def read_mark(mark: Path) -> StoreDamaged | None:
    """Return the damage that was found first, by a process that may have ended; None: there was none."""
    try:
        table, row, *text = mark.read_text(encoding="utf-8", errors="replace").splitlines() or ["", ""]
    except (FileNotFoundError, ValueError):
        return None
    return StoreDamaged(" ".join(text), table=table, row=row)
