"""Events into NATS JetStream: how fast the sink is beside a bare client that renders the same messages.

The server is a real one, a child of this process, with one stream on disk for each run. The CPU of a message is that
of the whole process: the plugin's reads the log and splits blocks, as the bare client does from bodies in its memory.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.ledgers import cached
from bench.measure import Scale, alternate, median
from bench.plugins import install, running, until
from bench.report import Figure, at_most, ratio_at_least
from bench.sinks import events_in
from bigchaindb.config import PluginSettings
from bigchaindb.delivery import WINDOW_COUNT_MAX, Format, Shape, transaction_messages
from bigchaindb.events import Event
from bigchaindb.store import Store
from tests.support.nats import Nats, running_nats

BLOCK_SIZE: Final = 100
BLOCK_COUNT: Final = 1_000
SINGLE_COUNT: Final = 20_000
"""Blocks of one transaction."""
RATIO_LEAST: Final = 0.8
CPU_US_MOST: Final = 6.0
"""Of a message, beyond the bare client's."""
WITHIN_S: Final = 1_200.0
RUN_COUNT_MAX: Final = 32
"""Runs over the ledgers; each needs a plugin and a stream of its own."""
_runs: Final = count()


class Passed(NamedTuple):
    """One run: messages a second, and the CPU of one in µs."""

    per_s: float
    cpu_us: float


def run(scale: Scale) -> list[Figure]:
    """Measure the sink `nats`."""
    install(
        scale.folder / "nats-site",
        {f"nats_{number}": "bigchaindb.sinks.nats:plugin" for number in range(RUN_COUNT_MAX)},
    )
    with running_nats(Path(tempfile.mkdtemp(prefix="bigchaindb-bench-nats-"))) as server:
        return [
            *_rate(scale, server, BLOCK_SIZE, scale.count(BLOCK_COUNT)),
            *_rate(scale, server, 1, scale.count(SINGLE_COUNT)),
        ]


def _rate(scale: Scale, server: Nats, size: int, block_count: int) -> Iterator[Figure]:
    ledger = cached(scale, size, block_count) / "data"
    events = events_in(ledger)
    runs = [lambda: _by_the_sink(ledger, server, size * block_count), lambda: _by_a_client(server, events)]
    sink, bare = alternate(scale.rounds, runs)
    yield Figure(
        what=f"transactions to NATS JetStream, from blocks of {size}",
        value=median(one.per_s for one in sink),
        unit="/s",
        peer=median(one.per_s for one in bare),
        peer_name="/s by the library alone",
        limit=ratio_at_least(RATIO_LEAST),
    )
    yield Figure(
        what=f"- CPU of a message beyond the library's {median(one.cpu_us for one in bare):.0f} µs",
        value=median(one.cpu_us for one in sink) - median(one.cpu_us for one in bare),
        unit="µs",
        limit=at_most(CPU_US_MOST),
    )


def _by_the_sink(ledger: Path, server: Nats, message_count: int) -> Passed:
    """Run the plugin from the first event on; measure between its first and its last acknowledgement."""

    async def pass_on(store: Store) -> Passed:
        number, options = _options(server)
        settings = PluginSettings(start="genesis", options={**options, "per": "transaction", "create": True})
        async with running(store, {f"nats_{number}": settings}) as node:
            await until(lambda: node.supervisor.status()[0].position > 0, within_s=WITHIN_S)
            (seen,) = node.supervisor.status()
            begin, cpu = time.perf_counter(), _cpu_s(seen.pid)
            await until(lambda: node.supervisor.status()[0].lag == 0, within_s=WITHIN_S)
            took_s, used_s = time.perf_counter() - begin, _cpu_s(seen.pid) - cpu
            assert node.supervisor.status()[0].parked_count == 0
            passed = message_count * (1 - seen.position / node.hub.head)
            return Passed(passed / took_s, used_s * 1e6 / passed)

    with closing(Store(ledger)) as store:
        return asyncio.run(pass_on(store))


def _by_a_client(server: Nats, events: Sequence[Event]) -> Passed:
    """Publish the same messages, with the same window, the library's own."""

    async def publish() -> Passed:
        _, options = _options(server)
        async with server.stream(publish_async_max_pending=WINDOW_COUNT_MAX) as stream:
            name, shape, message_count = options["stream"], Shape(Format.BINARY), 0
            await stream.add_stream(name=name, subjects=[f"{name}.>"])
            begin, cpu = time.perf_counter(), time.process_time()
            for event in events:
                for message in transaction_messages(event):
                    rendered = shape.render(message)
                    headers = {f"ce-{key}": value for key, value in rendered.attributes.items()}
                    headers |= {"Nats-Msg-Id": message.id, "Nats-Expected-Stream": name}
                    headers |= {"Content-Type": rendered.content_type, "ce-datacontenttype": rendered.content_type}
                    await stream.publish_async(f"{name}.{message.routing_key}", rendered.body, headers=headers)
                    message_count += 1
            await stream.publish_async_completed()
            took_s, used_s = time.perf_counter() - begin, time.process_time() - cpu
            assert (await stream.stream_info(name)).state.messages == message_count
            return Passed(message_count / took_s, used_s * 1e6 / message_count)

    return asyncio.run(publish())


def _options(server: Nats) -> tuple[int, Mapping[str, Any]]:
    """Return the number of a run, and options of a stream of its own."""
    number = next(_runs)
    return number, {"url": server.url, "stream": f"bench-{number}", "subject": f"bench-{number}.{{routing_key}}"}


def _cpu_s(pid: int | None) -> float:
    """Return the time that a process has used."""
    used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")
