"""Events into Redis: how fast the sink is beside a bare client that renders and adds the same messages.

The server is a real one, a child of this process, that has on its disk what it confirms. Both sides make the messages
of the same blocks; the bare client sends them in pipelines of as many commands, which are no transactions.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

from bench.ledgers import cached
from bench.measure import Scale, alternate, median
from bench.plugins import install, running, until
from bench.report import Figure, at_most, ratio_at_least
from bench.sinks import events_in
from bigchaindb.config import PluginSettings
from bigchaindb.delivery import transaction_messages
from bigchaindb.events import Event
from bigchaindb.sinks.redis import WINDOW, RedisSink
from bigchaindb.store import Store
from tests.support.redis import Redis, running_redis

BLOCK_SIZE: Final = 100
BLOCK_COUNT: Final = 1_000
SINGLE_COUNT: Final = 20_000
"""Blocks of one transaction."""
RATIO_LEAST: Final = 0.8
CPU_US_MOST: Final = 6.0
"""Of a message, beyond the bare client's."""
WITHIN_S: Final = 1_200.0
RUN_COUNT_MAX: Final = 32
_runs: Final = count()


def run(scale: Scale) -> list[Figure]:
    """Measure the sink `redis`."""
    install(
        scale.folder / "bench_redis",  # `redis` is the library's name
        {f"redis_{number}": "bigchaindb.sinks.redis:plugin" for number in range(RUN_COUNT_MAX)},
    )
    with running_redis(Path(tempfile.mkdtemp(prefix="run-", dir=scale.folder))) as server:
        return [
            *_figures(scale, server, BLOCK_SIZE, scale.count(BLOCK_COUNT)),
            *_figures(scale, server, 1, scale.count(SINGLE_COUNT)),
        ]


def _figures(scale: Scale, server: Redis, size: int, block_count: int) -> Iterator[Figure]:
    ledger = cached(scale, size, block_count) / "data"
    events = events_in(ledger)
    message_count = sum(len(transaction_messages(event)) for event in events)
    plugin, writer, bare = alternate(
        scale.rounds,
        [
            lambda: (_by_the_plugin(ledger, server, message_count), 0.0),
            lambda: _by_the_writer(server, events, message_count),
            lambda: _by_a_client(server, events, message_count),
        ],
    )
    yield Figure(
        what=f"transactions to Redis, from blocks of {size}",
        value=median(rate for rate, _ in plugin),
        unit="/s",
        peer=median(rate for rate, _ in bare),
        peer_name="/s by the library alone",
        limit=ratio_at_least(RATIO_LEAST),
    )
    yield Figure(
        what=f"CPU of a message beyond the library's, from blocks of {size}",
        value=median(us for _, us in writer) - median(us for _, us in bare),
        unit="µs",
        limit=at_most(CPU_US_MOST),
    )


def _by_the_plugin(ledger: Path, server: Redis, message_count: int) -> float:
    """Run the plugin over all events; return messages per second from the first in hand to the last answer."""

    async def pass_on(store: Store) -> float:
        name = f"redis_{next(_runs)}"  # a lane of its own
        async with running(store, {name: PluginSettings(start="genesis", options=_options(server))}) as node:
            await until(lambda: bool(node.supervisor.status()[0].in_hand), within_s=WITHIN_S)
            begin, first = time.perf_counter(), node.supervisor.status()[0].position
            await until(lambda: node.supervisor.status()[0].lag == 0, within_s=WITHIN_S)
            assert node.supervisor.status()[0].parked_count == 0
            return message_count * (1 - first / node.hub.head) / (time.perf_counter() - begin)

    with closing(Store(ledger)) as store:
        return asyncio.run(pass_on(store))


def _by_the_writer(server: Redis, events: Sequence[Event], message_count: int) -> tuple[float, float]:
    """Write as the plugin does, without its queue; return the rate and the CPU of a message in µs."""
    sink = RedisSink()
    sink.configure(_options(server))
    with sink.opened() as (_, streams):
        begin, cpu = time.perf_counter(), time.thread_time()
        streams.write(message for event in events for message in transaction_messages(event))
        return _result(begin, cpu, message_count)


def _by_a_client(server: Redis, events: Sequence[Event], message_count: int) -> tuple[float, float]:
    stream = _options(server)["stream"]
    messages = (message for event in events for message in transaction_messages(event))
    with server.client() as client:
        client.ping()
        begin, cpu = time.perf_counter(), time.thread_time()
        while window := list(islice(messages, WINDOW)):
            pipe = client.pipeline(transaction=False)
            for message in window:
                fields: dict[Any, Any] = {**message.attributes, "datacontenttype": "application/json"}
                fields["data"] = message.data
                pipe.xadd(stream, fields, id=f"{message.position}-{message.index}")
            pipe.execute()
        return _result(begin, cpu, message_count)


def _result(begin: float, cpu: float, message_count: int) -> tuple[float, float]:
    return message_count / (time.perf_counter() - begin), (time.thread_time() - cpu) * 1e6 / message_count


def _options(server: Redis) -> dict[str, Any]:
    """Return options with an empty stream; those of earlier runs are gone, as a server keeps them in memory."""
    with server.client() as client:
        client.flushall()
    return {"url": server.url, "stream": "bench", "per": "transaction"}
