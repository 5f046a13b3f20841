"""The plugin `nats`: events into a stream of NATS JetStream.

Messages are published in the log's order with many acknowledgements outstanding; an event is done when the stream has
acknowledged all of it. The stream drops repeats by `Nats-Msg-Id`, the event's id, as long as its duplicate window
lasts. That alone would also drop a message which a seek brings again after somebody deleted it: what the stream calls a
repeat is looked up there, and written under an id of its own if it is gone.

Source: the protocol of NATS clients, and JetStream's of publishing; the NATS binding of CloudEvents for headers.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bigchaindb.delivery import Format, Message, Rendered, forward, messages_of, read_options
from bigchaindb.events import EventQueue, EventTypes, Unavailable
from bigchaindb.sinks.connections import first_ended
from bigchaindb.sinks.nats_connection import CONNECT_S_MAX, Connection, connected, found_stream, left_out
from bigchaindb.sinks.nats_options import DUPLICATE_S, NatsOptions

if TYPE_CHECKING:
    from nats.aio.msg import Msg

LOOK_S: Final = 0.5
"""How often the age of the oldest message without an answer is looked at."""
HEADER_BYTES_MOST: Final = 4096
"""More than the headers of any message: only where a body is nearly too large they are measured."""
RETURNED: Final = "~"
"""Between the event's id and what makes it another id."""

_TOO_LARGE: Final = frozenset({10054, 10097})
"""Error codes of JetStream that tell of one message, not of the stream: its size, or that of its headers."""
_NO_ROOM: Final = frozenset({10023, 10047, 10077})


