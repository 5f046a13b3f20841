"""The plugin `kafka`: events as messages of a topic, each of them exactly once for readers of committed ones.

Messages are written in transactions, each with a record of the positions that are in the topic by now. That record is
read back when a process begins, so what an earlier one has written and not acknowledged is passed over. It holds as
well what was left out, because it was parked, and how often a person had sought: what returns by hand, or by a seek, is
written, with the header `returned`.

A second instance that writes under the same id ends the first one. The cluster tells that as it tells a transaction
that took too long; which it was shows in the record, where each instance leaves its name before its first message.

Source: decisions 0151 and 0152; Kafka's protocol of transactions; the Kafka binding of CloudEvents.
"""

import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from time import monotonic, sleep
from typing import Any, Final

import msgspec

from bigchaindb.delivery import Message, batches, messages_of, read_options
from bigchaindb.distribution import needs_extra
from bigchaindb.events import Event, EventQueue, EventTypes, Gone, Unavailable
from bigchaindb.sinks.kafka_options import KafkaOptions
from bigchaindb.sinks.reached import Reached

try:
    from confluent_kafka import KafkaError, KafkaException, Producer
    from confluent_kafka import Message as Sent

    from bigchaindb.sinks.kafka_client import ANSWER_S_MAX, Cluster
except ImportError as error:
    raise ImportError(needs_extra("kafka", "kafka")) from error

ABORT_S_MAX: Final = 1.0
"""Readers wait for what is open; a broker that hangs must not hold us for it, the next process ends it anyway."""
FENCED_S_MAX: Final = 5.0
"""Time for another instance to leave its name, once we are shut out."""
FULL_S: Final = 0.05
"""How often to look whether there is room for a further message."""
TOPICS_MAX: Final = 10_000
"""Topics that are remembered to be there."""
MESSAGE_BYTES_MAX: Final = 1_000_000_000
"""The library's highest limit: how large a message may be is the topic's matter, and its answer names it."""
BATCH_BYTES_MAX: Final = 1_000_000
"""Of the messages that go to a broker together: it takes no more of them than of one. The library's default."""
RETURNED: Final = "returned"
"""The header of a message whose position is not above all that were written before: some readers may have it."""
_FENCED: Final = frozenset({"_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"})


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the topic of the positions.

    Attributes:
        chain_id: of the ledger.
        position: the highest one that was written since the last seek.
        highest: the highest one that was ever written: what is not above it, readers may have.
        written: first and last position of each range that is written since the last seek.
        seek_count: how often the plugin had been sent to another place.
        wants: see `KafkaOptions.wants`.
        instance: of the process that wrote it.
    """

    chain_id: str
    position: int
    highest: int
    written: list[tuple[int, int]]
    seek_count: int
    wants: str
    instance: str


_log: Final = logging.getLogger(__name__)
_decode_record: Final = msgspec.json.Decoder(Record).decode


class KafkaSink:
    """What the entry point names."""

    acknowledge = "next_get"
    event_types = EventTypes.ALL
    select: Mapping[str, Any] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the options."""
        self._options = read_options(options, KafkaOptions)
        self.event_types, self.select = self._options.event_mask, self._options.select

    def check(self) -> str:
        """Connect and ask for the topics, without making one."""
        options = self._options
        cluster = Cluster(options.settings, options.servers)
        topics, positions = cluster.topics(), options.positions_topic
        told = f"Kafka at {options.servers}"
        if options.naming.is_constant:
            if options.topic not in topics:
                raise cluster.missing(options.topic)
            told += f"; the topic {options.topic} has {topics[options.topic]} partitions"
        is_there = positions in topics
        if is_there or not options.create:
            cluster.require_kept(positions, is_there=is_there, may_create=False)
        told += f"; the topic {positions} {'is there' if is_there else 'will be made'}"
        return f"{told}; {options.danger}" if options.danger else told

    def run(self, queue: EventQueue) -> None:
        """Write events until the queue has ended."""
        if self._options.danger:
            _log.warning("the plugin kafka, %s: %s", self._options.servers, self._options.danger)
        writer = Writer(self._options, queue.chain_id, queue.plugin, queue.seek_count)
        writer.begin()
        for events in batches(queue, self._options.window):
            writer.write(events)


