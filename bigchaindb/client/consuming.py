"""One connection of a consumer: what the node's frames mean for the events in hand. Pure.

Source: docs/reference/subscriptions.md, "The WebSocket protocol".
"""

import re
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from bigchaindb.client.event import Event
from bigchaindb.errors import HistoryLost, RequestFailed

PROTOCOL: Final = "bigchaindb.subscription.v1"
COME_BACK: Final = frozenset({1000, 1001, 1005, 1006, 1011, 1012, 1013, 4401, 4408})
"""Codes of a close after which a client connects again; after any other it stops."""
GAPPED: Final = "GAPPED"

Send = Callable[[str], object]
Run = Callable[[Callable[[], None]], object]
"""Runs a function where the session belongs."""


class _Delivered(msgspec.Struct):
    tag: int
    attempt: int
    event: msgspec.Raw


class _Frame(msgspec.Struct):
    type: str
    events: list[_Delivered] = []
    tags: list[int] = []
    ref: int | str | None = None
    reason: str | None = None
    state: str | None = None
    message: str | None = None


_decode: Final = msgspec.json.Decoder(_Frame).decode


class SubscriptionEvent(Event):
    """An event of a subscription, which wants an answer: the first one counts.

    Attributes:
        attempt: which delivery of it this is, from 1.
        is_revoked: whether it was taken back, or its connection is lost: an answer has no effect, it comes again.
    """

    __slots__ = ("_session", "_tag", "attempt", "is_revoked")

    def __init__(self, envelope: bytes, tag: int, attempt: int, session: "Session") -> None:
        """Read a CloudEvent, see `Event`."""
        super().__init__(envelope)
        self.attempt = attempt
        self.is_revoked = False
        self._tag = tag
        self._session = session

    def ack(self) -> None:
        """Acknowledge the event: it does not come again. Any thread may."""
        self._answer(type="ack")

    def nack(self, delay_s: float | None = None, *, error: str = "", unavailable: bool = False) -> None:
        """Ask for the event again, and for the later ones of its key.

        Args:
            delay_s: seconds; None leaves it to the subscription's retry.
            error: why, for people.
            unavailable: the target is at fault: the event is retried for ever and never set aside.
        """
        members = {"delay_s": delay_s, "error": error or None, "unavailable": unavailable or None}
        self._answer(type="nack", **{name: value for name, value in members.items() if value is not None})

    def park(self, error: str) -> None:
        """Set the event aside for a person, with the reason."""
        self._answer(type="park", error=error)

    def _answer(self, **members: object) -> None:
        if not self.is_revoked:
            self._session.run(partial(self._session.answer, self._tag, members))


class Session:
    """The frames of one connection.

    Attributes:
        ready: events that were not taken yet, in order.
        state: of the subscription; "" before the first frame.
        reason: of the state.
        unconfirmed: frames for which no `done` came yet.
    """

    def __init__(self, window: int, send: Send, run: Run) -> None:
        """Begin.

        Args:
            window: the most unanswered events that this connection asked for.
            send: sends a frame.
            run: carries out the answers of any thread.
        """
        self.ready: deque[SubscriptionEvent] = deque()
        self.state = ""
        self.reason = ""
        self.unconfirmed: set[int] = set()
        self.run = run
        self._window = window
        self._send = send
        self._ref = 0
        self._held: dict[int, SubscriptionEvent] = {}

    def receive(self, frame: str | bytes) -> None:
        """Take a frame of the node; one of an unknown type is passed over.

        Raises:
            RequestFailed: it is no frame of a node, or says that a frame of this client was malformed.
        """
        try:
            found = _decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise RequestFailed(f"the node sent no frame of {PROTOCOL}: {error}") from error
        match found.type:
            case "events":
                self._hold(found.events)
            case "revoked":
                for tag in found.tags:
                    if (taken := self._held.pop(tag, None)) is not None:
                        taken.is_revoked = True
            case "attached" | "state":
                self.state, self.reason = found.state or "", found.reason or ""
            case "done":
                self.unconfirmed -= {found.ref}
            case "error":
                raise RequestFailed(f"the node refused a frame of this client: {found.message}")

    def _hold(self, delivered: Sequence[_Delivered]) -> None:
        for one in delivered:
            event = SubscriptionEvent(bytes(one.event), one.tag, one.attempt, self)
            self._held[one.tag] = event
            self.ready.append(event)
        if len(self._held) > self._window:
            raise RequestFailed(f"the node sent {len(self._held)} unanswered events, {self._window} were asked for")

    def take(self) -> SubscriptionEvent | None:
        """Return the next event; None if there is none now.

        Raises:
            HistoryLost: the log does not have the place of the subscription.
        """
        while self.ready:
            event = self.ready.popleft()
            if not event.is_revoked:
                return event
        if self.state == GAPPED:
            raise lost_history(self.reason)
        return None

    def answer(self, tag: int, members: dict[str, Any]) -> None:
        """Send the first answer to a delivery; nothing is sent for one that was taken back."""
        if self._held.pop(tag, None) is None:
            return
        self._ref += 1
        self.unconfirmed.add(self._ref)
        self._send(msgspec.json.encode({**members, "tags": [tag], "ref": self._ref}).decode())

    def end(self) -> None:
        """Take note that the connection has ended: what it held comes again."""
        for event in self._held.values():
            event.is_revoked = True
        self._held.clear()
        self.ready.clear()


def lost_history(reason: str) -> HistoryLost:
    """Return the error of a subscription whose place the log does not have."""
    numbers = (re.search(pattern, reason) for pattern in (r"position (\d+)", r"head is (\d+)"))
    position, head = (int(found[1]) if found else 0 for found in numbers)  # as `HistoryLost` names them
    error = HistoryLost(position, head)
    error.add_note(reason)
    return error
