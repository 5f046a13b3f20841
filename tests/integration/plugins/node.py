"""A node without a ledger, for tests that kill it: `python node.py FOLDER SEED FAULT` commits blocks, runs the plugin.

It prints `running` once the plugin runs, and `head N` after every commit.
"""

import asyncio
import random
import sys
from pathlib import Path

from bigchaindb.config import PluginSettings
from bigchaindb.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers.supervisor import Supervisor

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.support.event_logs import LogWriter


async def main(folder: Path, seed: str, fault: str) -> None:
    store = Store(folder / "data")
    hub = Hub(store.writer.tip().position)
    options = {"record": str(folder / "seen"), "fault": fault, "at": 1, "times": 1000}
    settings = PluginSettings(start="genesis", options=options)
    supervisor = Supervisor(hub=hub, store=store, chain_id="solo-test", plugins={"misbehaving": settings})
    await supervisor.start()
    print("running", flush=True)
    writer, pauses = LogWriter(store.writer), random.Random(seed)
    while True:
        hub.announce(writer.valid(1))
        print("head", hub.head, flush=True)
        await asyncio.sleep(pauses.random() * 0.003)


asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
