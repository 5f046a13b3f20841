"""Writes log lines in a thread, so that no reader of standard error can block the event loop.

A pipe that nobody reads, or a disk that does not answer, blocks the writer. Lines wait here instead, up to a bound in
bytes; a line that finds no room is dropped and counted, and the log names the count once there is room again.
"""

import logging
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from time import monotonic
from typing import Final

CLOSE_S_MAX: Final = 1.0
"""How long the end of the process waits for lines to be written; a stop has two seconds in all."""
PIECE_BYTES: Final = 64 * 1024
"""Most bytes of one write, except for a single longer line; the capacity of a pipe."""

CONSOLE: Final = "console"
"""Name of the queue for standard error."""

Write = Callable[[bytes], None]


class LineQueue(logging.Handler):
    """A handler that never waits. Lines are formatted at once, since records may change later.

    Attributes:
        dropped_count: lines that found no room or could not be written.
        said: returns the line of a text that is no record, for its level.
    """

    def __init__(self, write: Write, bytes_max: int, on_close: Callable[[], None] = lambda: None) -> None:
        """Call `write` in a thread of its own.

        Args:
            write: may block for ever, and raise `OSError`.
            bytes_max: of waiting lines; a single line may exceed it.
            on_close: called once everything is written, or `CLOSE_S_MAX` after `close`.
        """
        super().__init__()
        self._on_close = on_close
        self.dropped_count = 0
        self.said: Callable[[str, int], str] = lambda text, _: text
        self._write = write
        self._bytes_max = bytes_max
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._unreported_count = 0
        self._is_ending = False
        self._changed = Condition()
        Thread(target=self._run, name="bigchaindb-log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the line of a record."""
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 - the standard library would write to standard error itself
            about = f"a log line cannot be formatted: {type(error).__name__}, logger {record.name}"
            line = self.said(about, logging.ERROR)
        self._put(line)

    def put(self, text: str, level: int = logging.INFO) -> None:
        """Queue a text that is no record."""
        self._put(self.said(text, level))

    def _put(self, text: str) -> None:
        line = text.encode(errors="backslashreplace") + b"\n"
        with self._changed:
            if self._lines and self._bytes + len(line) > self._bytes_max:
                self._drop(1)
                return
            self._report_dropped()
            self._append(line)
            self._changed.notify_all()

    def close(self) -> None:
        """Write the waiting lines, for `CLOSE_S_MAX` at most, and end the thread. The exit of the process calls it."""
        deadline_s = monotonic() + CLOSE_S_MAX
        with self._changed:
            while not self._is_ending and (self._bytes or self._unreported_count):
                if not self._changed.wait(max(0.0, deadline_s - monotonic())):
                    break
            if self._is_ending:
                return
            self._is_ending = True
            self._changed.notify_all()
        self._on_close()
        super().close()

    def _run(self) -> None:
        while piece := self._take():
            try:
                self._write(piece)
            except Exception:  # noqa: BLE001 - no reader, a full disk or a defect: the log goes on without these lines
                with self._changed:
                    self._drop(piece.count(b"\n"), is_reported=False)
            with self._changed:
                self._bytes -= len(piece)
                self._changed.notify_all()

    def _take(self) -> bytes:
        """Wait for lines and return them; empty bytes mean the end."""
        with self._changed:
            while not self._lines and not self._is_ending:
                if self._unreported_count:
                    self._report_dropped()
                else:
                    self._changed.wait()
            taken: list[bytes] = []
            size = 0
            while self._lines and (not taken or size + len(self._lines[0]) <= PIECE_BYTES):
                taken.append(self._lines.popleft())
                size += len(taken[-1])
        return b"".join(taken)

    # Under the lock

    def _append(self, line: bytes) -> None:
        self._lines.append(line)
        self._bytes += len(line)

    def _drop(self, count: int, *, is_reported: bool = True) -> None:
        self.dropped_count += count
        self._unreported_count += count if is_reported else 0

    def _report_dropped(self) -> None:
        if not self._unreported_count:
            return
        record = logging.LogRecord(__name__, logging.WARNING, "", 0, "log lines were dropped", (), None)
        record.dropped = self._unreported_count
        record.why = "they could not be written in time"
        self._unreported_count = 0
        self._append(self.format(record).encode(errors="backslashreplace") + b"\n")


def queues() -> list[LineQueue]:
    """Return the queues of the log."""
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, LineQueue)]


def put(text: str, level: int = logging.INFO) -> bool:
    """Write a text to standard error behind the waiting lines; False if no queue for standard error exists."""
    for queue in queues():
        if queue.name == CONSOLE:
            queue.put(text, level)
            return True
    return False
