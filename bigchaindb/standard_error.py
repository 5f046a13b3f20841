"""Writes to standard error, which may be a pipe that nobody reads."""

import os
import select
from contextlib import suppress
from time import monotonic
from typing import Final

STANDARD_ERROR: Final = 2


def fill_standard_streams() -> None:
    """Open closed standard streams, whose descriptors a socket or a file of the node would get otherwise.

    Log lines would go into that file, and libuv ends a process that closes such a descriptor.
    """
    for descriptor in range(STANDARD_ERROR + 1):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free descriptor, which is this one


def to_standard_error(piece: bytes) -> None:
    """Write to the descriptor: the stream's lock would be held by a thread that may wait for ever.

    Raises:
        OSError: its reader is gone.
    """
    while piece:
        try:
            piece = piece[os.write(STANDARD_ERROR, piece) :]
        except BlockingIOError:  # another process of the terminal made it non-blocking
            poll = select.poll()
            poll.register(STANDARD_ERROR, select.POLLOUT)
            poll.poll()


def to_standard_error_within(limit_s: float, text: str) -> None:
    """Write as much of a text to standard error as is read within `limit_s`: the caller must go on."""
    piece = text.encode(errors="backslashreplace")
    poll = select.poll()
    poll.register(STANDARD_ERROR, select.POLLOUT)
    deadline_s = monotonic() + limit_s
    with suppress(OSError):  # its reader is gone
        # A pipe that is ready has room for PIPE_BUF bytes, so the write does not wait.
        while piece and poll.poll(max(0.0, deadline_s - monotonic()) * 1_000):
            piece = piece[os.write(STANDARD_ERROR, piece[: select.PIPE_BUF]) :]
