"""The positions that a plugin has written to its target, as it keeps them there beside what it writes. Pure.

What is below the highest one and was not written was parked or passed over: it must be told from what was written, as
it may come again. Source: decision 0151.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

RANGES_MAX: Final = 1_000
"""Ranges that are kept; beyond them the lowest one is forgotten, whose positions then count as not written."""


class Reached:
    """Positions as ranges, ascending, neither touching nor overlapping.

    What the plugin does not want, by type or filter, never comes: a position that is skipped is within a range. But an
    event may be set aside when a process ends that had it. So what is skipped before the first event that no process
    had, is a gap.
    """

    def __init__(self, ranges: Sequence[tuple[int, int]] = ()) -> None:
        """Go on from the ranges that a process before has kept."""
        self._ranges = list(ranges)
        self._leaves_gaps = True

    @property
    def ranges(self) -> Sequence[tuple[int, int]]:
        """First and last position of each range."""
        return self._ranges

    def __contains__(self, position: int) -> bool:
        at = self._at(position)
        return at < len(self._ranges) and self._ranges[at][0] <= position

    def add(self, position: int, *, is_new: bool) -> None:
        """Note that a position is written, which is in no range.

        Args:
            position: of the event.
            is_new: whether it is delivered for the first time.
        """
        ranges = self._ranges
        if not ranges or position > ranges[-1][1]:
            if ranges and (position == ranges[-1][1] + 1 or not self._leaves_gaps):
                ranges[-1] = ranges[-1][0], position
            else:
                ranges.append((position, position))
            self._leaves_gaps = self._leaves_gaps and not is_new
        else:
            self._fill(position)
        del ranges[:-RANGES_MAX]

    def _fill(self, position: int) -> None:
        """Write a position of a gap into the range that it touches."""
        at, ranges = self._at(position), self._ranges
        first = last = position
        if ranges[at][0] == position + 1:
            last = ranges.pop(at)[1]
        if at and ranges[at - 1][1] == position - 1:
            at -= 1
            first = ranges.pop(at)[0]
        ranges.insert(at, (first, last))

    def _at(self, position: int) -> int:
        """Return the index of the first range that ends at a position or above it."""
        return bisect_left(self._ranges, position, key=lambda one: one[1])
