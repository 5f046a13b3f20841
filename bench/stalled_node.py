"""`python -m bench.stalled_node FOLDER COUNT RESULT`: commits events beside a plugin that took one and hangs.

A node without engine and ports: the store, one writer thread, the loop that announces, the supervisor. It writes down
its own memory and the plugin's after each tenth of the events. Every event is of one small transaction. Before them
it fills a ledger with large blocks, so that what has a bound of its own, the store's caches and its index rows in
memory, has reached it.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import uvloop

from bench.plugins import install, running, until
from bench.processes import resident_mb
from bigchaindb.config import PluginSettings
from bigchaindb.store import Store
from bigchaindb.streams.hub import Hub
from tests.support.event_logs import LogWriter

NAME = "bench_hanging"
PARTS = 10
WARM_BLOCK_COUNT = 300
WARM_BLOCK_SIZE = 1_000
WARM_BODY_BYTES = 500
WAIT_S_MAX = 60.0


async def main(folder: Path, count: int) -> list[Mapping[str, float]]:
    """Commit, announce, measure; return what was seen."""
    install(folder / "site", {NAME: "bench.delivery_plugins:hanging"})
    marks: list[Mapping[str, float]] = []
    with closing(Store(folder / "data")) as store, ThreadPoolExecutor(1) as writer:
        _fill(store)
        begin = store.writer.tip().position
        async with running(store, {NAME: PluginSettings()}) as node:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(writer, _commit, store, node.hub, loop, 1)
            await until(lambda: bool(node.supervisor.status()[0].in_hand), within_s=WAIT_S_MAX)
            pid = node.supervisor.status()[0].pid
            for part in range(1, PARTS + 1):
                await loop.run_in_executor(writer, _commit, store, node.hub, loop, count // PARTS - (part == 1))
                (status,) = node.supervisor.status()
                assert (status.pid, status.in_hand, status.start_count) == (pid, (begin + 1,), 1), status
                assert pid is not None
                event_count = node.hub.head - begin
                marks.append({"events": event_count, "node_mb": resident_mb(), "plugin_mb": resident_mb(pid)})
    return marks


def _fill(store: Store) -> None:
    writer = LogWriter(store.writer)
    for _ in range(WARM_BLOCK_COUNT):
        writer.valid(WARM_BLOCK_SIZE, WARM_BODY_BYTES)
        store.writer.tidy()


def _commit(store: Store, hub: Hub, loop: asyncio.AbstractEventLoop, count: int) -> None:
    writer = LogWriter(store.writer)
    for _ in range(count):
        loop.call_soon_threadsafe(hub.announce, writer.valid(1))
        store.writer.tidy()


if __name__ == "__main__":
    result = Path(sys.argv[3])
    result.with_suffix(".new").write_text(json.dumps(uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2])))))
    result.with_suffix(".new").rename(result)
