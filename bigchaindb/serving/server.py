"""The common part of the node's servers."""

from collections.abc import Mapping

from bigchaindb.serving.arrival import Reason
from bigchaindb.serving.listener import Listener


class Server:
    """A server by its listener. Belongs to the event loop."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    @property
    def port(self) -> int:
        """The bound port."""
        return self._listener.port

    @property
    def connection_count(self) -> int:
        """How many connections are open."""
        return self._listener.connection_count

    @property
    def refused_counts(self) -> Mapping[Reason, int]:
        """How many clients got no connection since the start."""
        return self._listener.refused_counts

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 selects a free one.

        Raises:
            StartupError: an address cannot be bound.
        """
        await self._listener.start(host, port)
