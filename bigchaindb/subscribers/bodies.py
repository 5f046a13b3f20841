"""Events of a subscription that were read and are not out with a consumer, by number. Bounded in bytes."""

from collections.abc import Collection
from typing import Final

BYTES_MAX: Final = 1024 * 1024
"""Bytes from which on no further event is read ahead."""


class Bodies:
    """Envelopes by number."""

    def __init__(self) -> None:
        self._bodies: dict[int, bytes] = {}
        self._bytes = 0

    @property
    def room_bytes(self) -> int:
        """Bytes that may be added."""
        return max(0, BYTES_MAX - self._bytes)

    def __contains__(self, number: int) -> bool:
        return number in self._bodies

    def take(self, number: int, bytes_max: int | None) -> bytes | None:
        """Return the body of an event and forget it; None if it has to be read again, or has more bytes."""
        body = self._bodies.get(number)
        if body is None or (bytes_max is not None and len(body) > bytes_max):
            return None
        del self._bodies[number]
        self._bytes -= len(body)
        return body

    def put(self, number: int, body: bytes) -> None:
        """Add the body of an event that is not here."""
        self._bodies[number] = body
        self._bytes += len(body)

    def drop(self, number: int) -> None:
        """Forget the body of an event, if it is here."""
        self._bytes -= len(self._bodies.pop(number, b""))

    def keep(self, numbers: Collection[int]) -> None:
        """Forget all bodies but those of some events."""
        self._bodies = {number: body for number, body in self._bodies.items() if number in numbers}
        self._bytes = sum(map(len, self._bodies.values()))
