"""Events into Kafka: how fast the sink is beside a bare client that renders the same messages and commits as often.

The broker is a real one, a child of this process. The CPU of a message is that of the thread that writes, so that of
the library's own threads, which both have alike, is left out.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Producer

from bench.ledgers import cached
from bench.measure import Scale, alternate, median
from bench.plugins import CHAIN_ID, install, running, until
from bench.report import Figure, at_most, ratio_at_least
from bench.sinks import messages_in
from bigchaindb.config import PluginSettings
from bigchaindb.delivery import WINDOW_COUNT_MAX, Format, Message, Shape, read_options
from bigchaindb.events import Event
from bigchaindb.sinks.kafka import Writer
from bigchaindb.sinks.kafka_options import KafkaOptions
from bigchaindb.store import Store
from tests.support.kafka import Kafka, running_kafka

BLOCK_SIZE: Final = 100
BLOCK_COUNT: Final = 1_000
SINGLE_COUNT: Final = 20_000
"""Blocks of one transaction."""
RATIO_LEAST: Final = 0.8
CPU_US_MOST: Final = 6.0
"""Of a message, beyond the bare client's."""
WINDOW_BYTES: Final = 8 * 1024 * 1024
"""Of the events that a lane gives out at once."""
WITHIN_S: Final = 1_200.0
COMMIT_S: Final = 60.0
RUN_COUNT_MAX: Final = 32
_numbers: Final = count(1)
_runs: Final = count()


def run(scale: Scale) -> list[Figure]:
    """Measure the sink `kafka`."""
    install(
        scale.folder / "kafka-site",
        {f"kafka_{number}": "bigchaindb.sinks.kafka:plugin" for number in range(RUN_COUNT_MAX)},
    )
    with running_kafka(Path(tempfile.mkdtemp(prefix="bigchaindb-bench-kafka-"))) as broker:
        return [
            *_rate(scale, broker, BLOCK_SIZE, scale.count(BLOCK_COUNT)),
            *_rate(scale, broker, 1, scale.count(SINGLE_COUNT)),
        ]


def _rate(scale: Scale, broker: Kafka, size: int, block_count: int) -> Iterator[Figure]:
    ledger = cached(scale, size, block_count) / "data"
    groups = [*_groups(messages_in(ledger))]
    message_count = sum(map(len, groups))
    rates, bare = alternate(
        scale.rounds,
        [lambda: (_by_the_sink(ledger, broker, message_count), 0.0), lambda: _by_a_client(broker, groups)],
    )
    yield Figure(
        what=f"transactions to Kafka, from blocks of {size}",
        value=median(rate for rate, _ in rates),
        unit="/s",
        peer=median(rate for rate, _ in bare),
        peer_name="/s by the library alone",
        limit=ratio_at_least(RATIO_LEAST),
    )
    events = _events_in(ledger)
    writer_us = median(_by_the_writer(broker, events, message_count) for _ in range(scale.rounds))
    yield Figure(
        what=f"CPU of a message beyond the library's, from blocks of {size}",
        value=writer_us - median(us for _, us in bare),
        unit="µs",
        limit=at_most(CPU_US_MOST),
    )


def _groups(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Yield what the sink puts into one transaction: so many events, and so many bytes of them."""
    group, positions, size = list[Message](), set[int](), 0
    for message in messages:
        is_new = message.position not in positions
        if is_new and (len(positions) == WINDOW_COUNT_MAX or size > WINDOW_BYTES):
            yield group
            group, positions, size = [], set(), 0
        group.append(message)
        positions.add(message.position)
        size += len(message.data)
    yield group


def _by_the_sink(ledger: Path, broker: Kafka, message_count: int) -> float:
    """Run the plugin from the first event on; return messages per second between the first and the last commit."""

    async def pass_on(store: Store) -> float:
        settings = PluginSettings(start="genesis", options=_options(broker))
        async with running(store, {f"kafka_{next(_runs)}": settings}) as node:
            await until(lambda: node.supervisor.status()[0].position > 0, within_s=WITHIN_S)
            begin, first = time.perf_counter(), node.supervisor.status()[0].position
            await until(lambda: node.supervisor.status()[0].lag == 0, within_s=WITHIN_S)
            assert node.supervisor.status()[0].parked_count == 0
            return message_count * (1 - first / node.hub.head) / (time.perf_counter() - begin)

    with closing(Store(ledger)) as store:
        return asyncio.run(pass_on(store))


def _by_a_client(broker: Kafka, groups: Sequence[Sequence[Message]]) -> tuple[float, float]:
    """Write the same messages in the same transactions, headers and record included; return rate and CPU in µs."""
    options, shape = _options(broker), Shape(Format.BINARY)
    producer = Producer(broker.settings_of_client | {"transactional.id": options["topic"]})
    producer.init_transactions(COMMIT_S)
    begin, cpu = time.perf_counter(), time.thread_time()
    for group in groups:
        producer.begin_transaction()
        for message in group:
            rendered = shape.render(message)
            headers: list[tuple[str, str | bytes | None]] = [
                (f"ce_{name}", value) for name, value in rendered.attributes.items()
            ]
            while True:
                try:
                    producer.produce(options["topic"], rendered.body, key=message.asset_id, headers=headers)
                except BufferError:
                    producer.poll(0.05)
                else:
                    break
        producer.produce(f"{options['topic']}.positions", b"%d" % group[-1].position, key="bench")
        producer.commit_transaction(COMMIT_S)
    message_count = sum(map(len, groups))
    used_s, taken_s = time.thread_time() - cpu, time.perf_counter() - begin
    return message_count / taken_s, used_s * 1e6 / message_count


def _by_the_writer(broker: Kafka, events: Sequence[Event], message_count: int) -> float:
    """Write the events as the plugin does, in this thread; return the CPU of a message in µs."""
    options = read_options(_options(broker), KafkaOptions)  # as a node does: `per` is no mere text
    writer = Writer(options, CHAIN_ID, "bench", 0)
    writer.begin()
    begin = time.thread_time()
    for first in range(0, len(events), WINDOW_COUNT_MAX):
        writer.write(events[first : first + WINDOW_COUNT_MAX])
    return (time.thread_time() - begin) * 1e6 / message_count


def _events_in(ledger: Path) -> list[Event]:
    with closing(Store(ledger)) as store, closing(store.log_reader()) as log:
        found: list[Event] = []
        after, head = 0, log.head()
        while after < head:
            for record in log.records(after, head, count_max=1_000, bytes_max=1 << 24):
                found.append(
                    Event(
                        record.type,
                        body=record.body,
                        chain_id=CHAIN_ID,
                        position=record.position,
                        height=record.height,
                        time=record.time,
                    )
                )
                after = record.position
        return found


def _options(broker: Kafka) -> Mapping[str, Any]:
    """Make topics of a run's own, as the bare client needs them too; return the options of the plugin."""
    topic = f"bench-{next(_numbers)}"
    broker.make_topic(topic)
    broker.make_topic(f"{topic}.positions", cleanup_policy="compact")
    return {"servers": broker.address, "topic": topic, "per": "transaction"}
