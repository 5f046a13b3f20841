"""The peers of event delivery: how 1.x brought events to a plugin, and one bare queue.

Both keep nothing: what is in them is lost with a process. Their events were built beforehand, as dicts, as in 1.x, or
as bytes, and are pickled on the way.
"""

import multiprocessing
from collections.abc import Sequence
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue, SimpleQueue
from time import perf_counter
from typing import Any

_FORK: ForkContext = multiprocessing.get_context("fork")  # as 1.x started its processes


class PlainEvent:
    """An event as 1.x had it: a type, and a dict or the bytes of it."""

    def __init__(self, event_type: int, data: dict[str, Any] | bytes) -> None:
        self.type = event_type
        self.data = data


def through_one_queue(events: Sequence[PlainEvent]) -> float:
    """Return events per second from a process through one bare `multiprocessing.Queue` into another."""
    queue: Queue[PlainEvent] = _FORK.Queue()
    ended: SimpleQueue[float] = _FORK.SimpleQueue()
    readers = [_FORK.Process(target=_read, args=(queue, len(events), ended))]
    return _timed(events, queue, ended, readers)


def through_an_exchange(events: Sequence[PlainEvent]) -> float:
    """Return events per second as 1.x had it: publisher queue, exchange process, subscriber queue, plugin process."""
    published: Queue[PlainEvent] = _FORK.Queue()
    subscribed: Queue[PlainEvent] = _FORK.Queue()
    ended: SimpleQueue[float] = _FORK.SimpleQueue()
    processes = [
        _FORK.Process(target=_exchange, args=(published, subscribed, len(events))),
        _FORK.Process(target=_read, args=(subscribed, len(events), ended)),
    ]
    return _timed(events, published, ended, processes)


def _timed(
    events: Sequence[PlainEvent],
    queue: "Queue[PlainEvent]",
    ended: "SimpleQueue[float]",
    processes: Sequence[BaseProcess],
) -> float:
    for process in processes:
        process.start()
    ended.get()  # the reader runs
    begin = perf_counter()
    for event in events:
        queue.put(event)
    end = ended.get()
    for process in processes:
        process.join()
    return len(events) / (end - begin)


def _exchange(published: "Queue[PlainEvent]", subscribed: "Queue[PlainEvent]", count: int) -> None:
    for _ in range(count):
        event = published.get()
        if event.type & 1:
            subscribed.put(event)


def _read(queue: "Queue[PlainEvent]", count: int, ended: "SimpleQueue[float]") -> None:
    ended.put(0.0)
    for _ in range(count):
        assert queue.get().data
    ended.put(perf_counter())
