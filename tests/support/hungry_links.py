"""A way to a node that breaks connections, and swallows answers whose requests the node has carried out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.links import Direction, Link


class HungryLink(Link):
    """A link that swallows the next answers. Belongs to the event loop."""

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self.url = ""
        self.swallow_count = 0

    async def _pass(self, way: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await super()._pass(way, _Swallowing(self, reader) if way == "back" else reader, writer)


class _Swallowing(asyncio.StreamReader):
    """A reader of a link that ends where an answer is to be swallowed."""

    def __init__(self, link: HungryLink, reader: asyncio.StreamReader) -> None:
        super().__init__()
        self._link = link
        self._source = reader

    async def read(self, n: int = -1) -> bytes:
        piece = await self._source.read(n)
        if piece and self._link.swallow_count:
            self._link.swallow_count -= 1
            return b""
        return piece


@asynccontextmanager
async def hungry_link(target: int) -> AsyncIterator[HungryLink]:
    """Open a link to a port of this machine."""
    link = HungryLink(target)
    link.url = f"http://127.0.0.1:{await link.open()}"
    try:
        yield link
    finally:
        link.close()
