"""Opens the sockets of a server and keeps its connections within their bounds."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Mapping, Sequence
from typing import Final

from bigchaindb.access.addresses import FORWARDED, forwarded
from bigchaindb.errors import StartupError
from bigchaindb.serving.arrival import Arrival, Door, Reason
from bigchaindb.serving.connection import Connection, ConnectionLimits, Handler, Refuse, Texts
from bigchaindb.serving.handshakes import Handshakes
from bigchaindb.serving.places import Places
from bigchaindb.serving.request import Request

BACKLOG: Final = 1024
"""With the usual 128, some of 200 clients that connected at once waited a second for a retransmission."""
SWEEP_S_MAX: Final = 1.0
PORT_ATTEMPT_COUNT: Final = 16
ABORTED_S: Final = 1.0
"""How long a stop waits for the system's word that connections have ended which it cut off."""
NO_IPV6: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})


class Listener:
    """A server with bounds on its connections. Belongs to the event loop."""

    def __init__(
        self,
        handler: Handler,
        limits: ConnectionLimits,
        texts: Texts,
        refuse: Refuse,
        *,
        name: str,
        receive_bytes: int | None = None,
    ) -> None:
        """Make a server that is not started.

        Args:
            handler: answers requests.
            limits: of its connections.
            texts: for clients that reach no handler.
            refuse: answers requests that get no handler.
            name: shown in the log.
            receive_bytes: the system's buffer of unread bytes for each client; None keeps the system's default.
        """
        self._handler = handler
        self._limits = limits
        self._texts = texts
        self._refuse = refuse
        self._places: Places[Connection] = Places(limits.room)
        self._door = Door(name, self._places, texts, limits.proxies)
        self._receive_bytes = receive_bytes
        self._servers: list[asyncio.Server] = []
        self._is_empty = asyncio.Event()
        self._sweeper: asyncio.Task[None] | None = None
        self._handshakes: Handshakes | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The bound port: the requested one, or the system's choice for 0."""
        return self._port

    @property
    def connection_count(self) -> int:
        """How many connections are open."""
        return len(self._places)

    @property
    def refused_counts(self) -> Mapping[Reason, int]:
        """How many clients were refused since the start."""
        return {reason: self._door.refused[reason] for reason in Reason}

    def address_of(self, connection: Connection) -> str:
        """Return the address that a connection counts for."""
        return self._places.address_of(connection)

    async def start(self, host: str, port: int, handshakes: Handshakes | None = None) -> None:
        """Listen; `localhost` is 127.0.0.1 and, where there is IPv6, ::1 as well.

        Raises:
            StartupError: an address cannot be bound; the text names it and the reason.
        """
        await self.listen(bind(host, port), handshakes)

    async def listen(self, sockets: Sequence[socket.socket], handshakes: Handshakes | None = None) -> None:
        """Listen on bound sockets, which may be of the file system; without `handshakes` there is no TLS.

        Raises:
            StartupError: another process began to listen on one of the addresses after it was bound.
        """
        self._handshakes = handshakes
        loop = asyncio.get_running_loop()
        for sock in sockets:
            if self._receive_bytes is not None:  # Accepted connections inherit it.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_bytes)
        _listen(sockets)
        if sockets[0].family != socket.AF_UNIX:
            self._port = sockets[0].getsockname()[1]
        for sock in sockets:
            create = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
            self._servers.append(await create(self._arrival, sock=sock, backlog=BACKLOG))
        self._sweeper = asyncio.create_task(self._sweep())

    def close(self) -> None:
        """Accept no more connections; open ones continue."""
        for server in self._servers:
            server.close()

    def end_idle(self) -> None:
        """End idle connections at once, and the others after their present answer."""
        for connection in self._places:
            connection.end_soon()

    async def stop(self, grace_s: float) -> None:
        """Close; wait up to `grace_s` for running requests, then end the connections."""
        self.close()
        self.end_idle()
        if self._sweeper is None:
            return
        await self._until_empty(grace_s)
        cut_off = [connection.serving for connection in self._places if connection.serving is not None]
        for connection in self._places:
            connection.abort()
        await asyncio.gather(*cut_off, return_exceptions=True)
        await self._until_empty(ABORTED_S)
        self._door.close()
        self._sweeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sweeper

    async def _until_empty(self, within_s: float) -> None:
        self._is_empty.clear()
        if len(self._places):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._is_empty.wait()

    def _arrival(self) -> asyncio.Protocol:
        arrival = Arrival(self._door, self._connection)
        return arrival if self._handshakes is None else self._handshakes.secured(arrival)

    def _connection(self, address: str, is_proxy: bool) -> Connection:  # noqa: FBT001 - called by `Arrival` alone
        made = Connection(self._serve_forwarded if is_proxy else self._handler, self._refuse, self._left)
        self._places.take(made, address)
        return made

    async def _serve_forwarded(self, connection: Connection, request: Request) -> None:
        """Serve a request of a proxy; meanwhile its connection counts for the client that the proxy names."""
        client, proxy = forwarded(request.headers.get(FORWARDED, "")), self._places.address_of(connection)
        if client is None:
            await self._handler(connection, request)
        elif self._places.is_crowded(client):
            request.keeps_alive = False
            connection.transport.write(self._door.refuse(Reason.ADDRESS, client))
        else:
            self._places.move(connection, client)
            await self._handler(connection, request)
            if not connection.is_upgraded:
                self._places.move(connection, proxy)

    def _left(self, connection: Connection) -> None:
        self._places.leave(connection)
        if not len(self._places):
            self._is_empty.set()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        pause_s = min(SWEEP_S_MAX, self._limits.head_s_max / 4, self._limits.stall_s_max / 4)
        while True:
            await asyncio.sleep(pause_s)
            now_s = loop.time()
            for connection in self._places:
                connection.sweep(now_s, self._limits, self._texts.slow)


def bind(host: str, port: int) -> list[socket.socket]:
    """Return bound sockets for `host` that do not listen yet, all on one port.

    Raises:
        StartupError: see `Listener.start`.
    """
    if host != "localhost":
        return [_bound(host, port)]
    for _ in range(PORT_ATTEMPT_COUNT):
        first = _bound("127.0.0.1", port)
        try:
            return [first, _bound("::1", first.getsockname()[1])]
        except StartupError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in NO_IPV6:
                return [first]
            first.close()
            if port != 0:  # Only a port of the system's choice is worth another attempt.
                raise
    raise StartupError("cannot listen on localhost: no port is free on both 127.0.0.1 and ::1")


def _listen(sockets: Sequence[socket.socket]) -> None:
    """Have sockets listen, or close them; a loop of uvloop would be silent about one that cannot."""
    try:
        for sock in sockets:
            sock.listen(BACKLOG)
    except OSError as error:
        where = ":".join(map(str, sock.getsockname()[:2]))
        for each in sockets:
            each.close()
        raise StartupError(f"cannot listen on {where}: {error}") from error


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # UnicodeError is raised for a name that is too long.
        raise StartupError(f"cannot listen on {host}:{port}: {error}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host == "::1"))
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise StartupError(f"cannot listen on {host}:{port}: {error}") from error
    return sock
