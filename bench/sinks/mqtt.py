"""Events into Mosquitto, which takes as many messages at once as are sent, and acknowledges what it has in its memory.

A session has subscribed to all of them and is away. The bare client is paho-mqtt with the thread that it brings, and as
many messages on their way.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bench.measure import Scale
from bench.report import Figure
from bench.sinks.rates import WITHIN_S, Ledger, Passed, Stopwatch, measured
from bigchaindb.delivery import WINDOW_COUNT_MAX
from bigchaindb.sinks.mqtt import MqttOptions, Publisher
from bigchaindb.sinks.mqtt_link import Address, Link
from tests.support.mosquitto import PASSWORD, USER, Mosquitto, running_mosquitto

COUNTS: Final = 300, 10_000
"""Of blocks."""
TOPIC: Final = "bench/{chain_id}/{operation}"


def figures(scale: Scale) -> Iterator[Figure]:
    """Measure the sink `mqtt`."""
    with running_mosquitto(settings="max_inflight_messages 0\n", within=scale.folder) as broker:
        yield from measured(scale, "mqtt", "MQTT", broker, _options, _by_the_publisher, _by_a_client, counts=COUNTS)


def _by_the_publisher(ledger: Ledger, broker: Mosquitto) -> Passed:
    """Publish as the plugin does, without its queue."""
    return asyncio.run(_publish(ledger, broker))


async def _publish(ledger: Ledger, broker: Mosquitto) -> Passed:
    options = MqttOptions(**_options(broker))
    address = Address(
        host="127.0.0.1", port=broker.inner_port, user=USER, password=PASSWORD, tls=None, client_id="bench"
    )
    link, window = Link(address, confirm_s=options.confirm_s, drops_unrouted=False), asyncio.Semaphore(WINDOW_COUNT_MAX)
    await link.open(lasts=True)
    publisher = Publisher(options, link)
    watch = Stopwatch(time.process_time)
    async with asyncio.TaskGroup() as tasks:
        for message in ledger.messages():
            await window.acquire()
            tasks.create_task(publisher.send(message)).add_done_callback(lambda _: window.release())
    passed = watch.passed(ledger.message_count)
    await link.close(politely=True)
    return passed


def _by_a_client(ledger: Ledger, broker: Mosquitto) -> Passed:
    client = _client(broker, "bare")
    window, topic = threading.Semaphore(WINDOW_COUNT_MAX), _options(broker)["topic"]
    client.max_inflight_messages = 0
    client.on_publish = lambda *_: window.release()
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", broker.inner_port)
    client.loop_start()
    assert connected.wait(WITHIN_S)
    watch = Stopwatch(time.process_time)
    for message in ledger.messages():
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = "application/json"
        properties.PayloadFormatIndicator = 1
        properties.UserProperty = list(message.attributes.items())
        window.acquire()
        name = topic.format(chain_id=message.chain_id, operation=message.operation)
        client.publish(name, message.data, qos=1, properties=properties)
    for _ in range(WINDOW_COUNT_MAX):
        window.acquire()
    passed = watch.passed(ledger.message_count)
    client.disconnect()
    client.loop_stop()
    return passed


def _options(broker: Mosquitto) -> dict[str, Any]:
    """Return options with an empty session of a subscriber; that of an earlier run is gone."""
    client, subscribed = _client(broker, "subscriber"), threading.Event()
    client.on_connect = lambda *_: _nothing(client.subscribe("bench/#", qos=1))
    client.on_subscribe = lambda *_: subscribed.set()
    lasting = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    lasting.SessionExpiryInterval = 3_600
    client.connect("127.0.0.1", broker.inner_port, clean_start=True, properties=lasting)
    client.loop_start()
    assert subscribed.wait(WITHIN_S)
    client.disconnect()
    client.loop_stop()
    url = f"mqtt://{USER}:{PASSWORD}@127.0.0.1:{broker.inner_port}"
    return {"url": url, "topic": TOPIC}


def _nothing(_: object) -> None:
    """Pass over what a call returned."""


def _client(broker: Mosquitto, name: str) -> Client:
    assert broker.process is not None
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5)
    client.username_pw_set(USER, PASSWORD)
    return client
