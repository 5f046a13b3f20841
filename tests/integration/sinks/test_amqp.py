"""The AMQP sink against RabbitMQ."""

import asyncio
import itertools
import json
import ssl
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Final

import aiormq
import pytest
from aiormq.abc import DeliveredMessage

from bigchaindb.delivery import Per
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.masking import masked_text
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
from bigchaindb.testing.targets import WITHIN_S
from tests.support import scale
from tests.support.rabbitmq import PASSWORD, RabbitMQ
from tests.support.targets import KILL_RUN, AtServer, held_after_a_hang
from tests.support.tls import Tls

_numbers: Final = itertools.count(1)
QUORUM_S: Final = 5.0
"""So long a broker of version 3.10 takes until a new quorum queue outlasts a kill."""


class Exchange(AtServer[RabbitMQ]):
    """An exchange of a test's own, and what comes out of it.

    Attributes:
        name: of the exchange.
        queue: that the test reads.
        unrouted: the option of that name that every test gets; None leaves the default.
        beside: an exchange at a broker with TLS and a limit.
    """

    secret = PASSWORD

    def __init__(
        self,
        broker: RabbitMQ,
        tls: Tls | None = None,
        unrouted: str | None = None,
        beside: "Exchange | None" = None,
    ) -> None:
        self.server = broker
        self.tls = tls
        self.unrouted = unrouted
        self.beside = beside
        self._rename()
        self._held: list[Held] = []
        self._bound: tuple[str, dict[str, Any]] = "#", {}

    def _rename(self) -> None:
        self.name = f"test-{next(_numbers)}"
        self.queue = f"{self.name}.all"

    def options(self, **more: Any) -> dict[str, Any]:
        trust = {} if self.tls is None else {"ca_file": str(self.tls.ca)}
        kept = {} if self.unrouted is None else {"unrouted": self.unrouted}
        return {"url": self.server.url, "exchange": self.name, **trust, **kept, **more}

    def bind(self, key: str = "#", **arguments: Any) -> None:
        """Make the exchange as the sink does, and a queue that wants `key`."""
        self._bound = key, arguments
        asyncio.run(self._bind(key, arguments))

    def held(self) -> Sequence[Held]:
        asyncio.run(self._drain(self.queue))
        return self._held

    def bodies(self) -> Sequence[bytes]:
        return [bytes(message.body) for message in self.messages()]

    def messages(self) -> Sequence[DeliveredMessage]:
        """Return what is in the queue, in any format."""
        return asyncio.run(self._take())

    def aside(self) -> Sequence[Held]:
        """Return the messages that no queue wanted."""
        asyncio.run(self._drain(f"{self.name}.unrouted"))
        return self._held

    def start(self) -> None:
        """Start the broker again; a binding of the moment before a SIGKILL may be gone, so it is made again."""
        self.server.start()
        asyncio.run(self._bind(*self._bound))

    def wrong_credentials(self, secret: str) -> dict[str, Any]:
        return self.options(url=self.server.url_with(secret))

    def secured(self) -> tuple["Exchange", dict[str, Any]]:
        beside = self.limited()
        assert beside.tls is not None
        return beside, beside.options(ca_file=str(beside.tls.other_ca))

    def missing(self) -> Trouble:
        self._rename()
        return Trouble(self.options(declare=False), self.bind, "there is no such exchange")

    def full(self) -> Trouble:
        """Another queue wants the messages as well, and takes one of them."""
        limits = {"x-max-length": 1, "x-overflow": "reject-publish"}
        asyncio.run(self._make(small := f"{self.name}.small", "#", limits))
        return Trouble(self.options(), lambda: asyncio.run(self._delete(small)), "a queue refused the message")

    def limited(self) -> "Exchange":
        assert self.beside is not None
        self.beside.bind()
        return self.beside

    def places(self) -> Collection[str]:
        return asyncio.run(self._places())

    def _connect(self) -> aiormq.Connection:
        context = None if self.tls is None else ssl.create_default_context(cafile=self.tls.ca)
        return aiormq.Connection(self.server.url, context=context)

    async def _places(self) -> Collection[str]:
        found = []
        for name, kind in itertools.product((self.name, f"{self.name}.unrouted"), ("exchange", "queue")):
            async with self._connect() as connection:
                declare = getattr(await connection.channel(), f"{kind}_declare")
                with suppress(aiormq.ChannelNotFoundEntity):
                    await declare(name, passive=True)
                    found.append(f"{kind} {name}")
        return found

    async def _make(self, queue: str, key: str, arguments: dict[str, Any]) -> None:
        async with self._connect() as connection:
            channel = await connection.channel()
            await channel.queue_declare(queue, durable=True, arguments=arguments)
            await channel.queue_bind(queue, self.name, routing_key=key)

    async def _delete(self, queue: str) -> None:
        async with self._connect() as connection:
            await (await connection.channel()).queue_delete(queue)

    async def _bind(self, key: str, arguments: dict[str, Any]) -> None:
        async with self._connect() as connection:
            channel = await connection.channel()
            alternate = f"{self.name}.unrouted"
            await channel.exchange_declare(alternate, exchange_type="fanout", durable=True)
            await channel.exchange_declare(
                self.name, exchange_type="topic", durable=True, arguments={"alternate-exchange": alternate}
            )
        await self._make(self.queue, key, arguments)

    async def _take(self) -> list[DeliveredMessage]:
        return await self._drained(self.queue)

    async def _drained(self, queue: str) -> list[DeliveredMessage]:
        """Take all that is there as a consumer does: to ask for each message would cost a round trip."""
        arrived, found = asyncio.Queue[DeliveredMessage](), list[DeliveredMessage]()
        async with self._connect() as connection:
            channel = await connection.channel()
            count = (await channel.queue_declare(queue, passive=True)).message_count or 0
            consumer = (await channel.basic_consume(queue, arrived.put, no_ack=True)).consumer_tag
            assert consumer is not None
            while len(found) < count:
                async with asyncio.timeout(WITHIN_S):
                    found.append(await arrived.get())
            await channel.basic_cancel(consumer)
        while not arrived.empty():  # came behind those that were counted
            found.append(arrived.get_nowait())
        return found

    async def _drain(self, queue: str) -> None:
        for message in await self._drained(queue):
            properties = message.header.properties
            assert (properties.delivery_mode, properties.content_type) == (2, "application/cloudevents+json")
            envelope = json.loads(message.body)
            assert properties.message_id == envelope["id"]
            data = message.body.partition(b',"data":')[2][:-1]
            assert isinstance(message.delivery, aiormq.spec.Basic.Deliver)
            self._held.append(Held(envelope["id"], str(message.delivery.routing_key), data))


