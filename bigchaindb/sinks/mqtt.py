"""The plugin `mqtt`: events to a broker that speaks MQTT 5, such as Mosquitto, with QoS 1.

Messages are published in the log's order with many acknowledgements outstanding; an event is done when the broker has
acknowledged all of it with a reason that means success. What that is worth is the broker's affair: Mosquitto has a
message in memory then. After a crash, of this side or the other, what was not acknowledged is sent again: the user
property `id` tells repeats.

Source: MQTT 5.0 (OASIS); the MQTT binding of CloudEvents 1.0.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, ClassVar, Final, Literal
from urllib.parse import SplitResult, unquote

from bigchaindb.delivery import (
    Format,
    Message,
    Naming,
    Rendered,
    forward,
    messages_of,
    read_options,
)
from bigchaindb.events import EventQueue, EventTypes, Unavailable
from bigchaindb.sinks.connections import first_ended
from bigchaindb.sinks.mqtt_link import Address, Link, Packed
from bigchaindb.sinks.servers import ConfirmedOptions, address_of

TOPIC_CHARACTERS_MAX: Final = 200
"""Of the option; with the names in it, a topic stays far below the 65,535 bytes of MQTT."""
CLIENT_ID_CHARACTERS_MAX: Final = 200
HEAD_BYTES: Final = 5 + 2 + 2
"""Of a packet, beside its topic, properties and body: type and length, the topic's length, the packet's number."""


class MqttOptions(ConfirmedOptions, frozen=True, kw_only=True):
    """The options of the sink.

    Attributes:
        url: `mqtt://user:password@host:port`, or `mqtts://` for TLS.
        topic: of a message, with names in braces.
        client_id: by which the broker knows us; None is the chain's id and the plugin's name.
        unrouted: what becomes of a message that nobody has subscribed to: `refuse` waits until somebody has, `drop`
            lets the broker forget it.
        retain: whether the broker keeps the last message of each topic for later subscribers.
        window: as everywhere; fewer if the broker says so.
    """

    url: str
    topic: str = "bigchaindb/{chain_id}/{kind}/{validity}/{operation}/{asset_id}"
    client_id: str | None = None
    unrouted: Literal["refuse", "drop"] = "refuse"
    retain: bool = False

    default_format: ClassVar[Format] = Format.BINARY

    def __post_init__(self) -> None:
        """Refuse options that cannot work."""
        super().__post_init__()
        _ = self.parts
        _check_topic(self.topic)
        if self.client_id is not None and not 0 < len(self.client_id) <= CLIENT_ID_CHARACTERS_MAX:
            raise ValueError(
                f"client_id: must have 1 to {CLIENT_ID_CHARACTERS_MAX} characters, found {len(self.client_id)}"
            )

    @property
    def parts(self) -> SplitResult:
        """The address."""
        form = "mqtt://USER:PASSWORD@HOST:PORT, or mqtts:// for TLS"
        return address_of(self.url, {"mqtt", "mqtts"}, kind="a broker", form=form)

    @property
    def naming(self) -> Naming:
        """What makes a topic of a message; to be asked for once."""
        return Naming(self.topic, "topic")


class MqttSink:
    """What the entry point names."""

    acknowledge = "explicit"
    event_types = EventTypes.ALL
    select: Mapping[str, Any] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the options."""
        self._options = read_options(options, MqttOptions)
        self.event_types, self.select = self._options.event_mask, self._options.select
        is_secured = self._options.parts.scheme == "mqtts"
        self._tls = self._options.tls_context() if is_secured else None

    def check(self) -> str:
        """Connect as somebody else than `run` does, whose connection would end, and publish nothing."""
        return asyncio.run(self._check())

    def run(self, queue: EventQueue) -> None:
        """Publish events until the queue has ended."""
        asyncio.run(self._run(queue))

    async def _check(self) -> str:
        options = self._options
        address = _address(options, self._tls, f"{options.client_id or 'bigchaindb'}-check")
        async with _linked(options, address, lasts=False) as link:
            count = min(options.window, link.unconfirmed_max)
            return (
                f"MQTT 5 broker at {address.place}; {count} messages at once, topics such as {options.naming.example}"
            )

    async def _run(self, queue: EventQueue) -> None:
        options = self._options
        address = _address(options, self._tls, options.client_id or f"{queue.chain_id}-{queue.plugin}")
        async with _linked(options, address, lasts=True) as link:
            publisher = Publisher(options, link)
            count_max = min(options.window, link.unconfirmed_max)
            passing = forward(queue, partial(messages_of, per=options.per), publisher.send, count_max=count_max)
            await first_ended(passing, asyncio.shield(link.ended))


