"""What the authors of plugins and embedders import: the events, their types and the in-memory `Exchange`.

A plugin needs none of it: whatever it gets from its queue is an `Event`. Everything here works without a node.

Source: docs/reference/contract/event-plugin-api.md, section 2.
"""

import multiprocessing
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from multiprocessing.queues import Queue
from typing import Any, Final, Protocol

import msgspec

from bigchaindb.documents import Block, BlockEvent, Input, Output, Transaction
from bigchaindb.errors import Closed, EventError, Gone, HistoryLost, Unavailable

__all__ = [
    "POISON_PILL",
    "Block",
    "BlockEvent",
    "Closed",
    "Event",
    "EventQueue",
    "EventTypes",
    "Exchange",
    "Gone",
    "HistoryLost",
    "Input",
    "Output",
    "Transaction",
    "Unavailable",
]

POISON_PILL: Final = "POISON_PILL"
"""Ends `Exchange.run` when it is put on the publisher queue; subscribers never get it."""

UNPARSED: Final = object()
"""Stands for the data of an event that is parsed from its body on first use."""
# As fast as orjson on blocks of 100, and integers stay exact. For floats see `bigchaindb.transaction.reading`.
_decode: Final = msgspec.json.Decoder(float_hook=float).decode


class EventTypes:
    """The bits of which `event_types` of a plugin is a mask."""

    ALL: Final = ~0
    """Every type there is or will be."""
    BLOCK_VALID: Final = 1
    """A block was voted valid by the network."""
    BLOCK_INVALID: Final = 2
    """A block was voted invalid by the network."""


class AnswerTo(Protocol):
    """The queue that an event came from, for a plugin with `acknowledge = "explicit"`."""

    def ack(self, event: "Event") -> None:
        """Settle the event."""
        ...

    def nack(self, event: "Event", delay: float | None, error: str | BaseException | None) -> None:
        """Deliver the event again later."""
        ...

    def park(self, event: "Event", reason: str) -> None:
        """Park the event."""
        ...


