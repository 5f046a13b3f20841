"""What the sink `kafka` asks of a cluster besides writing: its topics, the record of a writer, and errors in words.

librdkafka tells its failures as codes, and its reasons by a callback: here they become one sentence each.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from time import monotonic, sleep
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it exports them without saying so
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from bigchaindb.events import Unavailable

ANSWER_S_MAX: Final = 10.0
"""Time for an answer of the cluster, other than that a transaction is committed."""
LOOK_S: Final = 2.0
"""How often to look meanwhile whether no broker can be reached: the library goes on trying."""
AGAIN_S: Final = 0.05
"""How often to ask for a topic that a broker does not know yet, or not for the moment."""
LOOK_BACK: Final = (1_000, 100_000, 1 << 62)
"""Offsets before the end where a writer's record is looked for, one after the other: as a rule it is the last one."""

_log: Final = logging.getLogger(__name__)
# The library tells its own story of each failure, each second anew; ours is what it raises.
_log.setLevel(logging.CRITICAL + 1)

_CURES: Final[tuple[tuple[str, str], ...]] = (
    ("certificate verify failed", "for an authority of your own set the option ca_file"),
    ("Connection refused", "start the broker, or correct the option servers"),
    ("resolve", "correct the host in the option servers"),
    ("SASL", "correct user, password or mechanism among the options"),
    ("SSL listener", "set the option tls to true, or name a port without TLS"),
    ("Disconnected", "check that the option tls, and user for a login, are what this port wants"),
    ("handshake", "set the option tls to false, or name a port with TLS"),
)
_REFUSALS: Final = {
    "TOPIC_AUTHORIZATION_FAILED": "grant the user DESCRIBE and WRITE on the topics, and READ on that of the positions",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": "grant the user DESCRIBE and WRITE on the transactional id, or "
    "name another in the option transactional_id",
    "CLUSTER_AUTHORIZATION_FAILED": "grant the user IDEMPOTENT_WRITE on the cluster",
    "UNKNOWN_TOPIC_OR_PART": "make the topic, or correct the option topic",
    "_UNKNOWN_TOPIC": "make the topic, or correct the option topic",
    "_AUTHENTICATION": "correct user, password or mechanism among the options",
    "INVALID_TRANSACTION_TIMEOUT": "set the option commit_s to no more than the broker's transaction.max.timeout.ms",
}
_NO_WORD: Final = "check that the broker runs, and that the option tls is what this port wants"


