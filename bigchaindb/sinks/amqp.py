"""The plugin `amqp`: events into a durable topic exchange of an AMQP 0-9-1 broker such as RabbitMQ.

Messages are persistent and published in the log's order with many confirms outstanding; an event is done when the
broker has confirmed all of it. What no queue wants goes to an exchange of its own, so that nothing vanishes unseen.
After a crash, of this side or the other, what was not confirmed is sent again: `message_id` tells repeats.

Source: AMQP 0-9-1, and RabbitMQ's extensions for publisher confirms, alternate exchanges and blocked connections.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, cast
from urllib.parse import urlsplit

from bigchaindb.delivery import Message, Rendered, forward, messages_of, read_options
from bigchaindb.distribution import needs_extra
from bigchaindb.events import EventQueue, EventTypes, Unavailable
from bigchaindb.sinks.connections import Words, first_ended
from bigchaindb.sinks.servers import ConfirmedOptions, address_of, place_of

try:
    import aiormq
    from aiormq import TransportFactory, spec
    from aiormq.connection import TCPTransportFactory, TLSTransportFactory
    from aiormq.exceptions import InvalidFrameError
    from yarl import URL
except ImportError as error:
    raise ImportError(needs_extra("amqp", "amqp")) from error

if TYPE_CHECKING:
    from aiormq.channel import Channel

CONNECT_S_MAX: Final = 10.0
"""Time to connect and to find or make the exchange."""
CLOSE_S_MAX: Final = 0.3
"""A broker that hangs must not hold a stop: what is confirmed is safe without a farewell."""
READY_S_MAX: Final = 0.1
"""To learn whether the broker blocks publishers; nothing is sent for it."""
FRAME_BYTES_MAX: Final = 128 * 1024 + 8
"""Of a broker's first frame; what claims to be longer is the text of another protocol."""
PERSISTENT: Final = 2
APPLICATION: Final = "bigchaindb"
ATTRIBUTE: Final = "cloudEvents_"
"""Before the name of an attribute of a CloudEvent, in headers. Source: the AMQP binding of CloudEvents, 3.1.3.1."""


_WORDS: Final = Words("broker", "amqp", "amqps", 5671)
_NO_AMQP: Final = "the server does not speak AMQP: it may be an HTTP server, or a port of TLS"


class AmqpOptions(ConfirmedOptions, frozen=True, kw_only=True):
    """The options of the sink.

    Attributes:
        url: `amqp://user:password@host:port/vhost`, or `amqps://` for TLS.
        exchange: of type topic, durable.
        unrouted: what becomes of messages that no queue wants: `keep` makes a queue for them, `refuse` waits until a
            queue wants them, `drop` lets the broker forget them.
        declare: whether exchanges and the queue of `keep` are made where they are missing; else they have to be there.
        confirm_s: as everywhere, unless the broker says that it blocks publishers; it is looked at this often.
    """

    url: str
    exchange: str = "bigchaindb.events"
    unrouted: Literal["keep", "refuse", "drop"] = "keep"
    declare: bool = True

    def __post_init__(self) -> None:
        """Refuse options that cannot work."""
        super().__post_init__()
        address_of(
            self.url,
            {"amqp", "amqps"},
            kind="a broker",
            form="amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// for TLS",
            takes_path=True,
            takes_query=True,
        )
        if not self.exchange or self.exchange.startswith("amq."):
            raise ValueError(f"exchange: must be a name of your own, not empty and not amq.*, found {self.exchange!r}")

    @property
    def is_secured(self) -> bool:
        """Whether the broker is reached by TLS."""
        return urlsplit(self.url).scheme == "amqps"

    @property
    def place(self) -> str:
        """The broker without its password, for people."""
        return place_of(urlsplit(self.url), 5671 if self.is_secured else 5672)

    @property
    def unrouted_name(self) -> str:
        """Of the exchange, and of the queue, that get what no queue wants."""
        return f"{self.exchange}.unrouted"


