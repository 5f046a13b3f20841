"""The common part of the node's servers."""

import asyncio
from collections.abc import Mapping

from bigchaindb.access.addresses import group, is_loopback
from bigchaindb.access.gate import Visitor
from bigchaindb.access.request_ids import RequestIds
from bigchaindb.log_lines import request_id
from bigchaindb.serving.answering import id_line
from bigchaindb.serving.arrival import Reason
from bigchaindb.serving.connection import Connection
from bigchaindb.serving.handshakes import Handshakes
from bigchaindb.serving.listener import Listener
from bigchaindb.serving.request import Request


class Server:
    """A server by its listener. Belongs to the event loop."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._ids = RequestIds()

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

    def identify(self, request: Request) -> bytes:
        """Write the id of a request into its log lines; return the header line of its answer."""
        name = self._ids.of(request.headers.get("x-request-id"))
        request_id.set(name)
        return id_line(name)

    def refuse(self, connection: Connection, request: Request, status: int, line: str) -> None:
        """Answer a request that no handler gets, by a line of text."""
        if request.method:  # otherwise the bytes were no HTTP request
            request.lines = self.identify(request)
        connection.answer_text(request, status, line)

    def visitor(self, connection: Connection, request: Request) -> Visitor:
        """Return what a request shows of who sent it."""
        may_show_code = "/access/" in request.target or "%" in request.target
        shows_something = request.key is not None or may_show_code  # finding out takes as long as ten look-ups
        is_exposed = shows_something and _is_exposed(connection.transport)
        address = self._listener.address_of(connection)
        return Visitor(request.key, address, request.target, is_exposed, request.headers, request.method)

    async def start(self, host: str, port: int, handshakes: Handshakes | None = None) -> None:
        """Listen; port 0 selects a free one.

        Args:
            host: name or address.
            port: of TCP.
            handshakes: of TLS; None serves without TLS.

        Raises:
            StartupError: an address cannot be bound.
        """
        await self._listener.start(host, port, handshakes)


def _is_exposed(transport: asyncio.Transport) -> bool:
    """Whether what arrives came in clear from another machine, or from a proxy on one."""
    is_clear = transport.get_extra_info("sslcontext") is None
    return is_clear and not is_loopback(group(transport.get_extra_info("peername")))
