"""A connection of the sink `mqtt` to its broker: paho-mqtt on asyncio's loop.

The first thing that goes wrong ends a link, and `Link.ended` holds its error: a broker that refuses one message may
close the connection with the same breath.
"""

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Any, Final

from bigchaindb.distribution import needs_extra
from bigchaindb.events import Unavailable
from bigchaindb.sinks import mqtt_codes as codes
from bigchaindb.sinks.servers import UNCONFIRMED_MAX

try:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTv5
    from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode
except ImportError as error:
    raise ImportError(needs_extra("mqtt", "mqtt")) from error

CONNECT_S_MAX: Final = 10.0
"""Time to connect and to be let in."""
CLOSE_S_MAX: Final = 0.3
"""A broker that hangs must not hold a stop: what is acknowledged is safe without a farewell."""
KEEPALIVE_S: Final = 30
"""An idle connection is tried so often, so that its loss is seen without an event."""
SESSION_S: Final = 3_600
"""So long the broker remembers a client that is away."""
LOOK_S: Final = 1.0
"""How often the age of what is on its way is looked at."""
PACKET_BYTES_MAX: Final = 268_435_455 + 5
AT_LEAST_ONCE: Final = 1

# Mosquitto answers a message above its message_size_limit so; the library would take that for nonsense.
ReasonCode.names[codes.TOO_LARGE]["Packet too large"].append(PacketTypes.PUBACK)


