"""Events into NATS JetStream, with one stream on disk for each run.

The CPU of a message is that of the whole process: the plugin's reads the log and splits blocks, as the bare client does
from bodies in its memory.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, Final

from bench.measure import Scale
from bench.report import Figure
from bench.sinks.rates import Ledger, Passed, Stopwatch, measured
from bigchaindb.delivery import WINDOW_COUNT_MAX, Format, Shape
from tests.support.nats import Nats, running_nats

_numbers: Final = count(1)


def figures(scale: Scale) -> Iterator[Figure]:
    """Measure the sink `nats`."""
    with running_nats() as server:
        yield from measured(scale, "nats", "NATS JetStream", server, _options, _by_a_client)


def _by_a_client(ledger: Ledger, server: Nats) -> Passed:
    """Publish the same messages, with the same window, the library's own."""

    async def publish() -> Passed:
        options = _options(server)
        async with server.stream(publish_async_max_pending=WINDOW_COUNT_MAX) as stream:
            name, shape = options["stream"], Shape(Format.BINARY)
            await stream.add_stream(name=name, subjects=[f"{name}.>"])
            watch = Stopwatch(time.process_time)
            for message in ledger.messages():
                rendered = shape.render(message)
                headers = {f"ce-{key}": value for key, value in rendered.attributes.items()}
                headers |= {"Nats-Msg-Id": message.id, "Nats-Expected-Stream": name}
                headers |= {"Content-Type": rendered.content_type, "ce-datacontenttype": rendered.content_type}
                await stream.publish_async(f"{name}.{message.routing_key}", rendered.body, headers=headers)
            await stream.publish_async_completed()
            passed = watch.passed(ledger.message_count)
            assert (await stream.stream_info(name)).state.messages == ledger.message_count
            return passed

    return asyncio.run(publish())


def _options(server: Nats) -> Mapping[str, Any]:
    """Return options of a stream of a run's own."""
    name = f"bench-{next(_numbers)}"
    return {"url": server.url, "stream": name, "subject": f"{name}.{{routing_key}}", "create": True}