class Event:
    """One decision of the ledger, as a plugin gets it.

    Equality is identity; `id` is what stays the same when an event comes again. Events can be pickled; the copy cannot
    be answered.

    Attributes:
        type: the bit of `EventTypes` that it is.
        position: its number in the log, from 1; 0 for an event made by hand.
        height: of the block; of a rejected proposal the height that it was made for.
        time: the block's timestamp, Unix seconds.
        attempt: which delivery of it this is, from 1.
    """

    _answer_to: AnswerTo  # not there where there is nothing to answer

    __slots__ = (
        "__weakref__",
        "_answer_to",
        "_body",
        "_chain_id",
        "_data",
        "attempt",
        "height",
        "position",
        "time",
        "type",
    )

    def __init__(
        self,
        event_type: int,
        event_data: Any = UNPARSED,  # noqa: ANN401 - as in 1.x, whatever the publisher says
        body: bytes = b"",
        chain_id: str = "",
        position: int = 0,
        height: int = 0,
        time: int = 0,
        attempt: int = 1,
    ) -> None:
        """Hold `event_data`, or parse it on first use from `body`."""
        self.type = event_type
        self._data = event_data
        self._body = body
        self._chain_id = chain_id
        self.position = position
        self.height = height
        self.time = time
        self.attempt = attempt

    @property
    def id(self) -> str:
        """Names the decision on every node and at every retry (P5): chain id, colon, position as 20 digits."""
        return f"{self._chain_id}:{self.position:020d}"

    @property
    def body(self) -> bytes:
        """The event as canonical JSON: the same bytes on every node and at every retry (P5).

        Raises:
            EventError: the event was made by hand from `data`.
        """
        if not self._body:
            raise EventError("event.body: this event was made from data alone, it does not come from a log")
        return self._body

    @property
    def data(self) -> BlockEvent:
        """The event as a dict, parsed on first use. Source: docs/reference/contract/blocks-and-votes.md, section 5.1.

        `data["transactions"]` is the same list as `data["block"]["transactions"]`.
        """
        if self._data is UNPARSED:
            self._data = _parse(self.body)
        data: BlockEvent = self._data
        return data

    def ack(self) -> None:
        """Acknowledge the event: it is not delivered again. Any thread may; a second answer changes nothing.

        Raises:
            EventError: the plugin's `acknowledge` is not "explicit", or this is not the plugin's process.
        """
        self._queue("ack").ack(self)

    def nack(self, delay: float | None = None, *, error: str | BaseException | None = None) -> None:
        """Ask for the event again later, while other events go on. Else as `ack`.

        Args:
            delay: seconds; None leaves it to the retry policy.
            error: why, for the operator of the node. With an `Unavailable` not the event but the target that the plugin
                writes to is at fault: the event is retried for ever and never parked.

        Raises:
            EventError: as `ack`, or the delay is none.
        """
        self._queue("nack").nack(self, delay, error)

    def park(self, reason: str) -> None:
        """Park the event: it is listed with the reason and not delivered until a person asks for it. Else as `ack`."""
        self._queue("park").park(self, reason)

    def _queue(self, method: str) -> AnswerTo:
        queue: AnswerTo | None = getattr(self, "_answer_to", None)
        if queue is None:
            raise EventError(
                f"event.{method}: only events that a queue gave to a plugin whose property acknowledge is "
                '"explicit" are answered one by one: set that property, or leave out the call'
            )
        return queue

    def __reduce__(self) -> tuple[Any, ...]:
        data = None if self._body else self._data
        about = {name: getattr(self, name) for name in ("position", "height", "time", "attempt")}
        return _unpickle, (self.type, data, {"body": self._body, "chain_id": self._chain_id, **about})

    def __repr__(self) -> str:
        return f"<Event type={self.type} position={self.position} height={self.height} attempt={self.attempt}>"


class EventQueue(Protocol):
    """The queue that a plugin's `run` is called with: the reading side of `multiprocessing.Queue`, and more.

    With `"queue": "pipe"` in the plugin's settings it is a real `multiprocessing.Queue`, which has only `get`,
    `get_nowait`, `empty`, `qsize` and the standard library's ways to close it.

    Source: docs/reference/contract/event-plugin-api.md, section 5; docs/how-to/write-a-plugin.md.

    Attributes:
        chain_id: of the ledger; begins the events' ids.
        plugin: the name by which the plugin is enabled. Together they name this plugin to other systems; all nodes of
            a network have the same pair.
    """

    chain_id: str
    plugin: str

    def get(self, block: bool = True, timeout: float | None = None) -> Event:  # noqa: FBT001, FBT002 - stdlib's
        """Settle the event before, if the plugin's `acknowledge` says so, and return the next one.

        Raises:
            queue.Empty: there is none now, or was none within `timeout` seconds.
            Closed: the queue has ended. It must end `run`.
            HistoryLost: the log is not the one that the plugin's cursor belongs to.
        """
        ...

    def get_nowait(self) -> Event:
        """Do as `get` without waiting."""
        ...

    def get_many(self, count_max: int, timeout: float | None = None) -> list[Event]:
        """Settle as `get`, wait for an event, and return up to `count_max` that are there, in the log's order.

        Returns:
            None of them if `timeout` seconds passed without one.

        Raises:
            Closed: as `get`.
            HistoryLost: as `get`.
        """
        ...

    def __iter__(self) -> Iterator[Event]:
        """Iterate over `get` until the queue has ended."""
        ...

    def __aiter__(self) -> AsyncIterator[Event]:
        """Iterate as `__iter__` without blocking the event loop."""
        ...

    def ack_many(self, events: Sequence[Event]) -> None:
        """Acknowledge each event, at the price of one.

        Raises:
            EventError: the plugin's `acknowledge` is not "explicit".
        """
        ...

    def ack_through(self, position: int) -> None:
        """Acknowledge everything delivered up to this position, whichever thread took it.

        Raises:
            EventError: as `ack_many`.
        """
        ...

    def holds(self, position: int) -> bool:
        """Whether the event at a position is in hand: neither acknowledged nor passed over nor parked."""
        ...

    def in_hand(self) -> Sequence[int]:
        """Return the positions of all events in hand, ascending; to ask `holds` for many takes far longer."""
        ...

    @property
    def seek_count(self) -> int:
        """How often a person has sent this plugin to another place of the log with `seek`.

        It is the same for every process of the plugin until the next seek, and durable before the first event behind
        it is delivered. With it a plugin that keeps a place of its own in what it writes to tells an event that comes
        again after a crash from one that a person wants again. `plugins forget` sets it back to 0. A seek of a lane
        that was GAPPED makes it a number that it never was, as earlier seeks may have been lost with a restore.
        """
        ...

    def empty(self) -> bool:
        """Whether `get` would wait; False once the queue is closing, since `get` then raises `Closed`."""
        ...

    def qsize(self) -> int:
        """Count the events that are not yet taken; at least 1 once the queue is closing."""
        ...

    def fileno(self) -> int:
        """Return a descriptor that is readable while `get` would not wait: for `select`, never for reading."""
        ...

    def close(self) -> None:
        """End the queue: every further `get` raises `Closed`."""
        ...

    def join_thread(self) -> None:
        """Do nothing, for callers of the standard library's queue."""
        ...

    def cancel_join_thread(self) -> None:
        """Do nothing, for callers of the standard library's queue."""
        ...


