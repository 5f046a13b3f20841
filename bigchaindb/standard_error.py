"""Writing to standard error, which may be a pipe that nobody reads."""

import os
import select
from contextlib import suppress
from time import monotonic
from typing import Final

STANDARD_ERROR: Final = 2


def fill_standard_streams() -> None:
    """Open what is closed of the standard streams: a socket or a file of the node's would get its descriptor.

    Lines of the log would go there, and libuv ends the process when it is to close one of those.
    """
    for descriptor in range(STANDARD_ERROR + 1):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this one


def to_standard_error(piece: bytes) -> None:
    """Write to the descriptor itself: the stream's lock would be held by a thread that may wait for ever.

    Raises:
        OSError: nobody can read it any more.
    """
    while piece:
        try:
            piece = piece[os.write(STANDARD_ERROR, piece) :]
        except BlockingIOError:  # whoever shares the terminal made it so
            poll = select.poll()
            poll.register(STANDARD_ERROR, select.POLLOUT)
            poll.poll()


def to_standard_error_within(limit_s: float, text: str) -> None:
    """Write a text to standard error as far as somebody takes it within `limit_s`; for who must go on in any case."""
    piece = text.encode(errors="backslashreplace")
    poll = select.poll()
    poll.register(STANDARD_ERROR, select.POLLOUT)
    deadline_s = monotonic() + limit_s
    with suppress(OSError):  # its reader is gone
        # A pipe that is ready for a writer has room for so much: the write does not wait.
        while piece and poll.poll(max(0.0, deadline_s - monotonic()) * 1_000):
            piece = piece[os.write(STANDARD_ERROR, piece[: select.PIPE_BUF]) :]
