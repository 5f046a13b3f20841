"""The protocol `bigchaindb.subscription.v1` of one connection: frames in, frames out. No input and output, no clock.

A *tag* names one delivery on one connection. Tags ascend from 1 and are not used again, so an answer never reaches
another delivery, however late it comes (P18). Source: docs/reference/subscriptions.md, "The WebSocket protocol".
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from heapq import heappop, heappush, heappushpop
from itertools import takewhile
from typing import Any, Final

from msgspec import UNSET

from bigchaindb.api import subscription_frames as frames
from bigchaindb.api.subscription_frames import Ack, Malformed, Nack, Park, TaggedEvent
from bigchaindb.eventlog.sharing import Delivery
from bigchaindb.subscribers.consuming import Attendance, End, Reason, Standing
from bigchaindb.subscribers.plugins import one_line

FRAME_BYTES_MAX: Final = 64 * 1024
"""Of a frame of events, unless one event is larger."""
MALFORMED_COUNT_MAX: Final = 3
LEVEL_S: Final = 1.0
"""Least time between two frames that say that nothing is left."""
SILENCE_S: Final = 15.0
"""Silence after which a client learns how far the log was looked at."""
MALFORMED_CODE: Final = 4400
DELETED_CODE: Final = 4404
GOING_AWAY: Final = 1001
BINARY: Final = "a frame must be a text"


PIECE_COUNT: Final = 64
"""Nacks and parks that are carried out without a pause for others: 2 ms."""


class Session:
    """One client. Belongs to the event loop.

    Attributes:
        window: the most events that are out.
        closing: with which code and reason the connection ends, once it does.
        answer_count: frames that had an effect so far.
        has_more: whether there may be more behind the last frames, without a word of the desk.
        on_due: called when `next_frames` may have something; it may not call back.
    """

    _attendance: Attendance

    def __init__(self, window: int, batch: int, now_s: float) -> None:
        """Begin without a delivery.

        Args:
            window: the most events that are out.
            batch: the most events of a frame.
            now_s: a time of the loop.
        """
        self.closing: tuple[int, str] | None = None
        self.answer_count = 0
        self.has_more = False
        self._is_attending = False
        self.window = window
        self._batch = min(batch, window)
        self.on_due: Callable[[], None] = lambda: None
        self._last_tag = 0
        self._out: dict[int, Delivery] = {}
        self._tags: dict[Delivery, int] = {}
        self._lost: list[int] = []
        self._outbox: deque[bytes] = deque()
        self._state: Standing | None = None
        self._malformed_count = 0
        self._is_level_told = False
        self._level_s = now_s - LEVEL_S
        self._sent_s = now_s

    @property
    def out_count(self) -> int:
        """Events that the client has."""
        return len(self._out)

    def attend(self, attendance: Attendance) -> None:
        """Begin with a place at the desk."""
        self._attendance = attendance
        self._is_attending = True

    def leave(self, *, is_blameless: bool = False) -> None:
        """Leave the desk, unless that has happened; what is out goes to others."""
        if self._is_attending:
            self._is_attending = False
            self._attendance.leave(is_blameless=is_blameless)

    # What the desk says: see `consuming.Consumer`

    def wake(self) -> None:
        """See `Consumer`."""
        self.on_due()

    def revoke(self, deliveries: Sequence[Delivery], reason: Reason) -> None:
        """See `Consumer`."""
        if tags := [tag for one in deliveries if (tag := self._tags.pop(one, None)) is not None]:
            for tag in tags:
                del self._out[tag]
            self._remember_lost(tags)
            self._outbox.append(frames.revoked(tags, reason))
            self.on_due()

    def changed(self, standing: Standing) -> None:
        """See `Consumer`."""
        self._state = standing
        self.on_due()

    def end(self, end: End) -> None:
        """See `Consumer`."""
        self._is_attending = False
        code, why = (DELETED_CODE, "deleted") if end is End.DELETED else (GOING_AWAY, "the node stops")
        self.close(code, why)

    # What the client says

    def receive(self, text: bytes | None) -> Coroutine[Any, Any, None] | None:
        """Carry a frame out; return what is left to do where that takes longer.

        Args:
            text: of the frame; None: it is none.
        """
        if not self._is_attending or self.closing is not None:
            return None
        answer = Malformed(BINARY, None) if text is None else frames.read(text)
        match answer:
            case Malformed(why, ref):
                self._refuse(why, ref)
            case Ack():
                self._ack(answer)
            case Nack() | Park():
                held, stale = self._taken(answer.tags)
                if held and (isinstance(answer, Park) or len(held) > PIECE_COUNT):
                    return self._hand_back(answer, held, stale)
                late = self._nack(answer, list(held)) if held and isinstance(answer, Nack) else ()
                self._done(answer.ref, [*stale, *(held[one] for one in late)])
        return None

    async def _hand_back(self, answer: Nack | Park, held: Mapping[Delivery, int], stale: Sequence[int]) -> None:
        """Nack events, or have them set aside durably; some in each turn of the loop."""
        rest, late, parkings = list(held), list[Delivery](), list[Awaitable[Sequence[Delivery]]]()
        while rest and self._is_attending:
            piece, rest = rest[:PIECE_COUNT], rest[PIECE_COUNT:]
            if isinstance(answer, Nack):
                late += self._nack(answer, piece)
            else:
                parkings.append(self._attendance.park(piece, error=one_line(answer.error or "the consumer parked it")))
            await asyncio.sleep(0)
        for parking in parkings:
            late += await parking
        self._done(answer.ref, [*stale, *(held[one] for one in [*late, *rest])])

    def _nack(self, answer: Nack, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        return self._attendance.nack(
            deliveries,
            delay_s=answer.delay_s,
            error=one_line(answer.error or "the consumer nacked it"),
            is_unavailable=answer.unavailable,
        )

    def close(self, code: int, reason: str) -> None:
        """End the connection, once; nothing more is given."""
        if self.closing is None:
            self.closing = code, reason
            self.on_due()

    # What the client gets

    def opening(self, heartbeat_s: float) -> bytes:
        """Return the first frame."""
        return frames.attached(self._attendance.consumer, self.window, heartbeat_s, self._attendance.standing)

    def next_frames(self, now_s: float, *, may_give: bool) -> list[bytes]:
        """Return the next frames, perhaps none; at most one holds events.

        Args:
            now_s: a time of the loop.
            may_give: whether the client takes what is written; it gets no events else.
        """
        found = list(self._outbox)
        self._outbox.clear()
        self.has_more = False
        if self._is_attending and self.closing is None and may_give:
            if self._state is not None:
                found.append(frames.state(self._state))
                self._state = None
            if given := self._give():
                found.append(frames.events(given))
                self._is_level_told = False
                self.has_more = len(self._out) < self.window
            elif self._is_level_due(now_s):
                found.append(frames.level(self._attendance.standing))
                self._is_level_told = True
                self._level_s = now_s
        if found:
            self._sent_s = now_s
        return found

    # Parts

    def _give(self) -> list[TaggedEvent]:
        room = min(self._batch, self.window - len(self._out))
        if room <= 0:
            return []
        bytes_max = FRAME_BYTES_MAX - frames.EVENT_OVERHEAD_BYTES * min(room, FRAME_BYTES_MAX // 128)
        given: list[TaggedEvent] = []
        for delivery, envelope in self._attendance.take(room, bytes_max):
            self._last_tag += 1
            self._out[self._last_tag] = delivery
            self._tags[delivery] = self._last_tag
            given.append(TaggedEvent(self._last_tag, delivery.attempt, envelope))
        return given

    def _is_level_due(self, now_s: float) -> bool:
        if now_s - self._sent_s >= SILENCE_S:
            return True
        if self._is_level_told or len(self._out) >= self.window or now_s - self._level_s < LEVEL_S:
            return False
        return self._attendance.is_level

    def _ack(self, answer: Ack) -> None:
        if answer.through is UNSET:
            assert answer.tags is not UNSET
            held, stale = self._taken(answer.tags)
        elif answer.through > self._last_tag:
            self._refuse(f"`through` is {answer.through}, and {self._last_tag} is the last tag so far", answer.ref)
            return
        else:
            through = answer.through.__ge__
            held, _ = self._taken(list(takewhile(through, self._out)))
            stale = []
            while self._lost and through(self._lost[0]):
                stale.append(heappop(self._lost))
        late = held and self._attendance.ack(list(held))
        self._done(answer.ref, [*stale, *(held[one] for one in late)])

    def _taken(self, tags: Iterable[int]) -> tuple[dict[Delivery, int], list[int]]:
        """Take the deliveries of tags out of the client's hands; return them, and the tags that are stale."""
        held, stale = dict[Delivery, int](), list[int]()
        for tag in sorted(set(tags)):
            if (delivery := self._out.pop(tag, None)) is None:
                stale.append(tag)
            else:
                del self._tags[delivery]
                held[delivery] = tag
        self.answer_count += bool(held)
        return held, stale

    def _remember_lost(self, tags: Sequence[int]) -> None:
        """Keep what was taken back for the next `through`, as much as the client can have had at once."""
        for tag in tags:
            (heappush if len(self._lost) < self.window else heappushpop)(self._lost, tag)

    def _done(self, ref: int | str | None, stale: Iterable[int]) -> None:
        if ref is not None:
            self._outbox.append(frames.done(ref, sorted(stale)))
        self.on_due()

    def _refuse(self, why: str, ref: int | str | None) -> None:
        self._outbox.append(frames.error(frames.MALFORMED, f"nothing was changed: {why}", ref))
        self._malformed_count += 1
        self.on_due()
        if self._malformed_count == MALFORMED_COUNT_MAX:
            self.close(MALFORMED_CODE, f"{MALFORMED_COUNT_MAX} malformed frames")
