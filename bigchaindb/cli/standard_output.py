"""Standard output of a command: one that takes no result ends the command with a sentence, and with exit code 1."""

import io
import sys
from typing import TYPE_CHECKING, Final

from bigchaindb.standard_error import fill_standard_streams

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STANDARD_OUTPUT: Final = 1


class ResultFile(io.FileIO):
    """Standard output as a file whose errors are sentences. A reader that is gone is left to click."""

    def __init__(self, descriptor: int, *, is_closed: bool = False) -> None:
        """Write to a descriptor; `is_closed`: the command was started without it, and something else has its number."""
        super().__init__(descriptor, "wb", closefd=False)
        self._is_closed = is_closed
        self._is_over = False

    def write(self, piece: "ReadableBuffer", /) -> int:
        """Write bytes; once that has failed, nothing more is written: the end of the process would try again.

        Raises:
            OSError: they cannot be written; the message says what to do.
        """
        if self._is_over:
            return memoryview(piece).nbytes
        self._is_over = True
        if self._is_closed:
            raise OSError(
                "standard output is closed, so the result cannot be printed; open it, or direct it to a file or to "
                "/dev/null"
            )
        try:
            count = super().write(piece)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OSError(
                f"standard output cannot be written: {error.strerror}; what is there of the result is not whole: make "
                "room, or direct it elsewhere"
            ) from error
        self._is_over = False
        return count


def use_result_file() -> None:
    """Make standard output a `ResultFile`, unless it was replaced, as by a test."""
    if sys.stdout is not sys.__stdout__:
        return
    if (before := sys.__stdout__) is None:
        fill_standard_streams()  # else a database gets this number, and a library could print into it
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(ResultFile(STANDARD_OUTPUT, is_closed=True)), "utf-8")
        return
    encoding, errors, is_interactive = before.encoding, before.errors, before.isatty()
    before.detach()  # its end would close the descriptor
    file = io.BufferedWriter(ResultFile(STANDARD_OUTPUT))
    sys.stdout = io.TextIOWrapper(file, encoding, errors, line_buffering=is_interactive)
