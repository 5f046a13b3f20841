"""`python -m bench.stream_server LEDGER PORT BLOCK_COUNT GO`: the node's stream server over a ledger that exists.

Once the file GO exists it announces block after block, each when the one before has been written to who can take it.
"""

import asyncio
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import uvloop

from bigchaindb.config import Limits, WebSocketServer
from bigchaindb.store import Store
from bigchaindb.subscribers.hub import Hub
from bigchaindb.subscribers.websocket import StreamServer

LOOK_S: Final = 0.01


async def main(ledger: Path, port: int, block_count: int, go: Path) -> None:
    """Serve until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    hub = Hub()
    with closing(Store.open(ledger)) as store:
        server = StreamServer(hub, store.log_reader, "solo-bench", Limits(), WebSocketServer(port=port))
        await server.start("127.0.0.1", port)
        while not go.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(LOOK_S)
        for position in range(1, block_count + 1):
            hub.announce(position)
            await server.until_level()
        await stopped.wait()
        await server.stop()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
