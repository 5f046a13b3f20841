"""Events into Redis, by a server that has on its disk what it confirms.

Both sides make the messages of the same blocks; the bare client sends them in pipelines of as many commands, which are
no transactions. The CPU of a message is that of the thread that writes.
"""

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from bench.measure import Scale
from bench.report import Figure
from bench.sinks.rates import Ledger, Passed, Stopwatch, measured
from bigchaindb.sinks.redis import WINDOW, RedisSink
from tests.support.redis import Redis, running_redis


def figures(scale: Scale) -> Iterator[Figure]:
    """Measure the sink `redis`."""
    with running_redis(within=scale.folder) as server:
        yield from measured(scale, "redis", "Redis", server, _options, _by_the_writer, _by_a_client)


def _by_the_writer(ledger: Ledger, server: Redis) -> Passed:
    """Write as the plugin does, without its queue."""
    sink = RedisSink()
    sink.configure({**_options(server), "per": "transaction"})
    with sink.opened() as (_, streams):
        watch = Stopwatch(time.thread_time)
        streams.write(ledger.messages())
        return watch.passed(ledger.message_count)


def _by_a_client(ledger: Ledger, server: Redis) -> Passed:
    stream, messages = _options(server)["stream"], ledger.messages()
    with server.client() as client:
        client.ping()
        watch = Stopwatch(time.thread_time)
        while window := list(islice(messages, WINDOW)):
            pipe = client.pipeline(transaction=False)
            for message in window:
                fields: dict[Any, Any] = {**message.attributes, "datacontenttype": "application/json"}
                fields["data"] = message.data
                pipe.xadd(stream, fields, id=f"{message.position}-{message.index}")
            pipe.execute()
        return watch.passed(ledger.message_count)


def _options(server: Redis) -> dict[str, Any]:
    """Return options with an empty stream; those of earlier runs are gone, as a server keeps them in memory."""
    with server.client() as client:
        client.flushall()
    return {"url": server.url, "stream": "bench"}
