"""A real `multiprocessing.Queue` for plugins that share theirs among child processes: `queue: pipe`.

A thread of the host moves events into it. What lies in it counts as done: it is lost if the process ends.

Source: event-plugin-api.md, section 5; decision 0025.
"""

import multiprocessing
from collections import deque
from collections.abc import Callable
from multiprocessing.queues import Queue
from threading import Thread
from time import sleep
from typing import Final, NoReturn

from bigchaindb.errors import Closed, HistoryLost, StoreDamaged
from bigchaindb.events import Event
from bigchaindb.subscribers.queue import LogQueue

WARNING: Final = (
    "queue is pipe: an event counts as done once it lies in the pipe, so those in it, and those that the plugin has "
    "taken and not dealt with, are lost whenever its process ends"
)
_LOOK_S: Final = 0.01


def open_pipe(
    queue: LogQueue, *, window_count: int, window_bytes_max: int, on_failure: Callable[[BaseException], object]
) -> "Queue[Event]":
    """Return a queue that a thread of this process feeds from `queue` until that is closed.

    Args:
        queue: settles what it hands over.
        window_count: events in the pipe at most.
        window_bytes_max: bytes in it at most, but always one event.
        on_failure: called if the thread cannot go on: nothing comes out of the pipe any more.
    """
    pipe: Queue[Event] = multiprocessing.Queue(window_count)
    pipe.cancel_join_thread()  # what nobody reads must not keep the process from ending

    def feed() -> None:
        try:
            _feed(queue, pipe, window_bytes_max)
        except (Closed, HistoryLost, StoreDamaged):
            pass  # the host finds the others by itself
        except BaseException as error:  # noqa: BLE001 - whatever it is
            on_failure(error)

    Thread(target=feed, name="bigchaindb-pipe", daemon=True).start()
    return pipe


def _feed(queue: LogQueue, pipe: "Queue[Event]", window_bytes_max: int) -> NoReturn:
    sizes: deque[int] = deque()  # of what was put, the last ones of which lie in the pipe
    while True:
        event = queue.get()
        while True:
            while len(sizes) > pipe.qsize():
                sizes.popleft()
            if not sizes or sum(sizes) + len(event.body) <= window_bytes_max:
                break
            sleep(_LOOK_S)
        sizes.append(len(event.body))
        pipe.put(event)