class AmqpSink:
    """What the entry point names."""

    acknowledge = "explicit"
    event_types = EventTypes.ALL
    select: Mapping[str, Any] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the options."""
        self._options = read_options(options, AmqpOptions)
        self.event_types, self.select = self._options.event_mask, self._options.select
        self._tls = self._options.tls_context() if self._options.is_secured else None

    def check(self) -> str:
        """Connect and ask for the exchange, without making it."""
        return asyncio.run(self._check())

    def run(self, queue: EventQueue) -> None:
        """Publish events until the queue has ended."""
        asyncio.run(self._run(queue))

    async def _check(self) -> str:
        options = self._options
        async with _connected(options, self._tls) as (connection, channel):
            about = connection.server_properties
            broker = f"{_text(about.get('product'))} {_text(about.get('version'))} at {options.place}"
            try:
                await channel.exchange_declare(options.exchange, passive=True)
            except aiormq.ChannelNotFoundEntity:
                if options.declare:
                    return f"{broker}; the exchange {options.exchange} will be made"
                raise Unavailable(f"{options.place}: there is no exchange {options.exchange}") from None
            return f"{broker}; the exchange {options.exchange} is there"

    async def _run(self, queue: EventQueue) -> None:
        options = self._options
        async with _connected(options, self._tls) as (connection, channel):
            publisher = Publisher(options, connection, channel)
            async with asyncio.timeout(CONNECT_S_MAX):
                await publisher.begin()
            passing = forward(queue, partial(messages_of, per=options.per), publisher.send, count_max=options.window)
            if await first_ended(passing, publisher.watch(), connection.closing) > 0:
                raise Unavailable(f"{options.place}: the connection has ended; check the broker's log")


class Publisher:
    """A channel that publishes with confirms."""

    def __init__(self, options: AmqpOptions, connection: aiormq.Connection, channel: "Channel") -> None:
        self._options = options
        self._connection = connection
        self._channel = channel
        self._shape = options.shape
        self._sent_count = 0
        self._out: dict[int, None] = {}

    async def begin(self) -> None:
        """Ask for confirms; find or make the exchanges."""
        options, channel = self._options, self._channel
        await channel.confirm_delivery()
        if not options.declare:
            await channel.exchange_declare(options.exchange, passive=True)
            return
        await channel.exchange_declare(options.unrouted_name, exchange_type="fanout", durable=True)
        await channel.exchange_declare(
            options.exchange,
            exchange_type="topic",
            durable=True,
            arguments={"alternate-exchange": options.unrouted_name},
        )
        if options.unrouted == "keep":
            await channel.queue_declare(options.unrouted_name, durable=True, arguments={"x-queue-type": "quorum"})
            await channel.queue_bind(options.unrouted_name, options.unrouted_name)
        else:  # it may have been `keep` before; what is in the queue stays there
            await channel.queue_unbind(options.unrouted_name, options.unrouted_name)

    async def send(self, message: Message) -> None:
        """Publish a message, and wait until the broker has it.

        Raises:
            Unavailable: it does not want it now, or no queue does.
            ValueError: it will never take it.
        """
        rendered = self._shape.render(message)
        self._sent_count += 1
        number = self._sent_count
        self._out[number] = None
        try:
            await self._channel.basic_publish(
                rendered.body,
                exchange=self._options.exchange,
                routing_key=message.routing_key,
                properties=properties_of(message, rendered),
                mandatory=self._options.unrouted != "drop",
                wait=False,
            )
        except aiormq.PublishError:
            raise Unavailable(
                f"no queue wants {message.routing_key}: bind one to the exchange {self._options.exchange} or to "
                f"{self._options.unrouted_name}, or set the option unrouted"
            ) from None
        except aiormq.DeliveryError as error:
            raise Unavailable(f"{self._options.place}: a queue refused the message: {error}") from error
        except aiormq.ChannelPreconditionFailed as error:
            raise ValueError(f"the broker refuses a message on its way: {error}") from error
        finally:
            del self._out[number]

    async def watch(self) -> None:
        """Wait until a broker that does not block us has left a message without an answer for too long.

        Raises:
            Unavailable: so it was.
        """
        while True:
            oldest = next(iter(self._out), None)
            was_blocked = await self._is_blocked()  # until a moment ago, perhaps: what waited has the whole time anew
            await asyncio.sleep(self._options.confirm_s)
            if oldest in self._out and not was_blocked and not await self._is_blocked():
                raise Unavailable(f"{self._options.place}: no confirm for {self._options.confirm_s:g} s")

    async def _is_blocked(self) -> bool:
        """Whether the broker blocks publishers for now: it is slow, not dead."""
        try:
            await asyncio.wait_for(self._connection.ready(), READY_S_MAX)  # it is at once, unless blocked
        except TimeoutError:
            return True
        return False


def properties_of(message: Message, rendered: Rendered) -> spec.Basic.Properties:
    """Return the properties that go beside a message's body."""
    return spec.Basic.Properties(
        content_type=rendered.content_type,
        delivery_mode=PERSISTENT,
        message_id=message.id,
        message_type=message.type,
        timestamp=datetime.fromtimestamp(message.time, UTC),
        app_id=APPLICATION,
        headers={
            "sequence": message.sequence,
            "partitionkey": message.asset_id,
            **{f"{ATTRIBUTE}{name}": value for name, value in rendered.attributes.items()},
        },
    )