def _parse(body: bytes) -> BlockEvent:
    data: BlockEvent = _decode(body)
    data["transactions"] = data["block"]["transactions"]
    return data


def _unpickle(event_type: int, data: Any, about: Mapping[str, Any]) -> Event:  # noqa: ANN401 - see `Event.data`
    return Event(event_type, UNPARSED if about["body"] else data, **about)


class Exchange:
    """Copies each published event to the queues of those who asked for its type, within one program.

    It is what 1.x and 2.x put between blocks and plugins. This node delivers from its log instead; the class is here
    for programs and tests that use it directly. A queue that nobody reads grows without bound.

    Attributes:
        publisher_queue: what `run` takes events from.
        queues: the subscribers' queues by mask.
        started_queue: gets `"STARTED"` when `run` begins.
    """

    def __init__(self) -> None:
        """Begin without subscribers."""
        self.publisher_queue: Queue[Any] = multiprocessing.Queue()
        self.started_queue: Queue[str] = multiprocessing.Queue()
        self.queues: dict[int, list[Queue[Any]]] = {}
        self._ran = multiprocessing.Event()  # shared, as `run` is often another process's

    def get_publisher_queue(self) -> "Queue[Any]":
        """Return the queue to put events on."""
        return self.publisher_queue

    def get_subscriber_queue(self, event_types: int | None = None) -> "Queue[Any]":
        """Return a new queue for the events whose type is in the mask; None is all.

        Raises:
            RuntimeError: `run` was called already, so the queue would get nothing.
        """
        if self._ran.is_set():
            raise RuntimeError("Cannot create a new subscriber queue while Exchange is running.")
        queue: Queue[Any] = multiprocessing.Queue()
        self.queues.setdefault(EventTypes.ALL if event_types is None else event_types, []).append(queue)
        return queue

    def dispatch(self, event: Event) -> None:
        """Put the event on every queue that asked for its type; never waits for a reader."""
        for event_types, queues in self.queues.items():
            if event.type & event_types:
                for queue in queues:
                    queue.put(event)

    def run(self) -> None:
        """Dispatch what is published until `POISON_PILL`."""
        self._ran.set()
        self.started_queue.put("STARTED")
        while (event := self.publisher_queue.get()) != POISON_PILL:
            self.dispatch(event)
