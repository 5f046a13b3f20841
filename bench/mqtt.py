"""Events into Mosquitto: how fast the sink is beside a bare client that renders and publishes the same messages.

The broker is a real one, a child of this process, that takes as many messages at once as are sent, and has them in its
memory when it acknowledges them. A session has subscribed to all of them and is away. The bare client is paho-mqtt with
the thread that it brings, and as many messages on their way.
"""

import asyncio
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Final

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bench.ledgers import cached
from bench.measure import Scale, alternate, median
from bench.plugins import install, running, until
from bench.report import Figure, at_most, ratio_at_least
from bench.sinks import events_in
from bigchaindb.config import PluginSettings
from bigchaindb.delivery import WINDOW_COUNT_MAX, transaction_messages
from bigchaindb.events import Event
from bigchaindb.sinks.mqtt import MqttOptions, Publisher
from bigchaindb.sinks.mqtt_link import Address, Link
from bigchaindb.store import Store
from tests.support.mosquitto import PASSWORD, USER, Mosquitto, running_mosquitto

BLOCK_SIZE: Final = 100
BLOCK_COUNT: Final = 300
SINGLE_COUNT: Final = 10_000
"""Blocks of one transaction."""
RATIO_LEAST: Final = 0.8
CPU_US_MOST: Final = 6.0
"""Of a message, beyond the bare client's."""
WITHIN_S: Final = 1_200.0
RUN_COUNT_MAX: Final = 32
TOPIC: Final = "bench/{chain_id}/{operation}"
_runs: Final = count()


def run(scale: Scale) -> list[Figure]:
    """Measure the sink `mqtt`."""
    install(
        scale.folder / "bench_mqtt",
        {f"mqtt_{number}": "bigchaindb.sinks.mqtt:plugin" for number in range(RUN_COUNT_MAX)},
    )
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=scale.folder))
    with running_mosquitto(folder, settings="max_inflight_messages 0\n") as broker:
        return [
            *_figures(scale, broker, BLOCK_SIZE, scale.count(BLOCK_COUNT)),
            *_figures(scale, broker, 1, scale.count(SINGLE_COUNT)),
        ]


def _figures(scale: Scale, broker: Mosquitto, size: int, block_count: int) -> Iterator[Figure]:
    ledger = cached(scale, size, block_count) / "data"
    events = events_in(ledger)
    message_count = sum(len(transaction_messages(event)) for event in events)
    plugin, publisher, bare = alternate(
        scale.rounds,
        [
            lambda: (_by_the_plugin(ledger, broker, message_count), 0.0),
            lambda: asyncio.run(_by_the_publisher(broker, events, message_count)),
            lambda: _by_a_client(broker, events, message_count),
        ],
    )
    yield Figure(
        what=f"transactions to MQTT, from blocks of {size}",
        value=median(rate for rate, _ in plugin),
        unit="/s",
        peer=median(rate for rate, _ in bare),
        peer_name="/s by the library alone",
        limit=ratio_at_least(RATIO_LEAST),
    )
    yield Figure(
        what=f"CPU of a message beyond the library's, from blocks of {size}",
        value=median(us for _, us in publisher) - median(us for _, us in bare),
        unit="µs",
        limit=at_most(CPU_US_MOST),
    )


def _by_the_plugin(ledger: Path, broker: Mosquitto, message_count: int) -> float:
    """Run the plugin over all events; return messages per second from the first in hand to the last answer."""

    async def pass_on(store: Store) -> float:
        name = f"mqtt_{next(_runs)}"  # a lane of its own
        async with running(store, {name: PluginSettings(start="genesis", options=_options(broker))}) as node:
            await until(lambda: bool(node.supervisor.status()[0].in_hand), within_s=WITHIN_S)
            begin, first = time.perf_counter(), node.supervisor.status()[0].position
            await until(lambda: node.supervisor.status()[0].lag == 0, within_s=WITHIN_S)
            assert node.supervisor.status()[0].parked_count == 0
            return message_count * (1 - first / node.hub.head) / (time.perf_counter() - begin)

    with closing(Store(ledger)) as store:
        return asyncio.run(pass_on(store))


async def _by_the_publisher(broker: Mosquitto, events: Sequence[Event], message_count: int) -> tuple[float, float]:
    """Publish as the plugin does, without its queue; return the rate and the CPU of a message in µs."""
    options = MqttOptions(**_options(broker))
    address = Address(
        host="127.0.0.1", port=broker.inner_port, user=USER, password=PASSWORD, tls=None, client_id="bench"
    )
    link, window = Link(address, confirm_s=options.confirm_s, drops_unrouted=False), asyncio.Semaphore(WINDOW_COUNT_MAX)
    await link.open(lasts=True)
    publisher = Publisher(options, link)
    begin, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as tasks:
        for event in events:
            for message in transaction_messages(event):
                await window.acquire()
                tasks.create_task(publisher.send(message)).add_done_callback(lambda _: window.release())
    result = _result(begin, cpu, message_count)
    await link.close(politely=True)
    return result


def _by_a_client(broker: Mosquitto, events: Sequence[Event], message_count: int) -> tuple[float, float]:
    client = _client(broker, "bare")
    window, topic = threading.Semaphore(WINDOW_COUNT_MAX), _options(broker)["topic"]
    client.max_inflight_messages = 0
    client.on_publish = lambda *_: window.release()
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", broker.inner_port)
    client.loop_start()
    assert connected.wait(WITHIN_S)
    begin, cpu = time.perf_counter(), time.process_time()
    for event in events:
        for message in transaction_messages(event):
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ContentType = "application/json"
            properties.PayloadFormatIndicator = 1
            properties.UserProperty = list(message.attributes.items())
            window.acquire()
            name = topic.format(chain_id=message.chain_id, operation=message.operation)
            client.publish(name, message.data, qos=1, properties=properties)
    for _ in range(WINDOW_COUNT_MAX):
        window.acquire()
    result = _result(begin, cpu, message_count)
    client.disconnect()
    client.loop_stop()
    return result


def _result(begin: float, cpu: float, message_count: int) -> tuple[float, float]:
    return message_count / (time.perf_counter() - begin), (time.process_time() - cpu) * 1e6 / message_count


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
    return {"url": url, "topic": TOPIC, "per": "transaction"}


def _nothing(_: object) -> None:
    """Pass over what a call returned."""


def _client(broker: Mosquitto, name: str) -> Client:
    assert broker.process is not None
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5)
    client.username_pw_set(USER, PASSWORD)
    return client
