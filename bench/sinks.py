"""Events into other systems: how fast a sink is beside a bare client of its library, and what faults cost.

The broker is a real RabbitMQ, a child of this process. The ledger's events are sent as single transactions to a durable
quorum queue. In the second part the broker is killed and restarted, and so is the plugin, and then the queue is read to
its end: the set must be exact, and the order kept per routing key.
"""

import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

import aiormq
from aiormq import spec
from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel

from bench.ledgers import cached
from bench.measure import Scale, alternate, median
from bench.plugins import CHAIN_ID, install, running, until
from bench.report import Figure, at_most, ratio_at_least
from bigchaindb.config import PluginSettings
from bigchaindb.delivery import WINDOW_COUNT_MAX, Message, Shape, transaction_messages
from bigchaindb.events import Event
from bigchaindb.sinks.amqp import properties_of
from bigchaindb.store import Store
from tests.support.rabbitmq import RabbitMQ, running_rabbitmq

BLOCK_SIZE: Final = 100
BLOCK_COUNT: Final = 1_000
SINGLE_COUNT: Final = 20_000
"""Blocks of one transaction."""
BROKER_KILL_COUNT: Final = 20
PLUGIN_KILL_COUNT: Final = 100
RATIO_LEAST: Final = 0.8
QUORUM_S: Final = 6.0
"""So long a broker of version 3.10 takes until a new quorum queue outlasts a kill."""
WITHIN_S: Final = 1_200.0
RUN_COUNT_MAX: Final = 32
"""Runs over the ledgers; each needs a plugin of its own."""
T = TypeVar("T")
_numbers: Final = count(1)
_runs: Final = count()


def run(scale: Scale) -> list[Figure]:
    """Measure the sink `amqp`."""
    install(
        scale.folder / "sinks-site",
        {f"amqp_{number}": "bigchaindb.sinks.amqp:plugin" for number in range(RUN_COUNT_MAX)},
    )
    folder = Path(tempfile.mkdtemp(prefix="bigchaindb-bench-rabbitmq-"))
    with running_rabbitmq(folder) as broker:
        return [
            _rate(scale, broker, BLOCK_SIZE, scale.count(BLOCK_COUNT)),
            _rate(scale, broker, 1, scale.count(SINGLE_COUNT)),
            *_faults(scale, broker),
        ]


def _rate(scale: Scale, broker: RabbitMQ, size: int, block_count: int) -> Figure:
    ledger = cached(scale, size, block_count) / "data"
    messages = messages_in(ledger)
    sink, bare = (
        median(found)
        for found in alternate(
            scale.rounds, [lambda: _by_the_sink(ledger, broker, len(messages)), lambda: _by_a_client(broker, messages)]
        )
    )
    return Figure(
        what=f"transactions to AMQP, from blocks of {size}",
        value=sink,
        unit="/s",
        peer=bare,
        peer_name="/s by the library alone",
        limit=ratio_at_least(RATIO_LEAST),
    )


def messages_in(ledger: Path) -> list[Message]:
    """Return all that has to arrive, in order."""
    return [message for event in events_in(ledger) for message in transaction_messages(event)]


def events_in(ledger: Path) -> list[Event]:
    """Return the events of a ledger."""
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


def _by_the_sink(ledger: Path, broker: RabbitMQ, message_count: int) -> float:
    """Run the plugin from the first event on; return messages per second between the first and the last confirm."""
    exchange = _new_exchange(broker)

    async def pass_on(store: Store) -> float:
        name, settings = _plugin(broker, exchange)
        async with running(store, {name: settings}) as node:
            (status,) = node.supervisor.status()
            await until(lambda: node.supervisor.status()[0].position > 0, within_s=WITHIN_S)
            begin, first = time.perf_counter(), node.supervisor.status()[0].position
            await until(lambda: node.supervisor.status()[0].lag == 0, within_s=WITHIN_S)
            part = 1 - first / node.hub.head
            assert status.parked_count == 0
            return message_count * part / (time.perf_counter() - begin)

    with closing(Store(ledger)) as store:
        return asyncio.run(pass_on(store))


def _by_a_client(broker: RabbitMQ, messages: Sequence[Message]) -> float:
    """Publish the same messages, prepared beforehand, with the same window."""
    exchange = _new_exchange(broker)
    shape = Shape()
    prepared = [
        (message.envelope, message.routing_key, properties_of(message, shape.render(message))) for message in messages
    ]

    async def publish(channel: Channel) -> float:
        await channel.confirm_delivery()
        window = asyncio.Semaphore(WINDOW_COUNT_MAX)

        async def one(body: bytes, key: str, properties: spec.Basic.Properties) -> None:
            await channel.basic_publish(
                body, exchange=exchange, routing_key=key, properties=properties, mandatory=True, wait=False
            )
            window.release()

        begin = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for body, key, properties in prepared:
                await window.acquire()
                tasks.create_task(one(body, key, properties))
        return len(prepared) / (time.perf_counter() - begin)

    return asyncio.run(_on_a_channel(broker, publish))