class Writer:
    """Writes events in transactions."""

    def __init__(self, options: KafkaOptions, chain_id: str, plugin: str, seek_count: int) -> None:
        self._options = options
        self._chain_id = chain_id
        self._seek_count = seek_count
        self._key = options.transactional_id or f"{chain_id}.{plugin}"
        # With the topic of the record: plugins of one name that have each its own are no instances of one writer.
        self._id = options.transactional_id or f"{self._key}.{options.positions_topic}"
        self._shape = options.shape
        self._naming = options.naming
        self._content_type = ("content-type", self._shape.content_type)
        self._cluster = Cluster(options.settings, options.servers)
        self._topics: set[str] = set()
        self._batch_bytes = BATCH_BYTES_MAX
        self._refused: list[tuple[KafkaError, str]] = []
        self._instance = self._seen = secrets.token_hex(8)
        self._highest = 0
        self._reached = Reached()

    @cached_property
    def _producer(self) -> Producer:
        options = self._options
        milliseconds = int(options.commit_s * 1_000)
        return Producer(
            self._cluster.settings
            | {
                "transactional.id": self._id,
                "transaction.timeout.ms": milliseconds,
                "message.timeout.ms": milliseconds,
                "compression.type": options.compression,
                "message.max.bytes": MESSAGE_BYTES_MAX,
                "batch.size": self._batch_bytes,
                "delivery.report.only.error": True,
                "on_delivery": self._note_refused,
            }
        )

    def begin(self) -> None:
        """Require the topics, end an earlier process's transaction, learn what it has written, and leave our name.

        Raises:
            Gone: as `write`.
            Unavailable: no broker lets us in, or a topic is missing.
        """
        options, topics = self._options, self._cluster.topics()
        if self._naming.is_constant and options.topic not in topics:
            raise self._cluster.missing(options.topic)
        positions = options.positions_topic
        self._cluster.require_kept(positions, is_there=positions in topics, may_create=options.create)
        self._topics = {*topics}
        if self._naming.is_constant:
            limit = self._cluster.config_of(options.topic).get("max.message.bytes", "")
            self._batch_bytes = min(BATCH_BYTES_MAX, int(limit)) if limit.isdecimal() else BATCH_BYTES_MAX
        try:
            self._producer.init_transactions(ANSWER_S_MAX)
        except KafkaException as error:
            self._learn()
            raise self._cluster.unavailable(error) from error
        record = self._record()
        if record is not None and record.chain_id == self._chain_id:
            self._seen, self._highest = record.instance, record.highest
            if (record.seek_count, record.wants) == (self._seek_count, options.wants):
                self._reached = Reached(record.written)
        with self._transaction():
            self._send_record()

    def write(self, events: Sequence[Event]) -> None:
        """Write what of the events is not written, and that it is, in one transaction.

        Raises:
            Gone: another instance writes under our id.
            Unavailable: the cluster does not take it now.
            ValueError: it will never take a message of these events.
        """
        fresh = [event for event in events if event.position not in self._reached]
        if not fresh:
            return
        with self._transaction():
            for event in fresh:
                is_returned = event.position <= self._highest
                for message in messages_of(event, self._options.per):
                    self._send(message, is_returned=is_returned)
                self._reached.add(event.position, is_new=event.attempt == 1)
            self._highest = max(self._highest, *(event.position for event in fresh))
            self._send_record()

    def _record(self) -> Record | None:
        topic, within_s = self._options.positions_topic, self._options.commit_s + ANSWER_S_MAX
        text = self._cluster.last(topic, self._key.encode(), within_s)
        try:
            return None if text is None else _decode_record(text)
        except msgspec.DecodeError as error:
            raise Unavailable(
                f"{self._options.servers}: the last record of {self._key} in the topic {topic} is none of this plugin "
                f"({error}); name another topic in the option positions"
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._producer.begin_transaction()
            yield
            self._producer.commit_transaction(self._options.commit_s)
        except BaseException as error:
            with suppress(KafkaException):
                self._producer.abort_transaction(ABORT_S_MAX)
            if isinstance(error, KafkaException):
                raise self._failure(error) from error
            raise

    def _send(self, message: Message, *, is_returned: bool) -> None:
        rendered = self._shape.render(message)
        headers: list[tuple[str, str | bytes | None]] = [self._content_type]
        if rendered.attributes:
            headers += [(f"ce_{name}", value) for name, value in rendered.attributes.items()]
        else:
            headers.append(("id", message.id))
        if is_returned:
            headers.append((RETURNED, "true"))
        topic = self._naming.name(message)
        if topic not in self._topics:
            self._require(topic)
        self._produce(topic, rendered.body, message.asset_id or message.chain_id, headers)

    def _send_record(self) -> None:
        written = list(self._reached.ranges)
        record = Record(
            chain_id=self._chain_id,
            position=written[-1][1] if written else 0,
            highest=self._highest,
            written=written,
            seek_count=self._seek_count,
            wants=self._options.wants,
            instance=self._instance,
        )
        self._produce(self._options.positions_topic, msgspec.json.encode(record), self._key, [])

    def _produce(self, topic: str, body: bytes, key: str, headers: list[tuple[str, str | bytes | None]]) -> None:
        deadline = 0.0
        while True:
            try:
                self._producer.produce(topic, body, key=key, headers=headers)
            except BufferError:
                deadline = deadline or monotonic() + self._options.commit_s
                if monotonic() > deadline:
                    raise self._cluster.unavailable() from None
                self._producer.poll(FULL_S)
            else:
                return

    def _require(self, topic: str) -> None:
        """Require the topic of a template; asked for, a broker that makes topics by itself makes it."""
        found = self._producer.list_topics(topic, timeout=ANSWER_S_MAX).topics[topic]
        if found.error is not None and not found.error.retriable():
            raise self._cluster.missing(topic)
        if len(self._topics) >= TOPICS_MAX:
            self._topics.clear()
        self._topics.add(topic)

    def _note_refused(self, error: KafkaError | None, sent: Sent) -> None:
        if error is not None:
            self._refused.append((error, sent.topic() or ""))

    def _learn(self) -> None:
        """Have the library tell what it knows of a failure; one that is final it raises a second time."""
        with suppress(KafkaException):
            self._producer.poll(0)

    def _failure(self, error: KafkaException) -> Exception:
        """Return what a failed transaction means."""
        self._learn()
        found = error.args[0]
        for refused, topic in self._refused:
            if refused.name() == "TOPIC_AUTHORIZATION_FAILED":
                return self._cluster.unavailable(KafkaException(refused), topic)
            if refused.name() in {"MSG_SIZE_TOO_LARGE", "INVALID_RECORD", "INVALID_MSG"}:
                return ValueError(
                    f"the topic {topic} refuses a message of these events: {refused.str()}; raise its "
                    "max.message.bytes, or send less with the options per and fields"
                )
        if found.name() in _FENCED:
            return self._fenced()
        return self._cluster.unavailable(error)

    def _fenced(self) -> Exception:
        """Return whether another instance has shut us out, or our transaction took too long."""
        deadline = monotonic() + FENCED_S_MAX
        while True:
            try:
                record = self._record()
            except Unavailable as error:
                return error
            if record is not None and record.instance not in {self._instance, self._seen}:
                return Gone(
                    f"another instance writes as {self._id} to {self._options.servers}; stop that one, or set the "
                    "option transactional_id of one of them if both shall write, and restart this plugin"
                )
            if monotonic() > deadline:
                return Unavailable(
                    f"{self._options.servers}: a transaction was given up after {self._options.commit_s:g} s, or "
                    f"another instance writes as {self._id} to another topic; check the load of broker and node, raise "
                    "the option commit_s, or set the option transactional_id of one of the instances"
                )
            sleep(FULL_S)


plugin = KafkaSink()
"""Reads its options in `configure`."""
