"""The MQTT sink against brokers that say what Mosquitto never does: here a server answers as each test tells it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from bigchaindb.delivery import Per
from bigchaindb.events import Unavailable
from bigchaindb.simulated.chain import Recipe
from bigchaindb.sinks.mqtt import MqttOptions, MqttSink, Publisher
from bigchaindb.sinks.mqtt_link import Address, Link, Packed
from bigchaindb.testing import MakeQueue
from bigchaindb.testing.sinks import RECIPE, done, expected, passing

CONNECT: Final = 0x10
PUBLISH: Final = 0x30
NO_PROPERTIES: Final[Any] = Packed(b"\x00")
Answer = Callable[[int], bytes]
TERMS: Final[dict[str, Answer]] = {
    "receive_maximum": lambda count: b"\x21" + count.to_bytes(2, "big"),
    "maximum_qos": lambda qos: bytes((0x24, qos)),
    "retain_available": lambda is_so: bytes((0x25, is_so)),
    "maximum_packet_size": lambda size: b"\x27" + size.to_bytes(4, "big"),
}


def granted(**terms: int) -> bytes:
    """Return a CONNACK."""
    properties = b"".join(TERMS[name](value) for name, value in terms.items())
    return bytes((0x20, 3 + len(properties), 0, 0, len(properties))) + properties


def refused(code: int) -> bytes:
    return bytes((0x20, 3, 0, code, 0))


def acknowledged(number: int, code: int = 0) -> bytes:
    """Return a PUBACK."""
    return b"\x40\x03" + number.to_bytes(2, "big") + bytes((code,))


class Broker:
    """A server that answers one client.

    Attributes:
        published: the packets that came.
        count_max: of those that were on their way at once.
    """

    def __init__(self, greeting: bytes, answer: Answer, *, delay_s: float) -> None:
        self._greeting = greeting
        self._answer = answer
        self._delay_s = delay_s
        self._waiting: list[int] = []
        self._writers: list[asyncio.StreamWriter] = []
        self._serving: list[asyncio.Task[Any]] = []
        self.published: list[bytes] = []
        self.count_max = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.append(task)
        self._writers.append(writer)
        try:
            while True:
                kind, content = await packet(reader)
                if kind == CONNECT:
                    writer.write(self._greeting)
                elif kind == PUBLISH:
                    self._take(content)
                    asyncio.get_running_loop().call_later(self._delay_s, self._give_answer, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._serving)

    def _give_answer(self, writer: asyncio.StreamWriter) -> None:
        writer.write(self._answer(self._waiting.pop(0)))

    def _take(self, content: bytes) -> None:
        self.published.append(content)
        after = 2 + int.from_bytes(content[:2], "big")
        self._waiting.append(int.from_bytes(content[after : after + 2], "big"))
        self.count_max = max(self.count_max, len(self._waiting))


async def packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind, size, shift = (await reader.readexactly(1))[0] & 0xF0, 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return kind, await reader.readexactly(size)


@asynccontextmanager
async def brokering(
    greeting: bytes | None = None, answer: Answer = acknowledged, *, delay_s: float = 0.0
) -> AsyncIterator[tuple[Broker, int]]:
    """Run a broker that answers each message after a while."""
    broker = Broker(granted() if greeting is None else greeting, answer, delay_s=delay_s)
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    try:
        yield broker, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await broker.close()


@asynccontextmanager
async def linked(port: int, *, drops_unrouted: bool = False, confirm_s: float = 30.0) -> AsyncIterator[Link]:
    address = Address(host="127.0.0.1", port=port, user=None, password=None, tls=None, client_id="one")
    link = Link(address, confirm_s=confirm_s, drops_unrouted=drops_unrouted)
    try:
        await link.open(lasts=True)
        yield link
    finally:
        await link.close(politely=False)


async def ending(link: Link) -> str:
    """Publish a message that is never acknowledged; return what the link ends with."""
    sending = asyncio.create_task(link.publish("a/b", b"{}", NO_PROPERTIES, retain=False))
    try:
        async with asyncio.timeout(60):
            await asyncio.wait((sending, link.ended), return_when=asyncio.FIRST_COMPLETED)
        assert not sending.done()
        error = link.ended.exception()
        return f"{type(error).__name__}: {error}"
    finally:
        sending.cancel()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0x10, "Unavailable: {}: a message to a/b: no subscriber wants it: subscribe to it with a session that "),
        (0x80, "Unavailable: {}: a message to a/b: the broker refuses it (Unspecified error); its log says why"),
        (0x83, "Unavailable: {}: a message to a/b: the broker refuses it (Implementation specific error); its log"),
        (0x87, "Unavailable: {}: a message to a/b: the user may not publish to it: allow that in the broker's access "),
        (0x90, "Unavailable: {}: a message to a/b: the broker refuses the topic: correct the option topic"),
        (0x95, "ValueError: a message to a/b is larger than the broker takes: raise its max_packet_size, or send less"),
        (0x97, "Unavailable: {}: a message to a/b: a quota of the broker is used up: raise it, or wait until "),
        (0x99, "ValueError: a message to a/b is no text to the broker"),
        (0x42, "Unavailable: {}: the server does not speak MQTT 5: "),
    ],
)
async def test_a_message_that_is_refused_never_counts_as_delivered(code: int, said: str) -> None:
    async with brokering(answer=lambda number: acknowledged(number, code)) as (_, port), linked(port) as link:
        assert (await ending(link)).startswith(said.format(f"127.0.0.1:{port}"))


async def test_what_nobody_wants_may_be_dropped() -> None:
    answer: Answer = lambda number: acknowledged(number, 0x10)  # noqa: E731
    async with brokering(answer=answer) as (_, port), linked(port, drops_unrouted=True) as link:
        await link.publish("a/b", b"{}", NO_PROPERTIES, retain=False)


@pytest.mark.parametrize(
    ("greeting", "said"),
    [
        (refused(0x80), "refuses the connection (Unspecified error); its log says why"),
        (refused(0x84), "speaks an older MQTT than 5: update it"),
        (refused(0x85), "refuses the client id one: set client_id to one that it takes"),
        (refused(0x86), "refuses the user or the password of the option url"),
        (refused(0x87), "refuses the user or the password of the option url, or lets nobody in without them"),
        (refused(0x89), "is busy"),
        (refused(0x97), "has no room for another client"),
        (b"\x20\x02\x00\x01", "speaks an older MQTT than 5: update it"),
        (b"HTTP/1.1 400 Bad Request\r\n" + b"x" * 200, "the server does not speak MQTT 5: it may be an HTTP server"),
        (granted(maximum_qos=0), "acknowledges no messages; allow QoS 1 there (max_qos)"),
    ],
)
async def test_a_broker_that_does_not_admit_us_says_why(greeting: bytes, said: str) -> None:
    async with brokering(greeting) as (_, port):
        with pytest.raises(Unavailable) as raised:
            async with linked(port):
                pass
        assert str(raised.value).startswith(f"127.0.0.1:{port}: {said}")


async def test_a_server_that_hangs_up_is_said() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    with pytest.raises(Unavailable, match="closed the connection before it answered; check that this is its port of M"):
        async with linked(server.sockets[0].getsockname()[1]):
            pass
    server.close()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0x8E, "Gone: {}: another client has connected as one: end that one, or set the option client_id if both "),
        (0x8B, "Unavailable: {}: the broker stops"),
        (0x93, "Unavailable: {}: the broker takes fewer messages at once: lower the option window"),
        (0x95, "ValueError: a message is larger than the broker takes"),
        (0x9A, "Unavailable: {}: the broker keeps no messages: set the option retain to false"),
        (0xA0, "Unavailable: {}: the broker ended the connection (Maximum connect time); its log says why"),
    ],
)
async def test_a_broker_that_ends_the_connection_says_why(code: int, said: str) -> None:
    """Whoever is taken over does not come back by itself: it would end the other one, and so on for ever."""
    async with brokering(answer=lambda _: bytes((0xE0, 1, code))) as (_, port), linked(port) as link:
        assert (await ending(link)).startswith(said.format(f"127.0.0.1:{port}"))


async def test_a_message_without_an_answer_ends_the_connection() -> None:
    async with brokering(delay_s=600.0) as (_, port), linked(port, confirm_s=0.1) as link:
        assert await ending(link) == f"Unavailable: 127.0.0.1:{port}: no acknowledgement for 0.1 s"


async def test_no_more_is_on_its_way_than_the_broker_takes(tmp_path: Path) -> None:
    """Whoever sends more is disconnected. The order is the log's."""
    async with brokering(granted(receive_maximum=3), delay_s=0.01) as (broker, port):
        options = {"url": f"mqtt://127.0.0.1:{port}", "per": "transaction"}
        async with passing(tmp_path, "mqtt", options) as rehearsal:
            await done(rehearsal)
    assert broker.count_max <= 3
    assert [id_of(one) for one in broker.published] == [one.id for one in expected(RECIPE, Per.TRANSACTION)]