def _faults(scale: Scale, broker: RabbitMQ) -> list[Figure]:
    ledger = cached(scale, BLOCK_SIZE, scale.count(BLOCK_COUNT)) / "data"
    messages = messages_in(ledger)
    exchange = _new_exchange(broker)
    time.sleep(QUORUM_S)
    draws = random.Random(1)
    kills = ["broker"] * scale.count(BROKER_KILL_COUNT) + ["plugin"] * scale.count(PLUGIN_KILL_COUNT)
    draws.shuffle(kills)
    with closing(Store(ledger)) as store:
        wait_s = asyncio.run(_among_kills(store, broker, exchange, kills))
    got = asyncio.run(_on_a_channel(broker, lambda channel: _drain(channel, exchange)))
    firsts: dict[str, str] = {}
    for id_, key in got:
        firsts.setdefault(id_, key)
    places = {message.id: place for place, message in enumerate(messages)}
    latest: dict[str, int] = {}
    disordered = 0
    for id_, key in firsts.items():
        place = places.get(id_, 0)
        disordered += place < latest.get(key, -1)
        latest[key] = max(place, latest.get(key, -1))
    what = f"{len(messages):,} messages, broker killed {kills.count('broker')} times, plugin {kills.count('plugin')}"
    return [
        Figure(what=f"{what}: lost", value=len(places.keys() - firsts.keys()), unit="", limit=at_most(0)),
        Figure(what=f"{what}: unknown", value=len(firsts.keys() - places.keys()), unit="", limit=at_most(0)),
        Figure(what=f"{what}: out of order within a routing key", value=disordered, unit="", limit=at_most(0)),
        Figure(what=f"{what}: sent again", value=len(got) - len(firsts), unit=""),
        Figure(what=f"{what}: whole time", value=wait_s, unit="s"),
    ]


async def _among_kills(store: Store, broker: RabbitMQ, exchange: str, kills: Sequence[str]) -> float:
    """Pass everything on while one of the two dies again and again, evenly over the log; return the time."""
    begin = time.perf_counter()
    name, settings = _plugin(broker, exchange)
    async with running(store, {name: settings}) as node:
        for number, victim in enumerate(kills):
            due = node.hub.head * number // len(kills)
            if number % 10 == 0:
                print(f"    {number} of {len(kills)} kills, {time.perf_counter() - begin:.0f} s", file=sys.stderr)
            await until(lambda due=due: node.supervisor.status()[0].position >= due, within_s=WITHIN_S)  # type: ignore[misc]
            if victim == "broker":
                broker.kill()
                await asyncio.to_thread(broker.start)
            elif (pid := node.supervisor.status()[0].pid) is not None:
                os.kill(pid, signal.SIGKILL)
        await until(lambda: node.supervisor.status()[0].lag == 0, within_s=WITHIN_S)
        if parked := node.supervisor.status()[0].parked_count:
            print(f"    {parked} events were set aside", file=sys.stderr)
    return time.perf_counter() - begin


def _plugin(broker: RabbitMQ, exchange: str) -> tuple[str, PluginSettings]:
    options: Mapping[str, Any] = {"url": broker.url, "exchange": exchange, "per": "transaction"}
    return f"amqp_{next(_runs)}", PluginSettings(start="genesis", options=options)  # a lane of its own


def _new_exchange(broker: RabbitMQ) -> str:
    """Make an exchange as the sink does, and a quorum queue of the same name that gets all of it."""
    name = f"bench-{next(_numbers)}"

    async def make(channel: Channel) -> str:
        await channel.exchange_declare(f"{name}.unrouted", exchange_type="fanout", durable=True)
        await channel.exchange_declare(
            name, exchange_type="topic", durable=True, arguments={"alternate-exchange": f"{name}.unrouted"}
        )
        await channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
        await channel.queue_bind(name, name, routing_key="#")
        return name

    return asyncio.run(_on_a_channel(broker, make))


async def _drain(channel: Channel, queue: str) -> list[tuple[str, str]]:
    """Read a queue to its end; return ids and routing keys."""
    got: list[tuple[str, str]] = []
    size = (await channel.queue_declare(queue, passive=True)).message_count
    assert size is not None
    done = asyncio.Event()

    async def take(message: DeliveredMessage) -> None:
        got.append((str(message.header.properties.message_id), str(getattr(message.delivery, "routing_key", ""))))
        if len(got) == size:
            done.set()

    await channel.basic_consume(queue, take, no_ack=True)
    async with asyncio.timeout(WITHIN_S):
        await done.wait()
    return got


async def _on_a_channel(broker: RabbitMQ, work: Callable[[Channel], Awaitable[T]]) -> T:
    async with aiormq.Connection(broker.url) as connection:
        channel = await connection.channel()
        assert isinstance(channel, Channel)
        return await work(channel)
