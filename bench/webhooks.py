"""Events to a webhook that is 20 ms away: many requests at once in the order of each asset, beside a bare client.

The receiver is a process that answers each request 20 ms after it came. The bare client posts the same bytes over as
many connections of the same library, in any order.
"""

import asyncio
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import aiohttp
import uvloop

from bench.ledgers import cached
from bench.measure import Scale, alternate, median
from bench.plugins import install, running, until
from bench.report import Figure, at_least, ratio_at_least
from bench.sinks.rates import events_in
from bigchaindb.config import PluginSettings
from bigchaindb.delivery import Message, Shape, transaction_messages
from bigchaindb.sinks.webhook import signed
from bigchaindb.store import Store
from tests.support.ports import free_ports
from tests.support.waiting import until as wait_until

DISTANCE_S: Final = 0.02
PARALLEL: Final = 64
BLOCK_SIZE: Final = 100
BLOCK_COUNT: Final = 300
RATE_LEAST: Final = 2_500
"""Requests a second; 64 on their way and 20 ms of each are 3,200 at most."""
RATIO_LEAST: Final = 0.8
RUN_COUNT_MAX: Final = 16
WITHIN_S: Final = 600.0
KEY: Final = bytes(32)
_runs: Final = count()


def run(scale: Scale) -> list[Figure]:
    """Measure the sink `webhook`."""
    install(
        scale.folder / "webhooks-site",
        {f"webhook_{number}": "bigchaindb.sinks.webhook:plugin" for number in range(RUN_COUNT_MAX)},
    )
    ledger = cached(scale, BLOCK_SIZE, scale.count(BLOCK_COUNT)) / "data"
    messages = [message for event in events_in(ledger) for message in transaction_messages(event)]
    assets = len({message.asset_id for message in messages})
    with _receiver() as url:
        sink, bare = (
            median(found)
            for found in alternate(
                scale.rounds, [lambda: _by_the_sink(ledger, url, len(messages)), lambda: _by_a_client(url, messages)]
            )
        )
    what = f"requests to a webhook 20 ms away, {PARALLEL} at once, {assets:,} assets"
    return [
        Figure(what=what, value=sink, unit="/s", limit=at_least(RATE_LEAST)),
        Figure(
            what="the same beside the library alone, without order",
            value=sink,
            unit="/s",
            peer=bare,
            peer_name="/s by the library alone",
            limit=ratio_at_least(RATIO_LEAST),
        ),
    ]


def _by_the_sink(ledger: Path, url: str, message_count: int) -> float:
    """Return the messages per second between the first and the last acknowledgement."""
    secret = f"whsec_{b64encode(KEY).decode()}"
    options = {"url": url, "secret": secret, "allow_private": True, "per": "transaction", "parallel": PARALLEL}

    async def pass_on(store: Store) -> float:
        name = f"webhook_{next(_runs)}"  # a lane of its own
        async with running(store, {name: PluginSettings(start="genesis", options=options)}) as node:
            await until(lambda: node.supervisor.status()[0].position > 0, within_s=WITHIN_S)
            begin, first = time.perf_counter(), node.supervisor.status()[0].position
            await until(lambda: node.supervisor.status()[0].lag == 0, within_s=WITHIN_S)
            return message_count * (1 - first / node.hub.head) / (time.perf_counter() - begin)

    with closing(Store(ledger)) as store:
        return asyncio.run(pass_on(store))


def _by_a_client(url: str, messages: Sequence[Message]) -> float:
    prepared = [
        (message.envelope, {"content-type": Shape().content_type, **signed(message.id, 0, message.envelope, [KEY])})
        for message in messages
    ]

    async def post() -> float:
        left = iter(prepared)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=PARALLEL)) as session:

            async def some() -> None:
                for body, headers in left:
                    async with session.post(url, data=body, headers=headers) as response:
                        await response.read()

            begin = time.perf_counter()
            async with asyncio.TaskGroup() as tasks:
                for _ in range(PARALLEL):
                    tasks.create_task(some())
            return len(prepared) / (time.perf_counter() - begin)

    return asyncio.run(post())


@contextmanager
def _receiver() -> Iterator[str]:
    (port,) = free_ports(1)
    with subprocess.Popen([sys.executable, "-m", "bench.webhooks", str(port)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            wait_until(process.stdout.readline, what="the receiver to listen")
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.kill()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            await asyncio.sleep(DISTANCE_S)
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _serve(port: int) -> None:
    async with await asyncio.start_server(_answer, "127.0.0.1", port, backlog=1_024) as server:
        print("listening", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
