"""A mapping that is never changed, and of which a copy with one more entry costs little. Pure.

A lane is a value, and each answer makes another one. With plain dictionaries 50,000 nacks copied 50,000 entries each,
which took the node's loop away for a minute.
"""

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

PART_COUNT: Final = 256
SMALL_COUNT: Final = 512
"""Entries up to which a dictionary is copied as quickly."""

T = TypeVar("T")


class Spread(Mapping[int, T]):
    """Entries in many small dictionaries, by the low bits of their numbers."""

    __slots__ = ("_count", "_parts")

    def __init__(self, parts: list[dict[int, T]], count: int) -> None:
        """Take the parts, which nobody changes any more."""
        self._parts = parts
        self._count = count

    def __getitem__(self, number: int) -> T:
        """See `Mapping`."""
        return self._parts[number % PART_COUNT][number]

    def __iter__(self) -> Iterator[int]:
        """See `Mapping`."""
        return (number for part in self._parts for number in part)

    def __len__(self) -> int:
        """See `Mapping`."""
        return self._count

    def added(self, number: int, value: T) -> "Spread[T]":
        """Return a copy with one more entry, or another value of one."""
        parts, at = self._parts.copy(), number % PART_COUNT
        parts[at] = {**parts[at], number: value}
        return Spread(parts, self._count + (number not in self._parts[at]))


def added(entries: Mapping[int, T], number: int, value: T) -> Mapping[int, T]:
    """Return a copy of a mapping with one more entry, or another value of one."""
    if len(entries) < SMALL_COUNT:
        return {**entries, number: value}
    if not isinstance(entries, Spread):
        parts: list[dict[int, T]] = [{} for _ in range(PART_COUNT)]
        for one, known in entries.items():
            parts[one % PART_COUNT][one] = known
        entries = Spread(parts, len(entries))
    return entries.added(number, value)