class NatsSink:
    """What the entry point names."""

    acknowledge = "explicit"
    event_types = EventTypes.ALL
    select: Mapping[str, Any] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the options."""
        self._options = read_options(options, NatsOptions)
        self.event_types, self.select = self._options.event_mask, self._options.select
        self._tls = self._options.tls_context()  # a server may ask for TLS at any address

    def check(self) -> str:
        """Connect and ask for the stream, without making it."""
        return asyncio.run(self._check())

    def run(self, queue: EventQueue) -> None:
        """Publish events until the queue has ended."""
        asyncio.run(self._run(queue))

    async def _check(self) -> str:
        options = self._options
        async with connected(options, self._tls) as client:
            found = await found_stream(client, options)
            server = f"{client.connected_server_version!r}".strip("<>")
            stream = f"{server} at {options.place}; the stream {options.stream}"
            if found is None:
                return f"{stream} will be made"
            told = f"{stream} is there, and drops repeats for {found.config.duplicate_window:g} s"
            return "; ".join(filter(None, (told, left_out(found, options))))

    async def _run(self, queue: EventQueue) -> None:
        options = self._options
        async with connected(options, self._tls) as client:
            publisher = Publisher(options, client)
            async with asyncio.timeout(CONNECT_S_MAX):
                await publisher.begin()
            passing = forward(queue, partial(messages_of, per=options.per), publisher.send, count_max=options.window)
            await first_ended(passing, publisher.watch())


class _Error(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class Ack(msgspec.Struct):
    """The answer of a stream to one message.

    Attributes:
        seq: number of the message in the stream; of a repeat, that of the first one.
        duplicate: whether the stream calls it a repeat.
        error: why the stream did not take it.
    """

    seq: int = 0
    duplicate: bool = False
    error: _Error | None = None


_decode_ack: Final = msgspec.json.Decoder(Ack).decode
_NOBODY: Final = Ack(error=_Error())


class _Clean(str):
    """A header's value that has neither line breaks nor spaces at its ends, as everything that is checked or ours.

    The library searches each value for them, which takes a third of a message's time.
    """

    __slots__ = ()

    def strip(self, _: str | None = None, /) -> "_Clean":
        return self

    def translate(self, _: object, /) -> "_Clean":
        return self


class Publisher:
    """A connection that publishes with acknowledgements."""

    def __init__(self, options: NatsOptions, client: Connection) -> None:
        self._options = options
        self._client = client
        self._shape = options.shape
        self._name_of = options.naming.name
        self._headers = _headers(options)
        self._inbox = f"{client.new_inbox()}."
        self._sent_count = 0
        self._out: dict[int, tuple[asyncio.Future[Ack], float]] = {}
        self._loop = asyncio.get_running_loop()

    async def begin(self) -> None:
        """Find or make the stream; listen for its answers."""
        options = self._options
        if await found_stream(self._client, options) is None:
            stream = self._client.jsm(timeout=CONNECT_S_MAX)
            await stream.add_stream(name=options.stream, subjects=[options.subjects], duplicate_window=DUPLICATE_S)
        await self._client.subscribe(f"{self._inbox}*", cb=self._take_answer)

    async def send(self, message: Message) -> None:
        """Publish a message, and wait until the stream has it.

        Raises:
            Unavailable: it does not want it now.
            ValueError: it will never take it.
        """
        rendered = self._shape.render(message)
        subject, id_ = self._name_of(message), message.id
        while True:
            ack = await self._published(subject, rendered, id_)
            if not ack.duplicate or await self._client.holds(self._options.stream, ack.seq):
                return
            # Named after the one that is gone, so that a crash from here on leads to the same id again.
            id_ = f"{message.id}{RETURNED}{ack.seq}"

    async def watch(self) -> None:
        """Wait until the connection has failed, or left a message without an answer for too long.

        Raises:
            Unavailable: so it was.
        """
        options, client = self._options, self._client
        while client.failure is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(client.has_failed.wait(), LOOK_S)
            oldest = next(iter(self._out.values()), None)
            if oldest is not None and self._loop.time() - oldest[1] > options.confirm_s:
                client.fail(Unavailable(f"{options.place}: no acknowledgement for {options.confirm_s:g} s"))
            elif client.is_closed:  # the library may end without a word
                client.fail(client.last_error or ConnectionError("closed"))
        for answer, _ in self._out.values():
            if not answer.done():
                answer.set_exception(client.failure)
        raise client.failure

    async def _published(self, subject: str, rendered: Rendered, id_: str) -> Ack:
        headers: dict[str, str] = {"Nats-Msg-Id": _Clean(id_), **self._headers}
        for name, value in rendered.attributes.items():
            headers[f"ce-{name}"] = _Clean(value)
        self._check_size(headers, rendered.body)
        self._sent_count += 1
        number, answer = self._sent_count, self._loop.create_future()
        self._out[number] = answer, self._loop.time()
        try:
            await self._client.publish(subject, rendered.body, reply=f"{self._inbox}{number}", headers=headers)
            if self._client.failure is not None:  # the library swallows a cancellation while its buffer is full
                raise self._client.failure
            ack: Ack = await answer
        finally:
            del self._out[number]
        if ack.error is not None:
            raise self._refusal(ack.error, subject)
        return ack

    async def _take_answer(self, message: "Msg") -> None:
        answer, _ = self._out.get(int(message.subject[len(self._inbox) :]), (None, 0.0))
        if answer is not None and not answer.done():
            answer.set_result(_decode_ack(message.data) if message.data else _NOBODY)

    def _check_size(self, headers: Mapping[str, str], body: bytes) -> None:
        """Require that a message fits: the server would end the connection, and all that is on its way with it."""
        most = self._client.max_payload
        if len(body) <= most - HEADER_BYTES_MOST:
            return
        size = len(body) + len("NATS/1.0\r\n\r\n") + sum(len(name) + len(value) + 4 for name, value in headers.items())
        if size > most:
            raise ValueError(
                f"the message has {size} bytes, and the server takes {most}; raise its max_payload, or send less by "
                "the options per or fields"
            )

    def _refusal(self, error: _Error, subject: str) -> Exception:
        """Return what a stream's error means, and what to do."""
        options = self._options
        place, stream = options.place, options.stream
        if not error.err_code:
            return Unavailable(
                f"{place}: no stream takes {subject}; if {stream} has other subjects, run: "
                f"nats stream edit {stream} --subjects '{options.subjects}'"
            )
        text = f"{error.description} (error {error.err_code})"
        if error.err_code in _TOO_LARGE:
            return ValueError(f"the stream {stream} refuses the message: {text}; raise its max_msg_size, or send less")
        if error.err_code in _NO_ROOM:
            return Unavailable(f"{place}: the stream {stream} has no room: {text}; raise its limits, or the server's")
        return Unavailable(f"{place}: the stream {stream} refuses messages: {text}; see: nats stream info {stream}")


def _headers(options: NatsOptions) -> Mapping[str, _Clean]:
    """Return the headers that all messages have."""
    content_type = _Clean(options.shape.content_type)
    found = {"Nats-Expected-Stream": _Clean(options.stream), "Content-Type": content_type}
    if options.shape.format is Format.BINARY:
        found["ce-datacontenttype"] = content_type
    return found


plugin = NatsSink()
"""Reads its options in `configure`."""
