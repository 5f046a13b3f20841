"""Bounds the log lines that strangers cause: a flood must neither fill the disk nor hide other lines."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextvars import Context


class Lines:
    """Counts the lines of one kind; those beyond a bound become one line a second. Belongs to the event loop."""

    def __init__(self, count_max: int, summarise: Callable[[Mapping[str, int]], None]) -> None:
        """Begin.

        Args:
            count_max: lines of one second.
            summarise: writes the line for those that were left out, from their number by name.
        """
        self._count_max = count_max
        self._summarise = summarise
        self._second_s = -1.0
        self._count = 0
        self._left_out: Counter[str] = Counter()

    def has_room(self, name: str) -> bool:
        """Whether a line may be written now; one that may not is counted by its name."""
        now_s = time.monotonic()
        if now_s - self._second_s >= 1.0:
            self._second_s, self._count = now_s, 0
        self._count += 1
        if self._count <= self._count_max:
            return True
        if not self._left_out:
            wait_s = self._second_s + 1.0 - now_s
            asyncio.get_running_loop().call_later(wait_s, self._end, context=Context())
        self._left_out[name] += 1
        return False

    def _end(self) -> None:
        left_out, self._left_out = self._left_out, Counter()
        self._summarise(dict(sorted(left_out.items())))
