"""A receiver of webhooks: a process of its own that keeps what is posted, and misbehaves where a path says so.

`python -m tests.support.receiver PORT FILE [CERTIFICATE KEY]` is the process.
"""

import asyncio
import json
import os
import random
import socket
import ssl
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from tests.support.servers import Server
from tests.support.waiting import until, whole_lines


class Post(NamedTuple):
    """A request that was answered with 2xx.

    Attributes:
        path: that it was posted to.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes


class Receiver(Server):
    """The process, from outside."""

    def __init__(self, port: int, file: Path, *, certificate: Path | None = None, key: Path | None = None) -> None:
        self.port = port
        self.folder, self.process = file.parent, None
        self._file = file
        self._tls = [] if certificate is None else [str(certificate), str(key)]
        self._beside: list[Receiver] = []

    @property
    def url(self) -> str:
        """The address at which it listens."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self.process is not None

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.launch(sys.executable, "-m", "tests.support.receiver", str(self.port), self._file, *self._tls)
        until(self._listens, what="the receiver to listen")

    def beside(self, port: int, certificate: Path, key: Path) -> "Receiver":
        """Return another one with a file of its own, which `kill_all` ends as well."""
        other = Receiver(port, self._file.with_name(f"{port}.jsonl"), certificate=certificate, key=key)
        self._beside.append(other)
        return other

    def kill_all(self) -> None:
        """SIGKILL it, and those beside it."""
        for one in (self, *self._beside):
            one.kill()

    def relent(self) -> None:
        """Have it refuse nothing any more."""
        self._file.with_name(f"{self._file.name}.lenient").touch()

    def posts(self) -> list[Post]:
        """Return what it took, in order."""
        found = [json.loads(line) for line in whole_lines(self._file)]
        return [Post(one["path"], one["headers"], one["body"].encode()) for one in found]

    def _listens(self) -> bool:
        self.require_alive()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True
        return False


waiting: list[asyncio.Event] = []
"""Requests that are answered once there are so many."""


async def _handle(request: web.Request) -> web.StreamResponse:
    match request.path.strip("/").split("/"):
        case ["status", status, *after]:
            answer = web.Response(status=int(status), text="because of it")
            answer.headers.update(zip(["retry-after"], after, strict=False))
            return answer
        case ["no-http", *_]:
            assert request.transport is not None
            request.transport.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
            await asyncio.sleep(0.1)
            request.transport.close()
        case ["redirect"]:
            return web.Response(status=302, headers={"location": "/ok"})
        case ["never"]:
            await asyncio.sleep(3600)
        case ["endless"]:
            return await _drip(request, b"x" * 65_536, pause_s=0.0)
        case ["slow"]:
            return await _drip(request, b"x", pause_s=0.1)
        case words if request.method == "POST":
            text = await request.text()
            if (refusal := _refusal(words, text)) is not None:
                return refusal
            await _hesitate(words)
            _keep(request, text)
    return web.Response()


def _refusal(words: Sequence[str], text: str) -> web.Response | None:
    has_relented = Path(f"{sys.argv[2]}.lenient").exists()
    match words:
        case ["until", status] if not has_relented:
            return web.Response(status=int(status), text="not yet")
        case ["refuses", *strange] if any(word in text for word in strange) and not has_relented:
            return web.Response(status=422, text="not this one")
        case ["limited", most] if len(text) > int(most):
            return web.Response(status=413, text="too large")
    return None


async def _hesitate(words: Sequence[str]) -> None:
    match words:
        case ["jitter"]:
            await asyncio.sleep(random.random() * 0.01)
        case ["together", count]:
            waiting.append(turn := asyncio.Event())
            if len(waiting) >= int(count):
                for one in waiting:
                    one.set()
            await turn.wait()


async def _drip(request: web.Request, piece: bytes, *, pause_s: float) -> web.StreamResponse:
    """Take a message, and never come to the end of the answer."""
    answer = web.StreamResponse()
    await answer.prepare(request)
    _keep(request, await request.text())
    while True:
        await answer.write(piece)
        await asyncio.sleep(pause_s)


def _keep(request: web.Request, text: str) -> None:
    line = json.dumps({"path": request.path, "headers": dict(request.headers), "body": text}) + "\n"
    fd = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(fd, line.encode())
    finally:
        os.close(fd)


def main() -> None:
    """Serve until killed."""
    port, _, *tls = sys.argv[1:]
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", _handle)
    web.run_app(application, host="127.0.0.1", port=int(port), ssl_context=context, print=None)


if __name__ == "__main__":
    main()