class Publisher:
    """Publishes messages by a link."""

    def __init__(self, options: MqttOptions, link: Link) -> None:
        self._options = options
        self._link = link
        self._shape = options.shape
        self._naming = options.naming
        self._reached = 0

    async def send(self, message: Message) -> None:
        """Publish a message, and wait until the broker has it.

        Raises:
            ValueError: it is larger than the broker takes.
        """
        is_returned = message.position < self._reached
        self._reached = max(self._reached, message.position)
        rendered = self._shape.render(message)
        topic = self._naming.name(message)
        properties = properties_of(message, rendered, is_returned=is_returned)
        size = HEAD_BYTES + len(topic.encode()) + len(properties.pack()) + len(rendered.body)
        if size > self._link.packet_bytes_max:
            raise ValueError(
                f"a message to {topic} takes {size} bytes and the broker {self._link.packet_bytes_max} at most: raise "
                "its max_packet_size, or send less of it by the option fields"
            )
        await self._link.publish(topic, rendered.body, properties, retain=self._options.retain)


def properties_of(message: Message, rendered: Rendered, *, is_returned: bool = False) -> Packed:
    """Return the properties that go beside a message's body.

    Args:
        message: what they are of.
        rendered: its body, and the attributes that become user properties.
        is_returned: whether this process has sent a later event before.
    """
    users = {"id": message.id, "sequence": message.sequence, **rendered.attributes}
    if is_returned:
        users["returned"] = "true"
    parts = [_TEXT_FOLLOWS, b"\x03", _text(rendered.content_type)]
    for name, value in users.items():
        parts += b"\x26", _text(name), _text(value)
    packed = b"".join(parts)
    return Packed(_length(len(packed)) + packed)


_TEXT_FOLLOWS: Final = b"\x01\x01"
"""The property that says that the body is UTF-8."""


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def _length(size: int) -> bytes:
    """Return a number in MQTT's variable width; properties stay below two bytes of it."""
    return bytes((size,)) if size < 128 else bytes((size % 128 | 128, size // 128))  # noqa: PLR2004 - seven bits each


@asynccontextmanager
async def _linked(options: MqttOptions, address: Address, *, lasts: bool) -> AsyncIterator[Link]:
    link = Link(address, confirm_s=options.confirm_s, drops_unrouted=options.unrouted == "drop")
    is_fine = False
    try:
        await link.open(lasts=lasts)
        if options.retain and not link.keeps_messages:
            raise Unavailable(f"{address.place}: keeps no messages; allow it there, or set the option retain to false")
        yield link
        is_fine = True
    finally:
        await link.close(politely=is_fine)


def _address(options: MqttOptions, tls: ssl.SSLContext | None, client_id: str) -> Address:
    parts = options.parts
    return Address(
        host=str(parts.hostname),
        port=parts.port or (8883 if parts.scheme == "mqtts" else 1883),
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        tls=tls,
        client_id=client_id,
    )


def _check_topic(topic: str) -> None:
    """Refuse a topic that no broker takes.

    Raises:
        ValueError: so it is; names the character.
    """
    Naming(topic, "topic")
    if len(topic) > TOPIC_CHARACTERS_MAX:
        raise ValueError(f"topic: must have at most {TOPIC_CHARACTERS_MAX} characters, found {len(topic)}")
    if topic.startswith("$"):
        raise ValueError("topic: must not begin with $, which is the broker's own")
    for place, character in enumerate(topic, start=1):
        if character in "+#":
            raise ValueError(f"topic: character {place}: {character} is for subscribers, a message has no wildcard")
        if not character.isprintable():
            raise ValueError(f"topic: character {place}: must be printable, found {character!r}")


plugin = MqttSink()
"""Reads its options in `configure`."""
