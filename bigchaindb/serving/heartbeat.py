"""Whether a WebSocket client is alive: pings to one that is silent."""

import asyncio
from typing import Final

PING: Final = b"\x89\x00"


class Heartbeat:
    """One client. Belongs to the event loop."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._unanswered_s: float | None = None
        self.hear()

    def hear(self) -> None:
        """Record that the client is alive now."""
        self._heard_s = asyncio.get_running_loop().time()
        self._unanswered_s = None

    def check(self, now_s: float, heartbeat_s: float, every_s: float) -> bool:
        """Ping a silent client; return False if a ping stays unanswered for half of `heartbeat_s`.

        While the node stands still it reads no answers, so the wait is counted in calls, which come each `every_s`.
        """
        if now_s - self._heard_s < heartbeat_s:
            return True
        if self._unanswered_s is None:
            self._unanswered_s = 0.0
            self._transport.write(PING)
            return True
        self._unanswered_s += every_s
        return self._unanswered_s < heartbeat_s / 2
