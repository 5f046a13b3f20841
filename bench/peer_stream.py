"""`python -m bench.peer_stream LEDGER PORT BLOCK_COUNT`: the same bytes, from memory, by a server without rules.

It takes any request for a handshake, and at SIGUSR1 writes each block's frames to each client, whatever waits in its
buffer.
"""

import asyncio
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import Final, cast

import uvloop

from bigchaindb.store import Store
from bigchaindb.streams.websocket_frames import frames

SWITCHING: Final = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


class Client(asyncio.Protocol):
    """A connection that is written to."""

    all: Final[set["Client"]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Take the request."""
        if data.endswith(b"\r\n\r\n"):
            self.transport.write(SWITCHING)
            Client.all.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        del exc
        Client.all.discard(self)


async def main(ledger: Path, port: int, block_count: int) -> None:
    """Serve until SIGTERM."""
    loop = asyncio.get_running_loop()
    begun, stopped = asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, begun.set)
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    with closing(Store(ledger)) as store, closing(store.log_reader()) as log:
        blocks = [frames(log.announcements(position)) for position in range(1, block_count + 1)]
    server = await loop.create_server(Client, "127.0.0.1", port, backlog=4096)
    await begun.wait()
    for block in blocks:
        for client in Client.all:
            client.transport.write(block)
        await asyncio.sleep(0)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