@asynccontextmanager
async def _connected(
    options: AmqpOptions, tls: ssl.SSLContext | None
) -> AsyncIterator[tuple[aiormq.Connection, "Channel"]]:
    """Connect; raise `Unavailable` for whatever goes wrong with the broker, as no event is to blame."""
    place = options.place
    asyncio.get_running_loop().set_exception_handler(_tell_what_is_not_raised)
    transport = _Transport(TCPTransportFactory() if tls is None else TLSTransportFactory())
    connection = aiormq.Connection(options.url, context=tls, transport_factory=transport)
    try:
        async with asyncio.timeout(CONNECT_S_MAX):
            await connection.connect()
            channel = cast("Channel", await connection.channel())
        yield connection, channel
        with suppress(Exception):
            await connection.close(timeout=CLOSE_S_MAX)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise Unavailable(f"{place}: the connection was lost") from None  # so the library says that nothing came
    except aiormq.AuthenticationError as error:
        raise Unavailable(f"{place}: offers no way to log in that we know") from error
    except aiormq.ProbableAuthenticationError as error:
        raise Unavailable(f"{place}: refuses the user or the password of the option url") from error
    except InvalidFrameError as error:
        raise Unavailable(
            f"{place}: closed the connection: is there such a vhost, and may the user enter it?"
        ) from error
    except aiormq.ChannelNotFoundEntity as error:
        raise Unavailable(f"{place}: there is no such exchange or queue: {error}") from error
    except aiormq.ChannelPreconditionFailed as error:
        raise Unavailable(
            f"{place}: an exchange or queue is there with other properties: {error}; delete it, name another in the "
            "option exchange, or set declare to false"
        ) from error
    except TimeoutError as error:
        raise Unavailable(
            f"{place}: no answer within {CONNECT_S_MAX:g} s; check that the broker runs, and that this is its AMQP port"
        ) from error
    except (aiormq.AMQPError, aiormq.ChannelInvalidStateError, OSError) as error:
        raise Unavailable(f"{place}: {_reason(error)}") from error
    finally:
        transport.abort()


def _reason(error: Exception) -> str:
    """Return what happened to a connection, why, and what to do; the library's own words are of bytes."""
    cause = error.__cause__ or error
    if isinstance(cause, asyncio.IncompleteReadError) and (cause.expected or 0) > FRAME_BYTES_MAX:
        return f"{_NO_AMQP}; name the port of AMQP in the option url, usually 5672, or 5671 with amqps://"
    return _WORDS.why(cause) or f"{error}; check the broker's log"


class _Transport(TransportFactory):
    """Remembers the connection below AMQP, to end it at once: a polite end waits minutes for a broker that hangs."""

    def __init__(self, factory: TransportFactory) -> None:
        self._factory = factory
        self._writer: asyncio.StreamWriter | None = None

    async def create(self, url: URL, **settings: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:  # noqa: ANN401 - the library's
        reader, self._writer = await self._factory.create(url, **settings)
        return reader, self._writer

    def abort(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()


def _tell_what_is_not_raised(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Leave out what ends the library's own tasks when a channel ends: the same error comes to us."""
    if not isinstance(context.get("exception"), aiormq.AMQPError):
        loop.default_exception_handler(context)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")


# The library tells its own story of each failure; ours is what it raises.
logging.getLogger("aiormq").setLevel(logging.CRITICAL)


plugin = AmqpSink()
"""Reads its options in `configure`."""
