"""`python -m bench.stream_server LEDGER PORT BLOCK_COUNT`: the node's stream server over a ledger that exists.

At SIGUSR1 it announces block after block, each when the one before has been written to who can take it.
"""

import asyncio
import signal
import sys
from contextlib import closing
from pathlib import Path

import uvloop

from bigchaindb.access.exposure import LOCAL
from bigchaindb.access.gate import Gate
from bigchaindb.config import Limits, WebSocketServer
from bigchaindb.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.streams.shared_log import LogSource
from bigchaindb.streams.websocket import StreamServer


async def main(ledger: Path, port: int, block_count: int) -> None:
    """Serve until SIGTERM."""
    loop = asyncio.get_running_loop()
    begun, stopped = asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, begun.set)
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    hub = Hub()
    with closing(Store(ledger)) as store:
        source = LogSource(hub, store.log_reader, "solo-bench")
        server = StreamServer(source, Limits(), WebSocketServer(port=port), Gate(LOCAL))
        await server.start("127.0.0.1", port)
        await begun.wait()
        for position in range(1, block_count + 1):
            hub.announce(position)
            await server.until_level()
        await stopped.wait()
        await server.stop()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
