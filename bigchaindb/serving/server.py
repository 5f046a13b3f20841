"""The common part of the node's servers."""

from collections.abc import Mapping

from bigchaindb.access.gate import Visitor
from bigchaindb.serving.arrival import Reason
from bigchaindb.serving.connection import Connection
from bigchaindb.serving.listener import Listener
from bigchaindb.serving.request import Request


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

    def visitor(self, connection: Connection, request: Request) -> Visitor:
        """Return what a request shows of who sent it."""
        key = request.key
        is_clear = key is not None and connection.transport.get_extra_info("sslcontext") is None
        return Visitor(key, self._listener.address_of(connection), is_clear, request.headers)

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 selects a free one.

        Raises:
            StartupError: an address cannot be bound.
        """
        await self._listener.start(host, port)