async def test_a_message_that_is_larger_than_the_broker_takes_is_not_sent(make_queue: MakeQueue) -> None:
    """The broker would end the connection, and everything on its way with it."""
    async with brokering(granted(maximum_packet_size=500)) as (broker, port):
        with pytest.raises(ValueError, match=r"bytes and the broker 500 at most: raise its max_packet_size, or send l"):
            await run(port, make_queue(blocks=1))
    assert broker.published == []


async def test_a_broker_that_keeps_no_messages_is_not_asked_to(make_queue: MakeQueue) -> None:
    async with brokering(granted(retain_available=0)) as (_, port):
        with pytest.raises(Unavailable, match="keeps no messages; allow it there, or set the option retain to false"):
            await run(port, make_queue(blocks=1), retain=True)
        await run(port, make_queue(blocks=1))


async def test_a_message_that_returns_says_so() -> None:
    """So that a subscriber which drops what lies behind does not drop a parked event that comes back."""
    first, second = expected(Recipe(blocks=2, transactions=1, seed=1), Per.BLOCK)
    async with brokering() as (broker, port), linked(port) as link:
        publisher = Publisher(MqttOptions(url="mqtt://h"), link)
        for message in (first, second, first):
            await publisher.send(message)
    assert [b"\x00\x08returned\x00\x04true" in one for one in broker.published] == [False, False, True]


async def run(port: int, queue: Any, **options: object) -> None:
    """Run the plugin to the end of a queue."""
    sink = MqttSink()
    sink.configure({"url": f"mqtt://127.0.0.1:{port}", **options})
    await asyncio.to_thread(sink.run, queue)


def id_of(published: bytes) -> str:
    _, _, after = published.partition(b"\x26\x00\x02id")
    return after[2 : 2 + int.from_bytes(after[:2], "big")].decode()


@pytest.mark.parametrize(
    ("host", "place"), [("::1", "[::1]:1883"), ("broker", "broker:1883"), ("10.0.0.1", "10.0.0.1:1883")]
)
def test_a_place_is_as_an_address_has_it(host: str, place: str) -> None:
    address = Address(host=host, port=1883, user=None, password="hidden", tls=None, client_id="one")
    assert address.place == place