@dataclass(frozen=True, kw_only=True)
class Address:
    """Whom to connect to, and who we are."""

    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None
    client_id: str

    @property
    def place(self) -> str:
        """The broker without its password, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Packed(Properties):
    """Properties of a message that are bytes already: the library takes 170 µs for what takes ten."""

    def __init__(self, packed: bytes) -> None:
        """Hold them, their length in front."""
        object.__setattr__(self, "_packed", packed)

    def pack(self) -> bytes:
        """Return them."""
        packed: bytes = object.__getattribute__(self, "_packed")
        return packed


@dataclass
class _Message:
    """A message on its way, or before it.

    Attributes:
        since: when it was sent, by the loop's clock.
    """

    topic: str
    body: bytes
    properties: Packed
    retain: bool
    done: asyncio.Future[None]
    since: float = 0.0


class Link:
    """A connection. Belongs to the event loop that runs when it is made.

    Attributes:
        ended: holds the first error; it is never done without one.
        keeps_messages: whether the broker takes messages that it shall retain.
        unconfirmed_max: messages that the broker takes before it has acknowledged the first of them.
        packet_bytes_max: of one message with its topic and properties.
    """

    def __init__(self, address: Address, *, confirm_s: float, drops_unrouted: bool) -> None:
        """Prepare a connection.

        Args:
            address: of the broker.
            confirm_s: a message without an answer for so long ends the link.
            drops_unrouted: whether a message that nobody subscribed to counts as done.
        """
        self._address = address
        self._confirm_s = confirm_s
        self._drops_unrouted = drops_unrouted
        self._loop = asyncio.get_running_loop()
        self._granted: asyncio.Future[Properties | None] = self._loop.create_future()
        self._sent: dict[int, _Message] = {}
        self._waiting: list[_Message] = []
        self._is_proven = False
        self._looking: asyncio.Task[None] | None = None
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.keeps_messages = True
        self.unconfirmed_max = UNCONFIRMED_MAX
        self.packet_bytes_max = PACKET_BYTES_MAX
        self._client = client = Client(
            CallbackAPIVersion.VERSION2, client_id=address.client_id, protocol=MQTTv5, reconnect_on_failure=False
        )
        client.max_inflight_messages = 0  # whoever sends has a window
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        if address.user is not None:
            client.username_pw_set(address.user, address.password)
        if address.tls is not None:
            client.tls_set_context(address.tls)

    async def open(self, *, lasts: bool) -> None:
        """Connect.

        Args:
            lasts: whether the broker shall remember the client.

        Raises:
            Unavailable: the broker is not there, or does not admit us.
        """
        wanted = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wanted.SessionExpiryInterval = SESSION_S if lasts else 0
        address = self._address
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                await asyncio.to_thread(
                    self._client.connect,
                    address.host,
                    address.port,
                    KEEPALIVE_S,
                    clean_start=not lasts,
                    properties=wanted,
                )
                self._attach()
                await asyncio.wait((self._granted, self.ended), return_when=asyncio.FIRST_COMPLETED)
        except OSError as error:
            raise codes.of_an_exception(address.place, error) from error
        if not self._granted.done():
            self.ended.result()
        self._take_terms(self._granted.result())
        self._looking = asyncio.create_task(self._look_after())

    async def publish(self, topic: str, body: bytes, properties: Packed, *, retain: bool) -> None:
        """Send a message, and wait until the broker has acknowledged it; if it never does, `ended` says why.

        Args:
            topic: of the message.
            body: its bytes.
            properties: what goes beside it.
            retain: whether the broker keeps it for later subscribers, until the topic's next one.
        """
        message = _Message(topic, body, properties, retain, self._loop.create_future())
        if self._is_proven or not (self._sent or self._waiting):
            self._send(message)
        else:
            self._waiting.append(message)
        await message.done

    async def close(self, *, politely: bool) -> None:
        """End the connection; politely, the broker learns that this is intended."""
        if self._looking is not None:
            self._looking.cancel()
        if politely and not self.ended.done():
            self._client.disconnect()
            await asyncio.wait((self.ended,), timeout=CLOSE_S_MAX)
        if (opened := self._client.socket()) is not None:
            self._detach(opened)
            opened.close()
        if self.ended.done():
            self.ended.exception()  # whoever closes knows it

    def _attach(self) -> None:
        """Serve the connection from the loop."""
        client, opened = self._client, self._client.socket()
        if opened is None:  # it is closed again
            return
        client.on_socket_close = lambda _client, _data, closing: self._detach(closing)
        client.on_socket_register_write = lambda _client, _data, ready: self._loop.add_writer(ready, client.loop_write)
        client.on_socket_unregister_write = lambda _client, _data, ready: self._stop_writing(ready)
        self._loop.add_reader(opened, self._read)
        if client.want_write():
            self._loop.add_writer(opened, client.loop_write)

    def _stop_writing(self, opened: Any) -> None:  # noqa: ANN401 - the library's
        self._loop.remove_writer(opened)

    def _detach(self, opened: Any) -> None:  # noqa: ANN401 - the library's
        self._loop.remove_reader(opened)
        self._loop.remove_writer(opened)

    def _read(self) -> None:
        try:
            self._client.loop_read()
            while isinstance(opened := self._client.socket(), ssl.SSLSocket) and opened.pending():
                self._client.loop_read()
        except Exception as error:  # noqa: BLE001 - the library fails in many ways at what is no MQTT
            self._fail(codes.of_an_exception(self._address.place, error))

    def _take_terms(self, granted: Properties | None) -> None:
        if getattr(granted, "MaximumQoS", AT_LEAST_ONCE) < AT_LEAST_ONCE:
            raise Unavailable(f"{self._address.place}: acknowledges no messages; allow QoS 1 there (max_qos)")
        self.keeps_messages = bool(getattr(granted, "RetainAvailable", True))
        self.unconfirmed_max = getattr(granted, "ReceiveMaximum", UNCONFIRMED_MAX)
        self.packet_bytes_max = getattr(granted, "MaximumPacketSize", PACKET_BYTES_MAX)

    async def _look_after(self) -> None:
        """Keep an idle connection alive, and end one that has left a message without an answer for too long."""
        while True:
            await asyncio.sleep(LOOK_S)
            self._client.loop_misc()
            oldest = next(iter(self._sent.values()), None)
            if oldest is not None and self._loop.time() - oldest.since > self._confirm_s:
                self._fail(Unavailable(f"{self._address.place}: no acknowledgement for {self._confirm_s:g} s"))

    def _send(self, message: _Message) -> None:
        sent = self._client.publish(message.topic, message.body, AT_LEAST_ONCE, message.retain, message.properties)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return  # the connection has ended, and `ended` says why
        message.since = self._loop.time()
        self._sent[sent.mid] = message

    def _prove(self) -> None:
        """Send what waited for the first acknowledgement.

        A broker that denies a topic answers and closes the connection; what is sent to it meanwhile makes its answer
        vanish. The next link begins with the message that was denied, alone, and so gets the answer.
        """
        if not self._is_proven:
            self._is_proven = True
            for message in self._waiting:
                self._send(message)
            self._waiting.clear()

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, terms: Properties | None
    ) -> None:
        if code.value == codes.SUCCESS:
            self._granted.set_result(terms)
        else:
            self._fail(codes.of_a_client(self._address.place, self._address.client_id, code.value, str(code)))

    def _on_publish(self, _client: Client, _data: object, number: int, code: ReasonCode, _rest: object) -> None:
        message = self._sent.pop(number)
        is_dropped = code.value == codes.NO_SUBSCRIBER and self._drops_unrouted
        if code.value != codes.SUCCESS and not is_dropped:
            self._fail(codes.of_a_message(self._address.place, message.topic, code.value, str(code)))
            return
        if not message.done.done():  # whoever waited was cancelled, if all ends
            message.done.set_result(None)
        self._prove()

    def _on_disconnect(
        self, _client: Client, _data: object, flags: DisconnectFlags, code: ReasonCode, _rest: object
    ) -> None:
        place, client_id = self._address.place, self._address.client_id
        if flags.is_disconnect_packet_from_server:
            self._fail(codes.of_an_end(place, client_id, code.value, str(code)))
        else:
            self._fail(codes.of_a_loss(place, client_id, code.value, is_admitted=self._granted.done()))

    def _fail(self, error: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)
