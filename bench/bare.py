"""A server that does nothing with what it reads: what an attack costs the machine itself.

Run as `python -m bench.bare PORT`. Each request gets one short answer; an upgrade is taken, then all is thrown away.
"""

import asyncio
import re
import sys
from typing import cast

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
_UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


class _Bare(asyncio.Protocol):
    """One connection. Knows of HTTP no more than where a body ends."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._endless = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._endless:
            return
        if self._left:
            taken = min(self._left, len(data))
            self._left -= taken
            data = data[taken:]
            if self._left:
                return
            self._transport.write(_ANSWER)
        self._head += data
        if b"\r\n\r\n" in self._head:
            self._begin(*self._head.split(b"\r\n\r\n", 1))

    def _begin(self, head: bytes, rest: bytes) -> None:
        self._head = b""
        if b"Upgrade" in head:
            self._endless = True
            self._transport.write(_UPGRADED)
        elif b"chunked" in head or (found := _LENGTH.search(head)) is None:
            self._endless = True
            self._transport.write(_ANSWER)
        else:
            self._left = int(found[1])
            self.data_received(rest)


async def _serve(port: int) -> None:
    await asyncio.get_running_loop().create_server(_Bare, "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
