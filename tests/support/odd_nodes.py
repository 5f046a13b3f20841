"""Nodes that misbehave: each request of a client gets what a test wrote down for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

SILENCE: Final = b"silence"
"""Stands for an answer, or the rest of one, that does not come."""


class OddNode:
    """A port that answers as it was told to.

    Attributes:
        url: of the node.
        asked: the requests, each as it came, without the values of its headers.
    """

    def __init__(self, answers: tuple[bytes, ...]) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""
        self._answers = answers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection; each answer ends it."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            answer = self._answers[min(len(self.asked), len(self._answers) - 1)]
            self.asked.append((first.removesuffix(" HTTP/1.1"), body))
            self.headers.append(headers)
            writer.write(answer.removesuffix(SILENCE))
            await writer.drain()
            if answer.endswith(SILENCE):
                await reader.read()  # until the client gives up
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def odd_node(*answers: bytes) -> AsyncIterator[OddNode]:
    """Serve one answer after the other, the last to all further requests; `b""` ends the connection without one."""
    node = OddNode(answers)
    server = await asyncio.start_server(node.serve, "127.0.0.1", 0)
    node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield node
    finally:
        server.close()


def answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> bytes:
    """Return an answer of HTTP; a body that is no bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return f"HTTP/1.1 {status} X\r\n{lines}Content-Length: {len(content)}\r\n\r\n".encode() + content


def refusal(status: int, message: object, **headers: str) -> bytes:
    """Return a plain error."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(status, {"message": message, "status": status}, named)


def stream(*messages: bytes) -> bytes:
    """Return the beginning of a stream of Server-Sent Events, which breaks behind these messages."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in messages)
