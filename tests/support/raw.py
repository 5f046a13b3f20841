"""HTTP/1.1 by hand, for what no client library lets a test do: odd bytes, odd timing, several requests at once."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.http import Answer, require_phrase

ANSWER_S = 60.0
"""Time for an answer, or for what a test waits for, on a busy machine."""
LOOK_S = 0.01
SWITCHING = 101
HEAD_BYTES_MAX = 2**20
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": base64.b64encode(bytes(16)).decode(),
}
"""The headers of a correct upgrade to WebSocket, as `request` takes them."""


@dataclass
class Wire:
    """An open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, *, to: str = "GET") -> Answer:
        """Read one answer."""
        async with asyncio.timeout(ANSWER_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status_line, *lines = head.rstrip("\r\n").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            _, code, phrase = status_line.split(" ", 2)
            require_phrase(status := int(code), phrase)
            body = b"" if to == "HEAD" or status == SWITCHING else await self._body(headers)
        return Answer(status, headers, body)

    async def ask(self, data: bytes) -> Answer:
        """Write a request and read its answer."""
        await self.send(data)
        return await self.answer(to=data.partition(b" ")[0].decode("latin-1"))

    async def ended(self) -> bytes:
        """Wait for the server to end the connection; return what came before."""
        async with asyncio.timeout(ANSWER_S):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    def close(self) -> None:
        """Close at once."""
        self.writer.transport.abort()

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            return await self._chunks()
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        return await self.reader.read()

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readexactly(2)
        return body


def narrow(port: int) -> socket.socket:
    """Connect with a receive buffer of a few kilobytes, so that a client that does not read is soon felt."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.connect(("127.0.0.1", port))
    opened.settimeout(0)
    return opened


@asynccontextmanager
async def wire(port: int, host: str = "127.0.0.1", *, is_narrow: bool = False) -> AsyncIterator[Wire]:
    """Open a connection; a narrow one as `narrow` makes it."""
    if is_narrow:
        reader, writer = await asyncio.open_connection(sock=narrow(port))
    else:
        reader, writer = await asyncio.open_connection(host, port, limit=HEAD_BYTES_MAX)
    opened = Wire(reader, writer)
    try:
        yield opened
    finally:
        opened.close()


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition without holding up the loop on which it comes about."""
    try:
        async with asyncio.timeout(ANSWER_S):
            while not condition():  # noqa: ASYNC110 -- there is no event for whatever a test may ask
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise AssertionError(f"waited {ANSWER_S:g} s for {what}") from None


async def ask(port: int, method: str, target: str, body: bytes | None = None, /, **headers: str) -> Answer:
    """Send one request over a connection of its own; in header names `_` stands for `-`."""
    async with wire(port) as opened:
        return await opened.ask(request(method, target, body, **headers))


def request(method: str, target: str, body: bytes | None = None, /, **headers: str) -> bytes:
    """Return the bytes of a request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")