@pytest.fixture
def target(rabbitmq: RabbitMQ, rabbitmq_tls: RabbitMQ, tls: Tls) -> Iterator[Exchange]:
    # What a broker forgets to route must not count as delivered.
    exchange = Exchange(rabbitmq, unrouted="refuse", beside=Exchange(rabbitmq_tls, tls, unrouted="refuse"))
    exchange.bind()
    yield exchange
    if not rabbitmq.processes:
        rabbitmq.start()


class TestAmqp(ShapedSuite, ServiceSuite):
    """Whatever a consumer gets twice has one `message_id`."""

    sink = "amqp"
    kill_count = scale.SINK_KILLS
    kill_run = KILL_RUN
    cannot: ClassVar = {"refusing": "a broker refuses by size alone"}
    said_of_secret = "refuses the user or the password of the option url"

    async def test_in_binary_mode_headers_describe_the_data(self, target: Exchange, tmp_path: Path) -> None:
        options = target.options(per="transaction", format="cloudevents-binary")
        async with passing(tmp_path, "amqp", options) as run:
            await done(run)
        messages = {message.id: message for message in expected(RECIPE, Per.TRANSACTION)}
        found = await asyncio.to_thread(target.messages)
        assert len(found) == len(messages)
        for one in found:
            properties = one.header.properties
            message = messages[str(properties.message_id)]
            headers = properties.headers or {}
            assert (properties.content_type, one.body) == ("application/json", message.data)
            attributes = {f"cloudEvents_{name}": value for name, value in message.attributes.items()}
            assert headers == {"sequence": message.sequence, "partitionkey": message.asset_id, **attributes}

    async def test_routing_keys_choose(self, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
        """Asset transfers alone for one queue; what no queue wants is kept beside it, and nothing is missing."""
        exchange = Exchange(rabbitmq)
        await asyncio.to_thread(exchange.bind, "v1.*.transaction.valid.TRANSFER.*")
        async with passing(tmp_path, "amqp", exchange.options(per="transaction")) as run:
            await done(run)
        messages = expected(RECIPE, Per.TRANSACTION)
        transfers = [one.id for one in messages if one.operation == "TRANSFER"]
        assert [one.id for one in await asyncio.to_thread(exchange.held)] == transfers
        check(await asyncio.to_thread(exchange.aside), messages, exactly_once=True)

    async def test_what_no_queue_wants_is_waited_for_if_so_configured(self, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
        """A message that comes back is no success."""
        exchange = Exchange(rabbitmq)
        async with passing(tmp_path, "amqp", exchange.options(unrouted="refuse")) as run:
            run.grow(5)
            said = "no queue wants v1.simulated-7.block."
            await until(lambda: any(said in text for text in run.errors), "it to be refused", run)
            assert run.status().position == 0
            await asyncio.to_thread(exchange.bind)
            await done(run)
            assert run.parked("amqp") == ()
        check(await asyncio.to_thread(exchange.held), expected(RECIPE, Per.BLOCK), exactly_once=False)

    async def test_what_no_queue_wants_may_be_dropped(self, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
        exchange = Exchange(rabbitmq)
        async with passing(tmp_path / "kept", "amqp", exchange.options()) as run:
            await done(run)
        assert len(await asyncio.to_thread(exchange.aside)) == RECIPE.blocks
        async with passing(tmp_path / "dropped", "amqp", exchange.options(unrouted="drop")) as run:
            await done(run)
        assert len(await asyncio.to_thread(exchange.aside)) == RECIPE.blocks, "nothing was added"

    async def test_an_address_is_not_quoted_where_it_cannot_be_read(self) -> None:
        error = try_plugin("amqp", {"url": "amqp://bob:pa/ss@host:5672/"}).error
        assert "url: is no address; write % / ? # @" in error
        assert "ss@host" not in error

    async def test_what_an_address_looks_like_is_not_taken_for_a_password(self) -> None:
        assert "write it as amqp://USER:PASSWORD@HOST:PORT/VHOST" in masked_text(try_plugin("amqp", {"url": ""}).error)

    async def test_an_exchange_that_is_missing_is_said_once(
        self, rabbitmq: RabbitMQ, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """The library's tasks end with the same error: nobody wants its traceback."""
        exchange = Exchange(rabbitmq)
        error = (await asyncio.to_thread(try_plugin, "amqp", exchange.options(declare=False), with_check=True)).error
        assert error.endswith(f"there is no exchange {exchange.name}")
        assert "Traceback" not in capfd.readouterr().err

    async def test_an_exchange_of_another_kind_is_left_alone(self, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
        exchange = Exchange(rabbitmq)
        async with aiormq.Connection(rabbitmq.url) as connection:
            await (await connection.channel()).exchange_declare(exchange.name, exchange_type="fanout")
        async with passing(tmp_path, "amqp", exchange.options()) as run:
            run.grow(1)
            said = "is there with other properties"
            await until(lambda: any(said in text for text in run.errors), "it to be refused", run)

    async def test_a_broker_that_blocks_publishers_is_slow_and_not_dead(self, target: Exchange, tmp_path: Path) -> None:
        """At its memory watermark it reads nothing until consumers have caught up; a new connection would not help."""
        async with passing(tmp_path, "amqp", target.options(confirm_s=3.0)) as run:
            run.grow(5)
            await until(lambda: run.status().position == 5, "the first five", run)
            await asyncio.to_thread(target.server.control, "set_vm_memory_high_watermark", "absolute", "1MB")
            try:
                run.grow(5)
                await until(lambda: run.status().in_hand, "messages to be on their way", run)
                run.grow()
                since = time.monotonic()
                await until(lambda: time.monotonic() - since > 7.0, "two deadlines to pass")
                assert (run.status().start_count, run.status().position < RECIPE.blocks) == (1, True)
            finally:
                await asyncio.to_thread(target.server.control, "set_vm_memory_high_watermark", "absolute", "2GB")
            await done(run)
            assert run.status().start_count == 1
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=True)

    async def test_a_broker_that_hangs_is_dead_after_the_deadline(self, target: Exchange, tmp_path: Path) -> None:
        """To write out politely what is on its way would take minutes."""
        held, messages = await held_after_a_hang(target, "amqp", tmp_path, 0.5, said="no confirm for 0.5 s")
        check(held, messages, exactly_once=False)

    async def test_a_quorum_queue_keeps_what_was_confirmed(self, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
        exchange = Exchange(rabbitmq)
        await asyncio.to_thread(exchange.bind, **{"x-queue-type": "quorum"})
        await asyncio.sleep(QUORUM_S)
        async with passing(tmp_path, "amqp", exchange.options()) as run:
            run.grow(RECIPE.blocks // 2)
            await until(lambda: run.status().position > 0, "some", run)
            exchange.kill()
            await asyncio.to_thread(exchange.start)
            await done(run)
        check(await asyncio.to_thread(exchange.held), expected(RECIPE, Per.BLOCK), exactly_once=False)
