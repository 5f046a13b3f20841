"""The MQTT sink against Mosquitto."""

import asyncio
import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bigchaindb.delivery import Per
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.errors import ConfigurationError
from bigchaindb.sinks import mqtt_link
from bigchaindb.sinks.mqtt import MqttSink
from bigchaindb.testing.sinks import (
    RECIPE,
    Held,
    ServiceSuite,
    ShapedSuite,
    Trouble,
    check,
    done,
    expected,
    passing,
    until,
)
from tests.support import scale
from tests.support.mosquitto import ACL, PASSWORD, USER, Mosquitto
from tests.support.targets import KILL_RUN, AtServer
from tests.support.tls import Tls

_numbers: Final = itertools.count(1)
WITHIN_S: Final = 60.0


class Topics(AtServer[Mosquitto]):
    """Topics of a test's own, and a subscriber to all of them whose session the broker keeps.

    Attributes:
        prefix: of each topic.
        name: of the subscriber.
        beside: topics at a broker with TLS and a limit.
    """

    secret = PASSWORD

    def __init__(self, broker: Mosquitto, tls: Tls | None = None, beside: "Topics | None" = None) -> None:
        self.server = broker
        self.tls = tls
        self.beside = beside
        self._rename()
        self._ends = itertools.count(1)
        self._held: list[Held] = []

    def _rename(self) -> None:
        self.prefix = f"test-{next(_numbers)}"
        self.name = f"subscriber-of-{self.prefix}"

    def options(self, **more: Any) -> dict[str, Any]:
        trust = {} if self.tls is None else self.tls.own
        topic = f"{self.prefix}/{{kind}}/{{operation}}/{{asset_id}}"
        return {"url": self.server.url, "topic": topic, **trust, **more}

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

        client = self.client(self.name)
        client.on_message, client.on_connect = take, begin
        client.connect("127.0.0.1", self.server.inner_port, clean_start=False, properties=lasting())
        client.loop_start()
        try:
            count = -1
            while not is_over.wait(WITHIN_S):  # 100,000 messages take a while on a busy machine
                assert len(found) > count, f"{len(found)} messages, and no more come"
                count = len(found)
        finally:
            client.disconnect()
            client.loop_stop()
        return found

    def wrong_credentials(self, secret: str) -> dict[str, Any]:
        return self.options(url=self.server.url_with(secret))

    def secured(self) -> tuple["Topics", dict[str, Any]]:
        beside = self.limited()
        assert beside.tls is not None
        return beside, beside.options(ca_file=str(beside.tls.other_ca))

    def missing(self) -> Trouble:
        """Topics need not be made, but somebody has to want them."""
        self._rename()
        return Trouble(self.options(), self.subscribe, "no subscriber wants it")

    def limited(self) -> "Topics":
        assert self.beside is not None
        self.beside.subscribe()
        return self.beside

    def client(self, name: str) -> Client:
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
def target(mosquitto: Mosquitto, mosquitto_tls: Mosquitto, tls: Tls) -> Iterator[Topics]:
    topics = Topics(mosquitto, beside=Topics(mosquitto_tls, tls))
    topics.subscribe()
    yield topics
    if mosquitto.process is None:
        mosquitto.start()


