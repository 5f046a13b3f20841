"""Topics of Kafka as the tests of the sink see them, and a broker that lets nobody in without a password."""

import itertools
from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

from confluent_kafka import Message as Record

from bigchaindb.testing.sinks import Held, Trouble
from tests.support.kafka import PASSWORD, USER, Kafka
from tests.support.targets import AtServer
from tests.support.tls import Authority

_numbers: Final = itertools.count(1)


def new_name() -> str:
    """Return the name of a topic that is not there."""
    return f"test-{next(_numbers)}"


class Topic(AtServer[Kafka]):
    """A topic of a test's own, and what a reader of committed messages finds in it.

    Attributes:
        guarded: a broker that talks TLS and wants a password, and who signed its certificate.
    """

    secret = PASSWORD

    def __init__(self, broker: Kafka, guarded: "Guarded | None" = None, *, max_message_bytes: int = 1_000_000) -> None:
        self.server = broker
        self.guarded = guarded
        self.name = new_name()
        broker.make_topic(self.name, max_message_bytes=str(max_message_bytes))

    def options(self, **more: Any) -> dict[str, Any]:
        is_guarded = self.guarded is not None and self.server is self.guarded.broker
        login = self.guarded.login if self.guarded is not None and is_guarded else {}
        return {"servers": self.server.address, "topic": self.name, **login, **more}

    def wrong_credentials(self, secret: str) -> dict[str, Any]:
        assert self.guarded is not None
        return {"servers": self.guarded.broker.address, **self.guarded.login, "password": secret}

    def secured(self) -> "tuple[Topic, dict[str, Any]]":
        assert self.guarded is not None
        topic = Topic(self.guarded.broker, self.guarded)
        return topic, topic.options(ca_file=str(self.guarded.other.file))

    def missing(self) -> Trouble:
        self.name = new_name()
        return Trouble(self.options(), lambda: self.server.make_topic(self.name), f"there is no topic {self.name}")

    def limited(self) -> "Topic":
        return Topic(self.server, max_message_bytes=60_000)

    def places(self) -> Collection[str]:
        return self.server.topics()

    def records(self) -> Sequence[Record]:
        return self.server.read(self.name)

    def bodies(self) -> Sequence[bytes]:
        return [record.value() or b"" for record in self.records()]

    def held(self) -> Sequence[Held]:
        """Return what a reader has who passes over messages that say that they returned, and are known by their id."""
        found: dict[str, Held] = {}
        for record in self.records():
            headers = headers_of(record)
            one = Held(headers["ce_id"], (record.key() or b"").decode(), record.value() or b"")
            if one.id in found:
                assert headers.get("returned") == "true", f"{one.id} is there twice, and does not say so"
            found.setdefault(one.id, one)
        return [*found.values()]

    def returned(self) -> Sequence[int]:
        """Return the positions of the messages that say that they returned."""
        headers = map(headers_of, self.records())
        return [int(one["ce_sequence"].partition(":")[0]) for one in headers if "returned" in one]


def headers_of(record: Record) -> dict[str, str]:
    headers = record.headers()
    assert isinstance(headers, list)
    return {name: str(value, "utf-8") for name, value in headers if isinstance(value, bytes)}


class Guarded(NamedTuple):
    """A broker that talks TLS and wants a password.

    Attributes:
        authority: signed its certificate.
        other: signed nothing.
    """

    broker: Kafka
    authority: Authority
    other: Authority

    @property
    def login(self) -> dict[str, Any]:
        """The options of whom it lets in."""
        who = {"user": USER, "password": PASSWORD, "mechanism": "PLAIN"}
        return {"tls": True, "ca_file": str(self.authority.file), **who}
