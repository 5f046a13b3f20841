"""A connection of the sink `mqtt` to its broker: paho-mqtt on asyncio's loop, and what the broker's codes mean.

The first thing that goes wrong ends a link, and its error is what `Link.ended` holds: a broker that refuses one message
may close the connection with the same breath.

Source: MQTT 5.0 (OASIS), sections 2.4, 3.2.2.2, 3.4.2.1 and 3.14.2.1.
"""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from bigchaindb.distribution import needs_extra
from bigchaindb.events import Gone, Unavailable

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
UNCONFIRMED_MAX: Final = 65_535
"""Messages on their way, by the width of their number in MQTT."""
PACKET_BYTES_MAX: Final = 268_435_455 + 5
AT_LEAST_ONCE: Final = 1

SUCCESS: Final = 0
NO_SUBSCRIBER: Final = 0x10
PROTOCOL_ERROR: Final = 0x82
TAKEN_OVER: Final = 0x8E
TOO_LARGE: Final = 0x95
_OF_THE_MESSAGE: Final = {
    TOO_LARGE: "is larger than the broker takes: raise its max_packet_size, or send less of it by the option fields",
    0x99: "is no text to the broker: its log says why",
}
"""Codes that blame one message and nothing else."""
_PUBLISHED: Final = {
    NO_SUBSCRIBER: "no subscriber wants it: subscribe to it with a session that persists, or set the option unrouted "
    "to drop",
    0x87: "the user may not publish to it: allow that in the broker's access list, or correct the option url or topic",
    0x90: "the broker refuses the topic: correct the option topic",
    0x97: "a quota of the broker is used up: raise it, or wait until subscribers have caught up",
}
"""Codes of a PUBACK, after the topic."""
_CONNECTED: Final = {
    0x84: "speaks an older MQTT than 5: update it, or name another broker in the option url",
    0x85: "refuses the client id {client_id}: set client_id to one that it takes, 23 letters and digits at most",
    0x86: "refuses the user or the password of the option url",
    0x87: "refuses the user or the password of the option url, or lets nobody in without them",
    0x88: "is not ready: if that lasts, its log says why",
    0x89: "is busy: if that lasts, give it more room",
    0x8A: "has banned this client: lift the ban there",
    0x97: "has no room for another client: raise its limit of connections",
    0x9C: "wants another server to be used: name that in the option url",
    0x9D: "has moved to another server: name that in the option url",
    0x9F: "takes no more connections in this second: if that lasts, raise its limit",
}
"""Codes of a CONNACK, after the broker."""
_ENDED: Final = {
    0x87: "the user may not do that any more: look at the broker's access list",
    0x8B: "the broker stops",
    0x8D: "the broker heard nothing for too long",
    0x93: "the broker takes fewer messages at once: lower the option window",
    0x97: "a quota of the broker is used up: raise it, or wait until subscribers have caught up",
    0x98: "a person ended it at the broker",
    0x9A: "the broker keeps no messages: set the option retain to false",
}
"""Codes of a DISCONNECT."""
NO_MQTT: Final = (
    "the server does not speak MQTT 5: it may be an HTTP server, or a port of TLS; name the port of MQTT in the option "
    "url, usually 1883, or 8883 with mqtts://"
)

# Mosquitto answers a message above its message_size_limit so; the library would take that for nonsense.
ReasonCode.names[TOO_LARGE]["Packet too large"].append(PacketTypes.PUBACK)


