"""The pace at which large request bodies are read while some of them are read for nothing. Pure.

To read a body that is refused costs the event loop as much as to read one that is taken. Clients that post large bodies
again and again whatever the answer took the loop for themselves: 32 of them sent 450 MB a second, and another client's
commit waited 60 to 140 ms at the median. What is not read waits in the client's own system.
"""

from collections.abc import Callable
from typing import Final

SLOW_S: Final = 1.0
"""Time after the refusal of a large body in which large bodies are read slowly."""
SLOW_BYTES_PER_S: Final = 32 * 1024 * 1024
"""Bytes that are read of all of them then: about what one process checks of costly documents, so that few who would be
taken wait longer for it."""


class Pace:
    """Spreads the reading of large bodies. Belongs to the event loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin without any wait.

        Args:
            clock: monotonic, in seconds.
        """
        self._clock = clock
        self._slow_until_s = self._free_s = 0.0

    def slow_down(self) -> None:
        """Note that a large body was read and refused."""
        self._slow_until_s = self._clock() + SLOW_S

    def wait_s(self, size: int) -> float:
        """Return how long to read no more of a large body of which `size` further bytes were read."""
        now_s = self._clock()
        if now_s >= self._slow_until_s:
            return 0.0
        self._free_s = max(self._free_s, now_s) + size / SLOW_BYTES_PER_S
        return self._free_s - now_s
