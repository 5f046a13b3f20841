"""A way to a node that breaks connections, and swallows answers whose requests the node has carried out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.links import PIECE_BYTES, Link


class HungryLink(Link):
    """A link that swallows the next answers. Belongs to the event loop."""

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self.url = ""
        self.swallow_count = 0

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_answer = writer.get_extra_info("peername")[1] != self._target
        while piece := await reader.read(PIECE_BYTES):
            await self._flows.wait()
            if is_answer and self.swallow_count:
                self.swallow_count -= 1
                break
            writer.write(piece)
            await writer.drain()
        raise ConnectionResetError


@asynccontextmanager
async def hungry_link(target: int) -> AsyncIterator[HungryLink]:
    """Open a link to a port of this machine."""
    link = HungryLink(target)
    link.url = f"http://127.0.0.1:{await link.open()}"
    try:
        yield link
    finally:
        link.close()
