"""The AMQP sink against RabbitMQ."""

import asyncio
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import aiormq
import pytest
from aiormq.abc import DeliveredMessage

from bigchaindb.delivery import Per
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.eventlog.lane import State
from bigchaindb.masking import masked_text
from bigchaindb.simulated.chain import Recipe
from bigchaindb.testing.sinks import RECIPE, Held, ServiceSuite, ShapedSuite, check, done, expected, passing, until
from tests.integration.sinks.conftest import Tls
from tests.support import scale
from tests.support.rabbitmq import PASSWORD, RabbitMQ

_numbers: Final = itertools.count(1)
QUORUM_S: Final = 5.0
"""So long a broker of version 3.10 takes until a new quorum queue outlasts a kill."""


class Exchange:
    """An exchange of a test's own, and what comes out of it.

    Attributes:
        name: of the exchange.
        queue: that the test reads.
        unrouted: the option of that name that every test gets; None leaves the default.
    """

    def __init__(self, broker: RabbitMQ, tls: Tls | None = None, unrouted: str | None = None) -> None:
        self.broker = broker
        self.tls = tls
        self.unrouted = unrouted
        self.name = f"test-{next(_numbers)}"
        self.queue = f"{self.name}.all"
        self._held: list[Held] = []
        self._bound: tuple[str, dict[str, Any]] = "#", {}

    def options(self, **more: Any) -> dict[str, Any]:
        trust = {} if self.tls is None else {"ca_file": str(self.tls.ca)}
        kept = {} if self.unrouted is None else {"unrouted": self.unrouted}
        return {"url": self.broker.url, "exchange": self.name, **trust, **kept, **more}

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
        self.broker.start()
        asyncio.run(self._bind(*self._bound))

    def kill(self) -> None:
        self.broker.kill()

    def freeze(self) -> None:
        self.broker.freeze()

    def thaw(self) -> None:
        self.broker.thaw()

    async def _bind(self, key: str, arguments: dict[str, Any]) -> None:
        async with aiormq.Connection(self.broker.url) as connection:
            channel = await connection.channel()
            alternate = f"{self.name}.unrouted"
            await channel.exchange_declare(alternate, exchange_type="fanout", durable=True)
            await channel.exchange_declare(
                self.name, exchange_type="topic", durable=True, arguments={"alternate-exchange": alternate}
            )
            await channel.queue_declare(self.queue, durable=True, arguments=arguments)
            await channel.queue_bind(self.queue, self.name, routing_key=key)

    async def _take(self) -> list[DeliveredMessage]:
        async with aiormq.Connection(self.broker.url) as connection:
            channel, found = await connection.channel(), []
            while (message := await channel.basic_get(self.queue, no_ack=True)).body:
                found.append(message)
            return found

    async def _drain(self, queue: str) -> None:
        async with aiormq.Connection(self.broker.url) as connection:
            channel = await connection.channel()
            while (message := await channel.basic_get(queue, no_ack=True)).body:
                properties = message.header.properties
                assert (properties.delivery_mode, properties.content_type) == (2, "application/cloudevents+json")
                envelope = json.loads(message.body)
                assert properties.message_id == envelope["id"]
                data = message.body.partition(b',"data":')[2][:-1]
                assert isinstance(message.delivery, aiormq.spec.Basic.GetOk)
                self._held.append(Held(envelope["id"], str(message.delivery.routing_key), data))


@pytest.fixture
def target(rabbitmq: RabbitMQ) -> Iterator[Exchange]:
    exchange = Exchange(rabbitmq, unrouted="refuse")  # what a broker forgets to route must not count as delivered
    exchange.bind()
    yield exchange
    if not rabbitmq.processes:
        rabbitmq.start()


