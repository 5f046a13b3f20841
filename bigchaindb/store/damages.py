"""What the reads of one process have found damaged, so that whoever looks after the node learns of all of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from bigchaindb.errors import StoreDamaged


class Damages:
    """Counts damage and tells it on; any thread may note some.

    Attributes:
        first: what was found first; None: the files are whole as far as they were read.
        count: how many reads have met damage.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._listener: Callable[[StoreDamaged], None] | None = None
        self.first: StoreDamaged | None = None
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