class TestMqtt(ShapedSuite, ServiceSuite):
    """Whatever a subscriber gets twice has one `id` among its user properties."""

    sink = "mqtt"
    kill_count = scale.SINK_KILLS
    kill_run = KILL_RUN
    said_of_secret = "refuses the user or the password of the option url"
    cannot: ClassVar[Mapping[str, str]] = {
        "full": "Mosquitto acknowledges what a subscriber's queue has no room for, and drops it",
        "refusing": "a broker judges topics and sizes",
        "places": "a check subscribes to nothing and publishes nothing: there is nothing that could be left",
    }

    async def test_in_binary_mode_user_properties_describe_the_data(self, target: Topics, tmp_path: Path) -> None:
        """They are what the binding of CloudEvents calls them; it is what the sink sends unless told otherwise."""
        async with passing(tmp_path, "mqtt", target.options(per="transaction")) as run:
            await done(run)
        messages = {message.id: message for message in expected(RECIPE, Per.TRANSACTION)}
        found = await asyncio.to_thread(target.messages)
        assert len(found) == len(messages)
        for one in found:
            message = messages[users_of(one)["id"]]
            assert (users_of(one), bytes(one.payload)) == (message.attributes, message.data)
            assert one.properties is not None
            about = one.properties.json()  # type: ignore[no-untyped-call]
            assert (about["ContentType"], about["PayloadFormatIndicator"]) == ("application/json", 1)
            assert (one.qos, one.retain) == (1, False)

    async def test_the_last_message_of_a_topic_may_be_kept(self, target: Topics, tmp_path: Path) -> None:
        """Whoever subscribes later has the state at once."""
        options = target.options(topic=f"{target.prefix}/{{kind}}/{{validity}}", retain=True)
        async with passing(tmp_path, "mqtt", options) as run:
            await done(run)
        newest = {message.type: message for message in expected(RECIPE, Per.BLOCK)}
        late = Topics(target.server)
        late.prefix = target.prefix
        late.name = "late"
        found = {users_of(one)["type"]: one for one in await asyncio.to_thread(late.messages)}
        assert {type_: users_of(one)["id"] for type_, one in found.items()} == {
            type_: message.id for type_, message in newest.items()
        }
        assert all(one.retain for one in found.values())

    async def test_what_nobody_wants_may_be_dropped(self, mosquitto: Mosquitto, tmp_path: Path) -> None:
        topics = Topics(mosquitto)
        async with passing(tmp_path, "mqtt", topics.options(unrouted="drop")) as run:
            await done(run)
            assert run.status().start_count == 1

    async def test_a_topic_that_is_denied_is_waited_for(self, target: Topics, tmp_path: Path) -> None:
        """The broker answers each message, with a reason: that is no success."""
        target.server.reload(f"user {USER}\ntopic read #\ntopic write +/end/#\n")
        try:
            async with passing(tmp_path, "mqtt", target.options()) as run:
                run.grow(5)
                said = "the user may not publish to it: allow that in the broker's access list"
                await until(lambda: any(said in text for text in run.errors), "it to be refused", run)
                assert run.status().position == 0
                target.server.reload(ACL)
                await done(run)
                assert run.parked("mqtt") == ()
        finally:
            target.server.reload(ACL)
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=False)

    async def test_another_client_of_its_name_is_said(self, target: Topics, tmp_path: Path) -> None:
        """Mosquitto 2.0.11 ends the connection without a word; others name the reason."""
        async with passing(tmp_path, "mqtt", target.options()) as run:
            run.grow(5)
            await until(lambda: run.status().position == 5, "the first five", run)
            other = target.client("simulated-7-mqtt")
            other.connect("127.0.0.1", target.server.inner_port, clean_start=False)
            other.loop_start()
            try:
                await until(lambda: run.errors, "it to be ended", run)
            finally:
                other.loop_stop()
            assert "another client has connected as simulated-7-mqtt" in run.errors[0]
            await done(run)
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=False)

    async def test_a_check_disturbs_nobody(self, target: Topics, tmp_path: Path) -> None:
        """A connection by the plugin's own name would end the plugin's."""
        options = target.options(client_id="of-mine")
        async with passing(tmp_path, "mqtt", options) as run:
            run.grow(5)
            await until(lambda: run.status().position == 5, "the first five", run)
            found = await asyncio.to_thread(try_plugin, "mqtt", options, with_check=True)
            assert found.checked.startswith(f"MQTT 5 broker at 127.0.0.1:{target.server.port}; 20 messages at once, ")
            await done(run)
            assert run.status().start_count == 1

    async def test_a_broker_that_hangs_is_left(self, target: Topics, tmp_path: Path) -> None:
        """Else a lane would wait for ever where another connection would help."""
        async with passing(tmp_path, "mqtt", target.options(confirm_s=1.0)) as run:
            run.grow(5)
            await until(lambda: run.status().position == 5, "the first five", run)
            target.freeze()
            try:
                run.grow()
                await until(lambda: run.errors, "the connection to be ended", run)
            finally:
                target.thaw()
            assert "no acknowledgement for 1 s" in run.errors[0]
            await done(run)
            assert run.parked("mqtt") == ()
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"topic": "ledger/+"}, "topic: character 8: + is for subscribers, a message has no wildcard"),
        ({"topic": "ledger/#"}, "topic: character 8: # is for subscribers, a message has no wildcard"),
        ({"topic": "a\x00"}, "topic: character 2: must be printable, found '\\x00'"),
        ({"topic": "$SYS/ledger"}, "topic: must not begin with $, which is the broker's own"),
        ({"topic": "a" * 201}, "topic: must have at most 200 characters, found 201"),
        ({"topic": ""}, "topic: must not be empty"),
        ({"topic": "{asset}"}, "topic: may hold {chain_id}, "),
        ({"client_id": ""}, "client_id: must have 1 to 200 characters, found 0"),
        ({"window": 0}, "window: must be 1 to 65535, found 0"),
        ({"confirm_s": 0.0}, "confirm_s: must be above 0 and at most 3600, found 0.0"),
        ({"cert_file": "a.pem"}, "cert_file, key_file: set both or neither"),
        ({"url": "localhost:1883"}, "url: found no scheme, which is no address of a broker; write it as mqtt://USER:"),
        ({"url": "http://h"}, "url: found http://…, which is no address of a broker"),
        ({"url": "mqtt://h/topic"}, "url: found mqtt://…, which is no address of a broker"),
        ({"url": "mqtt://bob:pa/ss@host:1883"}, "url: is no address; write % / ? # @ of a password as %25"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        MqttSink().configure({"url": "mqtt://h", **options})
    assert str(raised.value).startswith(said)
    assert "ss@host" not in str(raised.value)


async def test_an_idle_connection_to_a_broker_that_hangs_is_ended(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its loss is seen without an event; as long as pings are answered it stays."""
    monkeypatch.setattr(mqtt_link, "KEEPALIVE_S", 2)  # the broker ends a client that is half of it late
    monkeypatch.setattr(mqtt_link, "LOOK_S", 0.1)
    where = {"host": "127.0.0.1", "port": mosquitto.port, "user": USER, "password": PASSWORD}
    address = mqtt_link.Address(**where, tls=None, client_id="idle")  # type: ignore[arg-type]
    link = mqtt_link.Link(address, confirm_s=WITHIN_S, drops_unrouted=False)
    await link.open(lasts=False)
    try:
        await asyncio.wait((link.ended,), timeout=4.5)
        assert not link.ended.done()
        mosquitto.freeze()
        await asyncio.wait((link.ended,), timeout=WITHIN_S)
        assert "the broker hangs: it does not answer a ping" in str(link.ended.exception())
    finally:
        mosquitto.thaw()
        await link.close(politely=False)


class TestTls:
    """A broker that takes clients with a certificate alone."""

    def test_whoever_is_not_who_it_should_be_is_named(self, mosquitto_tls: Mosquitto, tls: Tls) -> None:
        topics = Topics(mosquitto_tls, tls)
        place = f"127.0.0.1:{mosquitto_tls.port}: "
        distrusting = try_plugin("mqtt", topics.options(ca_file=str(tls.other_ca)), with_check=True).error
        assert f"{place}TLS: certificate verify failed: " in distrusting
        assert "for an authority of your own set the option ca_file" in distrusting
        nobody = try_plugin("mqtt", topics.options(cert_file=None, key_file=None), with_check=True).error
        assert "and that it wants no certificate (cert_file, key_file)" in nobody
        assert PASSWORD not in distrusting + nobody

    def test_a_port_of_the_other_kind_is_named(self, mosquitto: Mosquitto, mosquitto_tls: Mosquitto, tls: Tls) -> None:
        plain = mosquitto_tls.url.replace("mqtts", "mqtt")
        error = try_plugin("mqtt", {"url": plain}, with_check=True).error
        assert "closed the connection before it answered; check that this is its port of MQTT" in error
        options = {"url": mosquitto.url.replace("mqtt", "mqtts"), "ca_file": str(tls.ca)}
        assert (
            "the server does not speak TLS, which mqtts:// requires"
            in try_plugin("mqtt", options, with_check=True).error
        )
