"""Consumers that are connected by WebSocket: `GET /api/v1/subscriptions/NAME` with an upgrade.

A client gets nothing further while `limits.stream_buffer_bytes_max` is unsent, and is read only as far as its answers
are carried out: the system's buffers hold back one that floods. Source: docs/reference/subscriptions.md.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Final

from bigchaindb.access.gate import Gate
from bigchaindb.api.answers import Answer
from bigchaindb.api.arguments import Argument, Parsed, Unknown, limit, parse, parse_query
from bigchaindb.api.plugins import scope_of
from bigchaindb.api.problems import RETRY_AFTER, plain
from bigchaindb.api.subscription_session import GOING_AWAY, Session
from bigchaindb.api.upgrades import Opening, WebSocketRoute
from bigchaindb.config import Limits
from bigchaindb.config.limits import KIB
from bigchaindb.errors import Overloaded
from bigchaindb.serving.heartbeat import Heartbeat
from bigchaindb.serving.summary import Summary
from bigchaindb.serving.turns import Pace, Turns
from bigchaindb.serving.websocket import WebSocket, accepted, offered
from bigchaindb.streams.websocket_frames import text_frame
from bigchaindb.subscribers.consuming import Desks

PATH: Final = "/api/v1/subscriptions/"
PROTOCOL: Final = "bigchaindb.subscription.v1"
BATCH_MAX: Final = 1_000
HEARTBEAT_S: Final = 30.0
HEARTBEAT_S_MIN: Final = 5.0
HEARTBEAT_S_MAX: Final = 300.0
LABEL_CHARACTERS_MAX: Final = 100
NORMAL: Final = 1000
STALLED: Final = 4408
INTERNAL_ERROR: Final = 1011
CHECK_S: Final = 1.0
RECEIVE_BYTES: Final = 16 * KIB
"""Unread bytes that the system keeps for each client, or twice as many: so long does one that floods and then breaks
off keep its events."""

_log: Final = logging.getLogger(__name__)


class SubscriptionSockets:
    """All of them. Belongs to the event loop."""

    def __init__(self, desks: Desks, gate: Gate, limits: Limits) -> None:
        self._desks = desks
        self._gate = gate
        self._limits = limits
        self._clients: set[SubscriptionSocket] = set()
        self._checks: asyncio.TimerHandle | None = None
        self._losses = Summary(_log_losses)
        self._pace = Pace()

    def route(self) -> WebSocketRoute:
        """Return the path that opens them."""
        return WebSocketRoute(PATH, scope_of, self._open, self._stop)

    async def _open(self, opening: Opening) -> Answer | None:
        transport, name = opening.connection.transport, opening.parameter
        if transport.is_closing():
            return None
        if PROTOCOL not in offered(opening.request):
            return plain(400, f"the WebSocket of a subscription speaks {PROTOCOL}; offer it in Sec-WebSocket-Protocol")
        sent = parse_query(opening.query)
        asked = Parsed(sent, parse(ARGUMENTS, sent, Unknown.ADVISED, self._limits))
        window = min(WINDOW.of(asked), self._limits.subscription_window_count_max)  # more by default perhaps
        session = Session(window, BATCH.of(asked), asyncio.get_running_loop().time())
        client = SubscriptionSocket(transport, session, HEARTBEAT.of(asked), self._limits, self._pace)
        try:
            session.attend(self._desks.attach(name, session, room_count=window, label=LABEL.of(asked)))
        except Overloaded as error:
            return plain(HTTPStatus.TOO_MANY_REQUESTS, str(error), headers=RETRY_AFTER)
        transport.write(accepted(opening.request, PROTOCOL))
        client.begin()
        opening.connection.upgrade(client)
        watch = self._gate.watch(opening.principal, partial(client.end, is_blameless=True), scope_of(name))
        client.on_left = lambda: self._left(client, opening, watch)
        self._clients.add(client)
        self._check_soon()
        return None

    def _left(self, client: "SubscriptionSocket", opening: Opening, unwatch: Callable[[], None]) -> None:
        self._clients.discard(client)
        if client.loss:
            self._losses.note(f"{opening.parameter}: {client.loss}")
        unwatch()
        opening.connection.connection_lost(None)

    def _stop(self) -> None:
        for client in list(self._clients):
            client.end(GOING_AWAY, "the node stops", is_blameless=True)
        self._losses.close()

    def _check_soon(self) -> None:
        if self._checks is None and self._clients:
            self._checks = asyncio.get_running_loop().call_later(CHECK_S, self._check)

    def _check(self) -> None:
        self._checks = None
        now_s = asyncio.get_running_loop().time()
        for client in list(self._clients):
            client.check(now_s)
        self._check_soon()


class SubscriptionSocket(WebSocket):
    """One client. Belongs to the event loop.

    Attributes:
        session: what its frames mean.
        on_left: called when it has left.
        loss: why it was given up; "" unless it was.
    """

    def __init__(
        self, transport: asyncio.Transport, session: Session, heartbeat_s: float, limits: Limits, pace: Pace
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._turns = Turns(transport, pace, self._feed)
        self._heartbeat = Heartbeat(transport)
        super().__init__(
            transport,
            message_bytes_max=limits.stream_message_bytes_max,
            inbound=lambda _: self._turns,
            on_heard=self._heartbeat.hear,
            on_left=self._tell_left,
            on_message=self._receive,
        )
        self.session = session
        session.on_due = self._go_on_soon
        self.on_left: Callable[[], None] = lambda: None
        self.loss = ""
        self._heartbeat_s = heartbeat_s
        self._limits = limits
        self._unsent_bytes = 0
        self._still_s = 0.0
        self._next: asyncio.Handle | None = None
        self._answers: set[asyncio.Task[None]] = set()

    @property
    def is_full(self) -> bool:
        """Whether the client gets nothing further for now."""
        return self.transport.get_write_buffer_size() > self._limits.stream_buffer_bytes_max

    def begin(self) -> None:
        """Write the first frame, and events from now on."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        self.transport.set_write_buffer_limits(high=self._limits.stream_buffer_bytes_max)
        self.transport.write(text_frame(self.session.opening(self._heartbeat_s)))
        self._go_on_soon()

    def end(self, code: int, reason: str, *, is_blameless: bool = False) -> None:
        """Hand back what the client has, and send a close frame behind all unsent bytes."""
        self.session.leave(is_blameless=is_blameless)
        self.close(code, reason)

    def check(self, now_s: float) -> None:
        """Abandon a client that reads nothing or is silent; call it each `CHECK_S`."""
        if self.is_closing:
            return
        before, self._unsent_bytes = self._unsent_bytes, self.transport.get_write_buffer_size()
        if self._unsent_bytes < before:
            self._heartbeat.hear()
        self._still_s = self._still_s + CHECK_S if self.is_full and self._unsent_bytes >= before else 0.0
        if self._still_s >= self._limits.stream_stall_s_max:
            self.loss = f"it has read nothing for {self._limits.stream_stall_s_max:g} s"
            self.end(STALLED, self.loss)
        elif not self.is_full and not self._heartbeat.check(now_s, self._heartbeat_s, CHECK_S):
            self.loss = f"it has been silent for {1.5 * self._heartbeat_s:g} s"
            self.session.leave()
            self.transport.abort()
        else:
            self._go_on_soon()

    def eof_received(self) -> None:
        """See `asyncio.Protocol`."""
        super().eof_received()
        self._look_at_end()

    def connection_lost(self, exc: BaseException | None) -> None:
        """See `asyncio.Protocol`."""
        self.session.leave()
        if self._next is not None:
            self._next.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`. What the client says now would only add to what it does not read."""
        super().pause_writing()
        self._turns.hold()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        super().resume_writing()
        self._turns.let_go()
        self._go_on_soon()

    def _feed(self, data: bytes) -> bool:
        before = self.session.answer_count
        self.take(data)
        self._look_at_end()
        return self.session.answer_count != before

    def _look_at_end(self) -> None:
        """Hand back what the client has as soon as it closes, in whatever way."""
        if self.is_closing:
            self.session.leave(is_blameless=self.close_code in {NORMAL, GOING_AWAY})

    def _tell_left(self) -> None:
        self.on_left()

    def _receive(self, message: bytes | None) -> None:
        if (rest := self.session.receive(message)) is not None:
            task = asyncio.ensure_future(self._carry_out(rest))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    async def _carry_out(self, rest: Awaitable[None]) -> None:
        try:
            await rest
        except Exception:  # noqa: BLE001  the events stay in hand: another consumer gets them
            _log.exception("events of a subscription cannot be handed back")
            self.end(INTERNAL_ERROR, "")

    def _go_on_soon(self) -> None:
        if self._next is None:
            self._next = self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Write what is next, and come back for more in another turn of the loop."""
        self._next = None
        if self.is_closing:
            return
        found = self.session.next_frames(self._loop.time(), may_give=not self.is_full)
        if found:
            self.transport.write(b"".join(map(text_frame, found)))
        if self.session.closing is not None:
            self.end(*self.session.closing)
        elif self.session.has_more:
            self._go_on_soon()


def _log_losses(count: int, last: str) -> None:
    _log.warning("consumers of subscriptions were given up", extra={"count": count, "last": last})


def _heartbeat_s(value: str) -> float:
    least, most = HEARTBEAT_S_MIN, HEARTBEAT_S_MAX
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not least <= number <= most:
        raise ValueError(f"must be {least:g} to {most:g} seconds, found {value[:20]!r}")
    return number


def _label(value: str) -> str:
    if len(value) > LABEL_CHARACTERS_MAX or not value.isprintable():
        raise ValueError(f"must be at most {LABEL_CHARACTERS_MAX} printable characters")
    return value


WINDOW: Final = limit(lambda limits: limits.subscription_window_count_max, "window", what="Most events in hand.")
BATCH: Final = limit(lambda _: BATCH_MAX, "batch", what="Most events of a frame.")
HEARTBEAT: Final = Argument[float](
    name="heartbeat",
    take=_heartbeat_s,
    schema={"type": "number", "minimum": HEARTBEAT_S_MIN, "maximum": HEARTBEAT_S_MAX, "default": HEARTBEAT_S},
    default=HEARTBEAT_S,
    description="Seconds of silence after which the node sends a ping.",
)
LABEL: Final = Argument[str](
    name="name",
    take=_label,
    schema={"type": "string", "maxLength": LABEL_CHARACTERS_MAX},
    default="",
    description="What the consumer is called in the subscription's status.",
)
ARGUMENTS: Final = (WINDOW, BATCH, HEARTBEAT, LABEL)
"""Of a WebSocket; a request that asks for none may have them too."""