@dataclass(frozen=True, kw_only=True)
class Address:
    """Whom to connect to, and who we are."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: ssl.SSLContext | None
    client_id: str

    @property
    def place(self) -> str:
        """The broker without its password, for people."""
        return f"{self.host}:{self.port}"


class Packed(Properties):
    """Properties of a message that are bytes already: the library takes 170 µs for what takes ten."""

    def __init__(self, packed: bytes) -> None:
        """Hold them, their length in front."""
        object.__setattr__(self, "_packed", packed)

    def pack(self) -> bytes:
        """Return them."""
        packed: bytes = object.__getattribute__(self, "_packed")
        return packed


class _Sent(NamedTuple):
    """A message on its way."""

    done: asyncio.Future[None]
    topic: str
    since: float


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
        self._sent: dict[int, _Sent] = {}
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
        except TimeoutError:
            raise Unavailable(
                f"{address.place}: no answer within {CONNECT_S_MAX:g} s; check that the broker runs, and that this is "
                "its port of MQTT"
            ) from None
        except OSError as error:
            raise Unavailable(f"{address.place}: {_reason(error)}") from error
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

        Raises:
            Unavailable: the connection is gone.
        """
        sent = self._client.publish(topic, body, AT_LEAST_ONCE, retain, properties)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise Unavailable(f"{self._address.place}: the connection was lost")
        done = self._loop.create_future()
        self._sent[sent.mid] = _Sent(done, topic, self._loop.time())
        await done

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
            self._fail(Unavailable(f"{self._address.place}: {_reason(error)}"))

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

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, terms: Properties | None
    ) -> None:
        if code.value == SUCCESS:
            self._granted.set_result(terms)
            return
        why = _CONNECTED.get(code.value, f"refuses the connection ({code}); its log says why")
        self._fail(Unavailable(f"{self._address.place}: {why.format(client_id=self._address.client_id)}"))

    def _on_publish(self, _client: Client, _data: object, number: int, code: ReasonCode, _rest: object) -> None:
        sent = self._sent.pop(number)
        if code.value == SUCCESS or (code.value == NO_SUBSCRIBER and self._drops_unrouted):
            if not sent.done.done():  # nobody waits for it while all ends
                sent.done.set_result(None)
        elif code.value in _OF_THE_MESSAGE:
            self._fail(ValueError(f"a message to {sent.topic} {_OF_THE_MESSAGE[code.value]}"))
        else:
            why = _PUBLISHED.get(code.value, f"the broker refuses it ({code}); its log says why")
            self._fail(Unavailable(f"{self._address.place}: a message to {sent.topic}: {why}"))

    def _on_disconnect(
        self, _client: Client, _data: object, flags: DisconnectFlags, code: ReasonCode, _rest: object
    ) -> None:
        place, client_id = self._address.place, self._address.client_id
        if not flags.is_disconnect_packet_from_server:
            self._fail(Unavailable(f"{place}: {self._what_ended_it(code)}"))
        elif code.value == TAKEN_OVER:
            self._fail(
                Gone(
                    f"{place}: another client has connected as {client_id}: end that one, or set the option client_id "
                    "if both shall send; then start this plugin again"
                )
            )
        elif code.value in _OF_THE_MESSAGE:
            self._fail(ValueError(f"a message {_OF_THE_MESSAGE[code.value]}"))
        else:
            why = _ENDED.get(code.value, f"the broker ended the connection ({code}); its log says why")
            self._fail(Unavailable(f"{place}: {why}"))

    def _what_ended_it(self, code: ReasonCode) -> str:
        if self._granted.done():
            return (
                f"the connection was lost ({code}): the broker stopped, or another client has connected as "
                f"{self._address.client_id}"
            )
        if code.value == PROTOCOL_ERROR:
            return NO_MQTT
        return (
            "closed the connection before it answered; check that this is its port of MQTT, that TLS is wanted as the "
            "scheme of the option url says, and that it asks for no certificate (cert_file, key_file)"
        )

    def _fail(self, error: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)


def _reason(error: Exception) -> str:
    """Return what happened to a connection, why, and what to do."""
    match error:
        case ssl.SSLCertVerificationError(verify_message=str(why)):
            return f"TLS: certificate verify failed: {why}; for an authority of your own set the option ca_file"
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER") | ssl.SSLEOFError() | ConnectionResetError():
            return (
                "the server does not speak TLS, which mqtts:// requires; name the port of TLS in the option url, "
                "usually 8883, or write mqtt:// for none"
            )
        case ssl.SSLError():
            return f"TLS fails: {error.reason or error}; check that both sides share a TLS version"
        case OSError(errno=int(), strerror=str(text)):
            return f"cannot connect: {text}; start the broker, or correct host and port in the option url"
    return NO_MQTT
