"""A plugin's answers for events that were delivered to it, with `acknowledge = "explicit"`.

Source: event-plugin-api.md, section 5; decision 0025; promises P3 and P6.
"""

from collections.abc import Callable, Sequence
from itertools import takewhile
from math import isfinite
from time import monotonic
from typing import Final

from bigchaindb.errors import EventError, Unavailable
from bigchaindb.eventlog import facts
from bigchaindb.events import Event
from bigchaindb.subscribers import host_protocol as wire
from bigchaindb.subscribers.gate import Gate
from bigchaindb.subscribers.hands import with_redelivery
from bigchaindb.subscribers.plugins import describe, one_line
from bigchaindb.subscribers.window import Window

DELAY_S_MAX: Final = 7 * 86_400.0
"""The longest delay that a plugin may ask for: what waits for more than a week is better parked."""


class Answers:
    """Implements `bigchaindb.events.AnswerTo`, and the answers for several events. Any thread may call.

    Attributes:
        report: takes what the supervisor has to decide on.
    """

    def __init__(
        self, gate: Gate, window: Window, report: Callable[[wire.Report], None], check_process: Callable[[], None]
    ) -> None:
        """Take the answers for all events that `window` delivers from now on.

        Args:
            gate: opens for what an answer makes room for.
            window: knows which deliveries are not answered.
            report: see the class.
            check_process: raises where the queue is not this process's.
        """
        self._gate = gate
        self._window = window
        self.report = report
        self._check_process = check_process
        window.answer_to = self

    def ack(self, event: Event) -> None:
        """Settle an event. See `Event.ack`."""
        self.ack_many([event])

    def ack_many(self, events: Sequence[Event]) -> None:
        """Settle events. See `LogQueue.ack_many`."""
        self._check_caller()
        with self._gate.lock:
            positions = list(dict.fromkeys(event.position for event in events if self._is_due(event)))
            if positions:
                self._window.settle_unanswered(positions)
                self._gate.moved()

    def ack_through(self, position: int) -> None:
        """Settle everything delivered up to this position. See `LogQueue.ack_through`."""
        self._check_caller()
        with self._gate.lock:
            window = self._window
            reserved = {event.position for hand in window.hands if not hand.is_delivered for event in hand.events}
            through = takewhile(position.__ge__, window.unanswered)
            window.settle_unanswered([one for one in through if one not in reserved])
            self._gate.moved()

    def nack(self, event: Event, delay: float | None = None, error: str | BaseException | None = None) -> None:
        """Deliver an event again later. See `Event.nack`."""
        if delay is not None and not (isfinite(delay) and 0 <= delay <= DELAY_S_MAX):
            raise EventError(f"event.nack: delay is {delay!r}, and must be 0 to {DELAY_S_MAX:.0f} seconds or None")
        if self._withdraw(event):
            text = describe(error) if isinstance(error, BaseException) else one_line(error or "the plugin nacked it")
            is_unavailable = isinstance(error, Unavailable)
            self.report(facts.Nacked(event.position, event.attempt, text, delay, is_unavailable))

    def park(self, event: Event, reason: str) -> None:
        """Set an event aside. See `Event.park`."""
        if self._withdraw(event):
            self.report(facts.ParkAsked(event.position, event.attempt, one_line(reason)))

    def decided(self, answer: facts.Answer) -> None:
        """Carry out the supervisor's answer about an event that was nacked, or that was to be parked."""
        with self._gate.lock:
            window = self._window
            entry = next((one for one in window.redeliveries if one.position == answer.position), None)
            if entry is None:
                return
            match answer:
                case facts.Again(_, attempt, delay_s):
                    entry = entry._replace(attempt=attempt, due_s=monotonic() + delay_s)
                    window.redeliveries = with_redelivery(window.redeliveries, entry)
                case facts.Settle():
                    window.settle_redelivery(entry)
            self._gate.moved()

    def _check_caller(self) -> None:
        """Refuse an answer of another process, and one that would change what a call of its own thread is changing."""
        self._check_process()
        if self._gate.is_held_here():
            raise EventError(
                "event: a signal handler answers while its thread is in a call of the queue; note the event there, and "
                "let the thread answer it"
            )

    def _is_due(self, event: Event) -> bool:
        """Whether this delivery is not answered yet."""
        unanswered = self._window.unanswered.get(event.position)
        return unanswered is not None and unanswered.attempt == event.attempt

    def _withdraw(self, event: Event) -> bool:
        """Take an event back from the plugin until the supervisor has decided; False if it was answered before."""
        self._check_caller()
        with self._gate.lock:
            if not self._is_due(event):
                return False
            self._window.withdraw(event)
            self._gate.moved()
        return True
