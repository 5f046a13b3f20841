"""Events into RabbitMQ: single transactions to a durable quorum queue.

The CPU of a message is that of the whole process: the plugin's reads the log and splits blocks, as the bare client does
from bodies in its memory.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from typing import Final, TypeVar

import aiormq
from aiormq import spec
from aiormq.channel import Channel

from bench.measure import Scale
from bench.report import Figure
from bench.sinks.rates import Ledger, Passed, Stopwatch, measured
from bigchaindb.delivery import WINDOW_COUNT_MAX, Shape
from bigchaindb.sinks.amqp import properties_of
from tests.support.rabbitmq import RabbitMQ, running_rabbitmq

T = TypeVar("T")
_numbers: Final = count(1)


def figures(scale: Scale) -> Iterator[Figure]:
    """Measure the sink `amqp`."""
    with running_rabbitmq() as broker:
        yield from measured(scale, "amqp", "AMQP", broker, _options, _by_a_client)


def _by_a_client(ledger: Ledger, broker: RabbitMQ) -> Passed:
    """Publish the same messages with the same window."""
    exchange = _options(broker)["exchange"]
    shape = Shape()

    async def publish(channel: Channel) -> Passed:
        await channel.confirm_delivery()
        window = asyncio.Semaphore(WINDOW_COUNT_MAX)

        async def one(body: bytes, key: str, properties: spec.Basic.Properties) -> None:
            await channel.basic_publish(
                body, exchange=exchange, routing_key=key, properties=properties, mandatory=True, wait=False
            )
            window.release()

        watch = Stopwatch(time.process_time)
        async with asyncio.TaskGroup() as tasks:
            for message in ledger.messages():
                rendered = shape.render(message)
                await window.acquire()
                tasks.create_task(one(rendered.body, message.routing_key, properties_of(message, rendered)))
        return watch.passed(ledger.message_count)

    return asyncio.run(_on_a_channel(broker, publish))


def _options(broker: RabbitMQ) -> dict[str, str]:
    """Make an exchange as the sink does, and a quorum queue of the same name that gets all of it."""
    name = f"bench-{next(_numbers)}"

    async def make(channel: Channel) -> None:
        await channel.exchange_declare(f"{name}.unrouted", exchange_type="fanout", durable=True)
        await channel.exchange_declare(
            name, exchange_type="topic", durable=True, arguments={"alternate-exchange": f"{name}.unrouted"}
        )
        await channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
        await channel.queue_bind(name, name, routing_key="#")

    asyncio.run(_on_a_channel(broker, make))
    return {"url": broker.url, "exchange": name}


async def _on_a_channel(broker: RabbitMQ, work: Callable[[Channel], Awaitable[T]]) -> T:
    async with aiormq.Connection(broker.url) as connection:
        channel = await connection.channel()
        assert isinstance(channel, Channel)
        return await work(channel)
