"""A client of Server-Sent Events by hand: what a browser does, and what a test has to look at besides."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.raw import Wire, wire

ARRIVAL_S = 60.0


@dataclass
class EventSource:
    """An open stream.

    Attributes:
        status: of the answer.
        headers: of the answer, names in lower case.
        last_id: what a browser would send as `Last-Event-ID`: the id of the last message, even of one without data.
        comments: the lines that a browser ignores.
    """

    opened: Wire
    status: int
    headers: Mapping[str, str]
    last_id: str = ""
    comments: list[str] = field(default_factory=list)
    _text: bytes = b""

    async def events(self, count: int) -> list[dict[str, Any]]:
        """Take the next events."""
        return [await self.event() for _ in range(count)]

    async def event(self) -> dict[str, Any]:
        """Take the next event; the stream's name for its type must be the event's own."""
        async with asyncio.timeout(ARRIVAL_S):
            while (fields := await self.message()) is not None:
                if "data" in fields:
                    envelope: dict[str, Any] = json.loads(fields["data"])
                    assert envelope["type"] == fields["event"]
                    return envelope
        raise EOFError

    async def message(self) -> dict[str, str] | None:
        """Take the next message, with or without data; None at the end of the stream."""
        while b"\n\n" not in self._text:
            chunk = await self._chunk()
            if not chunk:
                return None
            self._text += chunk
        block, _, self._text = self._text.partition(b"\n\n")
        fields: dict[str, str] = {}
        for line in block.decode().split("\n"):
            name, _, value = line.partition(":")
            if name == "":
                self.comments.append(value.strip())
            else:
                assert name not in fields, block
                fields[name] = value.removeprefix(" ")
        self.last_id = fields.get("id", self.last_id)
        return fields

    async def rest(self) -> list[dict[str, Any]]:
        """Take what comes until the server ends the stream."""
        taken = []
        try:
            while True:
                taken.append(await self.event())
        except EOFError:
            return taken

    async def _chunk(self) -> bytes:
        try:
            size = int(await self.opened.reader.readuntil(b"\r\n"), 16)
            data = await self.opened.reader.readexactly(size + 2)
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        return data[:-2]


@asynccontextmanager
async def listening(
    port: int,
    query: str = "",
    *,
    last_event_id: str | None = None,
    is_narrow: bool = False,
    headers: Mapping[str, str] | None = None,
    path: str = "/api/v1/events",
) -> AsyncIterator[EventSource]:
    """Open a stream; what is committed from now on is behind its beginning."""
    lines = [f"GET {path}{query} HTTP/1.1", "Host: x", "Accept: text/event-stream"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if last_event_id is not None:
        lines.append(f"Last-Event-ID: {last_event_id}")
    async with wire(port, is_narrow=is_narrow) as opened:
        await opened.send("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(ARRIVAL_S):
            head = (await opened.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status_line, *rest = head.rstrip("\r\n").split("\r\n")
            found = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
            source = EventSource(opened, int(status_line.split(" ")[1]), found)
            if source.status == 200:
                opening = await source.message()
                assert opening is not None
                assert "data" not in opening
        yield source