class Cluster:
    """A cluster, as one sink reaches it.

    Attributes:
        settings: of any client.
        place: for people.
    """

    def __init__(self, settings: Mapping[str, Any], place: str) -> None:
        self.settings = {
            **settings,
            "client.id": "bigchaindb",
            "logger": _log,
            "error_cb": self._note,
            "reconnect.backoff.max.ms": 1_000,
        }
        self.place = place
        self._reason = ""
        self._is_down = False

    @cached_property
    def _admin(self) -> AdminClient:
        return AdminClient(self.settings)

    def _note(self, error: KafkaError) -> None:
        if error.name() == "_ALL_BROKERS_DOWN":  # it follows the reason
            self._is_down = True
        else:
            self._reason = error.str()

    def unavailable(self, error: KafkaException | None = None, topic: str = "") -> Unavailable:
        """Return an error for what the library raised, with what it told of the connection, or of a topic."""
        found = None if error is None else error.args[0]
        if found is not None and found.name() not in {"_TIMED_OUT", "_TRANSPORT", "_ALL_BROKERS_DOWN", "_STATE"}:
            of_it = f"the topic {topic}: " if topic else ""
            return Unavailable(f"{self.place}: {of_it}{found.str()}; {_cure_of(found)}")
        if not self._reason:
            return Unavailable(f"{self.place}: no answer in time; {_NO_WORD}")
        cure = next((cure for text, cure in _CURES if text in self._reason), _NO_WORD)
        return Unavailable(f"{self.place}: {self._reason}; {cure}")

    @contextmanager
    def _asking(self) -> Iterator[AdminClient]:
        """Yield a client for questions; what the library raises becomes `Unavailable`, an answer that is late too."""
        try:
            yield self._admin
        except (KafkaException, TimeoutError) as error:
            self._admin.poll(0)  # learn the reason
            raise self.unavailable(error if isinstance(error, KafkaException) else None) from error

    def topics(self) -> Mapping[str, int]:
        """Return all topics that may be seen, each with its number of partitions.

        Raises:
            Unavailable: no broker lets us in.
        """
        deadline = monotonic() + ANSWER_S_MAX
        while True:
            try:
                found = self._admin.list_topics(timeout=LOOK_S).topics
            except KafkaException as error:
                self._admin.poll(0)  # learn the reason
                if self._is_down or monotonic() > deadline:
                    raise self.unavailable(error) from error
            else:
                return {name: len(topic.partitions) for name, topic in found.items() if topic.error is None}

    def missing(self, topic: str) -> Unavailable:
        """Return the error for a topic that is not there."""
        return Unavailable(
            f"{self.place}: there is no topic {topic}, or this user may not see it; make it with as many partitions as "
            "its readers need, or correct the option topic"
        )

    def require_kept(self, topic: str, *, is_there: bool, may_create: bool) -> None:
        """Require a topic that keeps the last record of each key for ever; make it where that is allowed.

        Raises:
            Unavailable: it is not there and cannot be made, or it forgets.
        """
        how = "make it with one partition and cleanup.policy=compact"
        if is_there:
            policy = self.config_of(topic).get("cleanup.policy", "compact")
            if policy != "compact":  # with "delete" beside it the record of a writer without events goes, too
                raise Unavailable(
                    f"{self.place}: the topic {topic} has cleanup.policy={policy}, by which it forgets what was "
                    "written; set it to compact"
                )
            return
        if not may_create:
            raise Unavailable(f"{self.place}: there is no topic {topic}; {how}, or set the option create to true")
        with self._asking() as admin:
            wanted = NewTopic(topic, 1, config={"cleanup.policy": "compact", "segment.bytes": str(1 << 24)})
            try:
                admin.create_topics([wanted])[topic].result(ANSWER_S_MAX)
            except KafkaException as error:
                if error.args[0].name() != "TOPIC_ALREADY_EXISTS":  # another instance was faster
                    raise Unavailable(
                        f"{self.place}: cannot make the topic {topic}: {error.args[0].str()}; {how}"
                    ) from error

    def config_of(self, topic: str) -> Mapping[str, str]:
        """Return the settings of a topic, none if this user may not see them: who may not may use it all the same."""
        resource = ConfigResource(ResourceType.TOPIC, topic)
        with self._asking() as admin:
            try:
                found = admin.describe_configs([resource])[resource].result(ANSWER_S_MAX)
            except KafkaException:
                return {}
        return {name: str(entry.value) for name, entry in found.items()}

    def last(self, topic: str, key: bytes, within_s: float) -> bytes | None:
        """Return the last committed record of a key, None if there is none.

        Args:
            topic: with any number of partitions.
            key: of the record.
            within_s: time to wait while nothing comes: for another writer whose transaction is open.

        Raises:
            Unavailable: the topic cannot be read to its end.
        """
        with self._asking():
            ends = self._ends(topic)
            for span in LOOK_BACK:
                starts = {one: max(0, end - span) for one, end in ends.items()}
                if (found := self._last(topic, key, starts, ends, within_s)) is not None:
                    return found
                if not any(starts.values()):
                    break
        return None

    def _ends(self, topic: str) -> Mapping[int, int]:
        """Return the end of each partition, transactions that are open included."""
        deadline = monotonic() + ANSWER_S_MAX
        while (found := self._admin.list_topics(topic, timeout=ANSWER_S_MAX).topics[topic]).error is not None:
            if monotonic() > deadline:
                raise KafkaException(found.error)
            sleep(AGAIN_S)
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        wanted = {TopicPartition(topic, one): latest for one in found.partitions}
        asked = self._admin.list_offsets(wanted, request_timeout=ANSWER_S_MAX)
        return {where.partition: answer.result(ANSWER_S_MAX).offset for where, answer in asked.items()}

    def _last(
        self, topic: str, key: bytes, starts: Mapping[int, int], ends: Mapping[int, int], within_s: float
    ) -> bytes | None:
        left = {one for one, start in starts.items() if start < ends[one]}
        found: bytes | None = None
        if not left:
            return None
        consumer = Consumer(
            self.settings
            | {
                "group.id": "bigchaindb",  # required, and used for nothing: no offset is committed
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",  # what is compacted begins above the place that is looked for
                "fetch.wait.max.ms": 10,
            }
        )
        try:
            consumer.assign([TopicPartition(topic, one, starts[one]) for one in left])
            deadline = monotonic() + within_s
            while left:
                if monotonic() > deadline:
                    raise Unavailable(
                        f"{self.place}: cannot read the topic {topic} to its end within {within_s:g} s; check that no "
                        "other program keeps a transaction on it open"
                    )
                if (record := consumer.poll(1.0)) is None:
                    continue
                one, offset, failed = record.partition(), record.offset() or 0, record.error()
                if failed is None:
                    deadline, offset = monotonic() + within_s, offset + 1
                    found = record.value() if record.key() == key else found
                elif failed.name() == "TOPIC_AUTHORIZATION_FAILED":
                    raise Unavailable(f"{self.place}: may not read the topic {topic}; {_cure_of(failed)}")
                elif failed.name() != "_PARTITION_EOF":  # a broker is away, and may come back
                    continue
                if one is not None and offset >= ends[one]:
                    left.discard(one)
        finally:
            consumer.close()
        return found


def _cure_of(error: KafkaError) -> str:
    return _REFUSALS.get(error.name(), "see the broker's log")
