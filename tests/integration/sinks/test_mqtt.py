"""The MQTT sink against Mosquitto."""

import asyncio
import itertools
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bigchaindb.delivery import Per
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.eventlog.lane import State
from bigchaindb.simulated.chain import Recipe
from bigchaindb.testing.sinks import RECIPE, Held, ServiceSuite, ShapedSuite, check, done, expected, passing, until
from tests.integration.sinks.conftest import Tls
from tests.support import scale
from tests.support.mosquitto import ACL, PASSWORD, USER, Mosquitto

_numbers: Final = itertools.count(1)
WITHIN_S: Final = 60.0


class Topics:
    """Topics of a test's own, and a subscriber to all of them whose session the broker keeps.

    Attributes:
        prefix: of each topic.
    """

    def __init__(self, broker: Mosquitto, tls: Tls | None = None) -> None:
        self.broker = broker
        self.tls = tls
        self.prefix = f"test-{next(_numbers)}"
        self._ends = itertools.count(1)
        self._held: list[Held] = []

    def options(self, **more: Any) -> dict[str, Any]:
        trust = {}
        if self.tls is not None:
            trust = {
                "ca_file": str(self.tls.ca),
                "cert_file": str(self.tls.certificate),
                "key_file": str(self.tls.key),
            }
        topic = f"{self.prefix}/{{kind}}/{{operation}}/{{asset_id}}"
        return {"url": self.broker.url, "topic": topic, **trust, **more}

    def subscribe(self) -> None:
        """Begin the session, which gets every message from here on."""
        self.messages()

    def held(self) -> Sequence[Held]:
        self._held += [Held(users_of(one)["id"], one.topic, bytes(one.payload)) for one in self.messages()]
        return self._held

    def bodies(self) -> Sequence[bytes]:
        return [bytes(one.payload) for one in self.messages()]

    def messages(self) -> Sequence[MQTTMessage]:
        """Return what the broker keeps for the session, in any format; it forgets it."""
        end, found, is_over = f"{self.prefix}/end/{next(self._ends)}", list[MQTTMessage](), threading.Event()

        def take(_client: Client, _data: object, message: MQTTMessage) -> None:
            if message.topic == end:
                is_over.set()
            elif "/end/" not in message.topic:
                found.append(message)

        def begin(client: Client, *_: object) -> None:
            client.subscribe(f"{self.prefix}/#", qos=1)
            client.publish(end, b"", qos=1)  # comes after all that waits

        client = self._client(f"subscriber-of-{self.prefix}")
        client.on_message, client.on_connect = take, begin
        client.connect("127.0.0.1", self.broker.inner_port, clean_start=False, properties=lasting())
        client.loop_start()
        try:
            assert is_over.wait(WITHIN_S)
        finally:
            client.disconnect()
            client.loop_stop()
        return found

    def start(self) -> None:
        self.broker.start()

    def kill(self) -> None:
        self.broker.kill()

    def freeze(self) -> None:
        self.broker.freeze()

    def thaw(self) -> None:
        self.broker.thaw()

    def _client(self, name: str) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5)
        client.username_pw_set(USER, PASSWORD)
        if self.tls is not None:
            client.tls_set(str(self.tls.ca), str(self.tls.certificate), str(self.tls.key))
        return client


def lasting() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 3_600
    return properties


def users_of(message: MQTTMessage) -> dict[str, str]:
    assert message.properties is not None
    return dict(getattr(message.properties, "UserProperty"))  # noqa: B009 - the library makes it


@pytest.fixture
def target(mosquitto: Mosquitto) -> Iterator[Topics]:
    topics = Topics(mosquitto)
    topics.subscribe()
    yield topics
    if mosquitto.process is None:
        mosquitto.start()


class TestMqtt(ShapedSuite, ServiceSuite):
    """Whatever a subscriber gets twice has one `id` among its user properties."""

    sink = "mqtt"
    kill_count = scale.SINK_KILLS
