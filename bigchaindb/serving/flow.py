"""Whether a client takes what is written to it."""

import asyncio


class Flow:
    """The state of one transport's buffer, as asyncio reports it to a protocol. Belongs to the event loop.

    Attributes:
        drained: set once the client has taken most of it; None unless the buffer is full.
    """

    def __init__(self) -> None:
        self.drained: asyncio.Future[None] | None = None

    def pause(self) -> None:
        """Record that the buffer is full."""
        self.drained = asyncio.get_running_loop().create_future()

    def resume(self) -> None:
        """Record that there is room again."""
        drained, self.drained = self.drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def lose(self) -> None:
        """Record that the client is gone."""
        if self.drained is not None and not self.drained.done():
            self.drained.set_exception(ConnectionResetError("the client is gone"))
            self.drained.exception()  # marks it as seen: perhaps nobody waits
