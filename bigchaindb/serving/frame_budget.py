"""The budget of frames that a WebSocket client may send. Pure.

Clients of the stream need to send only pings, pongs and a close. Each frame costs the event loop some 5 µs, and empty
frames arrive faster than that: without a bound 16 clients delayed every commit by 11 s.

Source: RFC 6455, section 5.2; docs/reference/contract/websocket-api.md, section 4.
"""

from typing import Final, NamedTuple

WINDOW_S: Final = 1.0
FRAME_COUNT_MAX: Final = 64
"""Frames of all kinds in one window; a client that pings every second sends one."""
BYTES_MAX: Final = 64 * 1024
"""Bytes in one window, heads included; the largest message that the stream accepts fills about one."""

_MASKED: Final = 0x80
_MASK_BYTES: Final = 4
_LENGTH_BYTES: Final = {126: 2, 127: 8}
"""Bytes behind the second one that hold the length, by what that one says; else it is the length itself."""


class Admitted(NamedTuple):
    """What may pass now.

    Attributes:
        size: bytes from the beginning.
        is_over: the budget holds back the rest; else the rest, if there is one, is a head that is not all there.
    """

    size: int
    is_over: bool


class FrameBudget:
    """Counts frames and bytes of one client in windows of a second; looks at heads alone."""

    def __init__(self, frame_count_max: int = FRAME_COUNT_MAX) -> None:
        self._frame_count_max = frame_count_max
        self._since_s = float("-inf")
        self._frames_left = 0
        self._bytes_left = 0
        self._payload_left = 0

    @property
    def renewed_s(self) -> float:
        """When the next window begins."""
        return self._since_s + WINDOW_S

    def admit(self, data: bytes, now_s: float) -> Admitted:
        """Return how much of `data` passes; whoever calls keeps the rest, and puts it in front of what comes next."""
        if now_s >= self.renewed_s:
            self._since_s, self._frames_left, self._bytes_left = now_s, self._frame_count_max, BYTES_MAX
        at = 0
        while at < len(data):
            if self._payload_left == 0:
                head = _head(data, at)
                if head is None:
                    return Admitted(at, is_over=False)
                size, payload = head
                if self._frames_left == 0 or self._bytes_left < size:
                    return Admitted(at, is_over=True)
                self._frames_left -= 1
                self._payload_left = payload
            else:
                size = min(self._payload_left, len(data) - at, self._bytes_left)
                if size == 0:
                    return Admitted(at, is_over=True)
                self._payload_left -= size
            self._bytes_left -= size
            at += size
        return Admitted(at, is_over=False)


def _head(data: bytes, at: int) -> tuple[int, int] | None:
    """Return the size of the head that begins at `at` and of its payload; None if the head is not all there."""
    if len(data) < at + 2:
        return None
    second = data[at + 1]
    length = second & ~_MASKED
    length_bytes = _LENGTH_BYTES.get(length, 0)
    size = 2 + length_bytes + (_MASK_BYTES if second & _MASKED else 0)
    if len(data) < at + size:
        return None
    if length_bytes:
        length = int.from_bytes(data[at + 2 : at + 2 + length_bytes], "big")
    return size, length