class TestAmqp(ShapedSuite, ServiceSuite):
    """Whatever a consumer gets twice has one `message_id`."""

    sink = "amqp"
    kill_count = scale.SINK_KILLS

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
            await until(lambda: run.status().state is State.BACKOFF, "it to be refused", run)
            assert "no queue wants v1.simulated-7.block." in run.status().error
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

    async def test_a_queue_that_is_full_is_waited_for(self, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
        """It refuses what it cannot hold, and takes it once it was read."""
        exchange = Exchange(rabbitmq)
        limits: dict[str, Any] = {"x-max-length": 7, "x-overflow": "reject-publish"}
        await asyncio.to_thread(lambda: exchange.bind(**limits))
        async with passing(tmp_path, "amqp", exchange.options()) as run:
            run.grow()
            await until(lambda: any("a queue refused the message" in text for text in run.errors), "a refusal", run)
            while run.status().lag:
                await asyncio.to_thread(exchange.held)
            assert run.parked("amqp") == ()
        messages = expected(RECIPE, Per.BLOCK)
        check(await asyncio.to_thread(exchange.held), messages, exactly_once=False, in_order=False)

    async def test_an_address_is_not_quoted_where_it_cannot_be_read(self) -> None:
        error = try_plugin("amqp", {"url": "amqp://bob:pa/ss@host:5672/"}).error
        assert "url: is no address; write % / ? # @" in error
        assert "ss@host" not in error

    async def test_what_an_address_looks_like_is_not_taken_for_a_password(self) -> None:
        assert "write it as amqp://USER:PASSWORD@HOST:PORT/VHOST" in masked_text(try_plugin("amqp", {"url": ""}).error)

    async def test_a_password_that_is_wrong_is_said_and_not_shown(self, target: Exchange, tmp_path: Path) -> None:
        options = target.options(url=target.broker.url_with("wrong-one"))
        async with passing(tmp_path, "amqp", options) as run:
            run.grow(1)
            await until(lambda: run.status().state is State.BACKOFF, "it to be refused", run)
            place = f"127.0.0.1:{target.broker.port}"
            assert run.status().error == f"Unavailable: {place}: refuses the user or the password of the option url"
        assert "wrong-one" not in try_plugin("amqp", options, with_check=True).error

    async def test_an_exchange_that_is_missing_is_said_once(
        self, rabbitmq: RabbitMQ, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """The library's tasks end with the same error: nobody wants its traceback."""
        exchange = Exchange(rabbitmq)
        error = (await asyncio.to_thread(try_plugin, "amqp", exchange.options(declare=False), with_check=True)).error
        assert error.endswith(f"there is no exchange {exchange.name}")
        assert "Traceback" not in capfd.readouterr().err

    async def test_an_exchange_that_is_missing_is_waited_for(self, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
        exchange = Exchange(rabbitmq)
        async with passing(tmp_path, "amqp", exchange.options(declare=False)) as run:
            run.grow(1)
            await until(lambda: run.status().state is State.BACKOFF, "it to be refused", run)
            assert "there is no such exchange" in run.status().error
            await asyncio.to_thread(exchange.bind)
            await done(run)
        check(await asyncio.to_thread(exchange.held), expected(RECIPE, Per.BLOCK), exactly_once=True)

    async def test_an_exchange_of_another_kind_is_left_alone(self, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
        exchange = Exchange(rabbitmq)
        async with aiormq.Connection(rabbitmq.url) as connection:
            await (await connection.channel()).exchange_declare(exchange.name, exchange_type="fanout")
        async with passing(tmp_path, "amqp", exchange.options()) as run:
            run.grow(1)
            await until(lambda: run.status().state is State.BACKOFF, "it to be refused", run)
            assert "is there with other properties" in run.status().error

    async def test_a_broker_that_blocks_publishers_is_slow_and_not_dead(self, target: Exchange, tmp_path: Path) -> None:
        """At its memory watermark it reads nothing until consumers have caught up; a new connection would not help."""
        async with passing(tmp_path, "amqp", target.options(confirm_s=3.0)) as run:
            run.grow(5)
            await until(lambda: run.status().position == 5, "the first five", run)
            await asyncio.to_thread(target.broker.control, "set_vm_memory_high_watermark", "absolute", "1MB")
            try:
                run.grow(5)
                await until(lambda: run.status().in_hand, "messages to be on their way", run)
                run.grow()
                since = time.monotonic()
                await until(lambda: time.monotonic() - since > 7.0, "two deadlines to pass")
                assert (run.status().start_count, run.status().position < RECIPE.blocks) == (1, True)
            finally:
                await asyncio.to_thread(target.broker.control, "set_vm_memory_high_watermark", "absolute", "2GB")
            await done(run)
            assert run.status().start_count == 1
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=True)

    async def test_a_broker_that_hangs_is_dead_after_the_deadline(self, target: Exchange, tmp_path: Path) -> None:
        """With more on its way than the machine takes off our hands: to write it out politely would take minutes."""
        recipe = Recipe(blocks=RECIPE.blocks, transactions=150, seed=7)
        async with passing(tmp_path, "amqp", target.options(confirm_s=0.5), recipe) as run:
            run.grow(5)
            await until(lambda: run.status().position == 5, "the first five", run)
            target.freeze()
            try:
                run.grow(50)
                await until(lambda: run.errors, "the deadline", run)
                assert run.errors[0].endswith("no confirm for 0.5 s")
            finally:
                target.thaw()
            await done(run)
        check(await asyncio.to_thread(target.held), expected(recipe, Per.BLOCK), exactly_once=False)

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

    async def test_tls(self, rabbitmq_tls: RabbitMQ, tls: Tls, tmp_path: Path) -> None:
        """With the authority that signed the broker's certificate, and not with another."""
        exchange = Exchange(rabbitmq_tls, tls)
        async with passing(tmp_path, "amqp", exchange.options()) as run:
            await done(run)
        found = try_plugin("amqp", exchange.options(ca_file=str(tls.other_ca)), with_check=True)
        assert "certificate verify failed" in found.error
        assert "RabbitMQ 3." in try_plugin("amqp", exchange.options(), with_check=True).checked

    async def test_a_message_that_is_too_large_is_set_aside_alone(
        self, rabbitmq_tls: RabbitMQ, tls: Tls, tmp_path: Path
    ) -> None:
        """The broker closes the channel for it: whichever was on its way beside it must arrive."""
        exchange = Exchange(rabbitmq_tls, tls)
        recipe = Recipe(blocks=3, transactions=100, seed=7)
        policy = {"attempts": 2, "duration_s": 0, "delay_s_max": 0.1}
        async with passing(tmp_path, "amqp", exchange.options(), recipe, retry=policy) as run:
            run.grow()
            await until(lambda: run.status().lag == 0 and run.head == recipe.blocks, "all to be settled", run)
            parked = run.parked("amqp")
        assert [position for position, _ in parked] == [1, 2, 3]
        assert all("is larger than configured max size 60000" in error for _, error in parked)
        assert PASSWORD not in str(parked)
