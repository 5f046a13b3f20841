"""Events into Kafka, in transactions of the same messages.

The CPU of a message is that of the thread that writes, so that of the library's own threads, which both have alike, is
left out.
"""

import time
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, Final

from confluent_kafka import Producer

from bench.measure import Scale
from bench.plugins import CHAIN_ID
from bench.report import Figure
from bench.sinks.rates import Ledger, Passed, Stopwatch, measured
from bigchaindb.delivery import WINDOW_COUNT_MAX, Format, Message, Shape, read_options
from bigchaindb.sinks.kafka import Writer
from bigchaindb.sinks.kafka_options import KafkaOptions
from tests.support.kafka import Kafka, running_kafka

WINDOW_BYTES: Final = 8 * 1024 * 1024
"""Of the events that a lane gives out at once."""
COMMIT_S: Final = 60.0
_numbers: Final = count(1)


def figures(scale: Scale) -> Iterator[Figure]:
    """Measure the sink `kafka`."""
    with running_kafka() as broker:
        yield from measured(scale, "kafka", "Kafka", broker, _options, _by_the_writer, _by_a_client)


def _groups(ledger: Ledger) -> Iterator[list[Message]]:
    """Yield what the sink puts into one transaction: so many events, and so many bytes of them."""
    group, positions, size = list[Message](), set[int](), 0
    for message in ledger.messages():
        is_new = message.position not in positions
        if is_new and (len(positions) == WINDOW_COUNT_MAX or size > WINDOW_BYTES):
            yield group
            group, positions, size = [], set(), 0
        group.append(message)
        positions.add(message.position)
        size += len(message.data)
    yield group


def _by_a_client(ledger: Ledger, broker: Kafka) -> Passed:
    """Write the same messages in the same transactions, headers and record included."""
    options, shape, groups = _options(broker), Shape(Format.BINARY), [*_groups(ledger)]
    producer = Producer(broker.settings_of_client | {"transactional.id": options["topic"]})
    producer.init_transactions(COMMIT_S)
    watch = Stopwatch(time.thread_time)
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
    return watch.passed(ledger.message_count)


def _by_the_writer(ledger: Ledger, broker: Kafka) -> Passed:
    """Write the events as the plugin does, in this thread."""
    options = read_options({**_options(broker), "per": "transaction"}, KafkaOptions)  # as a node does
    writer = Writer(options, CHAIN_ID, "bench", 0)
    writer.begin()
    watch = Stopwatch(time.thread_time)
    for first in range(0, len(ledger.events), WINDOW_COUNT_MAX):
        writer.write(ledger.events[first : first + WINDOW_COUNT_MAX])
    return watch.passed(ledger.message_count)


def _options(broker: Kafka) -> Mapping[str, Any]:
    """Make topics of a run's own, as the bare client needs them too; return the options of the plugin."""
    topic = f"bench-{next(_numbers)}"
    broker.make_topic(topic)
    broker.make_topic(f"{topic}.positions", cleanup_policy="compact")
    return {"servers": broker.address, "topic": topic}
