"""The plugin's queue among threads, signals and forked processes. Source: decision 0015; promises P3 and P6."""

import asyncio
import gc
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from queue import Empty
from typing import Self

import pytest

from bigchaindb.errors import Closed, EventError
from bigchaindb.eventlog.lane import Progress
from bigchaindb.subscribers.queue import LogQueue
from tests.support.event_logs import ListLog
from tests.support.plugin_queues import Plugin
from tests.support.waiting import until


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path, ListLog())


def fill(plugin: Plugin, count: int) -> None:
    for _ in range(count):
        plugin.append()


def start(target: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


def test_a_waiting_get_returns_when_an_event_comes(plugin: Plugin) -> None:
    taken: list[int] = []
    thread = start(lambda: taken.append(plugin.queue.get().position))
    until(lambda: plugin.queue._gate.blocked_count, what="a thread that waits")
    plugin.append()
    thread.join(60)
    assert taken == [1]


def test_a_waiting_get_ends_when_the_queue_is_closed(plugin: Plugin) -> None:
    ended: list[BaseException] = []

    def wait() -> None:
        with pytest.raises(Closed) as closed:
            plugin.queue.get()
        ended.append(closed.value)

    thread = start(wait)
    until(lambda: plugin.queue._gate.blocked_count, what="a thread that waits")
    plugin.queue.close()
    thread.join(60)
    assert len(ended) == 1


def test_each_thread_settles_what_it_took_itself(plugin: Plugin) -> None:
    """The cursor is the lowest unsettled position, whoever was quicker."""
    fill(plugin, 4)
    assert plugin.queue.get().position == 1
    with ThreadPoolExecutor(1) as other:
        assert other.submit(plugin.take, 2).result() == [2, 3]
        assert plugin.progress() == Progress(0, 3, (1, 3))
        assert plugin.queue.get().position == 4
        assert plugin.progress() == Progress(2, 4, (3, 4))
        plugin.queue.settle()  # `run` returned: its own thread's event alone
        assert plugin.progress() == Progress(2, 4, (3,))


def test_threads_share_the_events_and_none_gets_lost(plugin: Plugin) -> None:
    fill(plugin, 2000)
    taken: list[list[int]] = []

    def work() -> None:
        mine: list[int] = []
        while True:
            try:
                mine.append(plugin.queue.get(timeout=0.2).position)
            except Empty:
                break
        taken.append(mine)

    threads = [start(work) for _ in range(4)]
    for thread in threads:
        thread.join(60)
    assert sorted(position for mine in taken for position in mine) == list(range(1, 2001))
    assert all(mine == sorted(mine) for mine in taken)
    assert plugin.progress() == Progress(2000, 2000)


def test_a_full_window_waits_for_a_thread_to_settle(plugin: Plugin) -> None:
    fill(plugin, 9)
    with ThreadPoolExecutor(1) as other:
        assert len(other.submit(plugin.queue.get_many, 8).result()) == 8
        with pytest.raises(Empty):
            plugin.queue.get(timeout=0.01)
        assert plugin.queue.qsize() == 1
        waiting = start(plugin.queue.get)
        until(lambda: plugin.queue._gate.blocked_count, what="a thread that waits")
        other.submit(plugin.queue.settle).result()
        waiting.join(60)
        assert not waiting.is_alive()


def test_a_thread_that_ends_with_an_event_in_hand_is_a_fault(plugin: Plugin) -> None:
    fill(plugin, 2)
    assert plugin.queue.fault() is None
    threading.Thread(target=plugin.queue.get, name="taker").start()
    until(lambda: isinstance(plugin.queue.fault(), EventError), what="the fault")
    assert "thread 'taker' ended with position 1 in hand" in str(plugin.queue.fault())
    assert plugin.queue.get().position == 2


def test_a_thread_that_ends_after_it_got_nothing_is_none(plugin: Plugin) -> None:
    start(lambda: plugin.queue.get_many(1, 0.0)).join()
    assert plugin.queue.fault() is None


def test_what_a_thread_did_not_get_any_more_is_for_others(plugin: Plugin) -> None:
    """It was reserved, and the thread ended before `get` could return it."""
    fill(plugin, 2)

    def cut_short() -> None:
        plugin.queue.get()
        plugin.queue._threads.local.hand.is_delivered = False

    start(cut_short).join()
    assert plugin.take(2) == [1, 2]


def test_a_thread_s_number_may_be_used_again(plugin: Plugin) -> None:
    """A pool that replaces its threads: slots belong to Thread objects, so nothing is settled by another's get."""

    def take_and_settle() -> None:
        plugin.queue.get()
        plugin.queue.settle()

    fill(plugin, 20)
    for _ in range(20):
        thread = threading.Thread(target=take_and_settle)
        thread.start()
        thread.join()
    assert plugin.progress() == Progress(20, 20)
    assert len(plugin.queue._window.hands) <= 2


async def test_run_in_executor_works(plugin: Plugin) -> None:
    fill(plugin, 50)
    loop = asyncio.get_running_loop()
    positions = [(await loop.run_in_executor(None, plugin.queue.get)).position for _ in range(50)]
    assert positions == list(range(1, 51))


class Rang(Exception):
    """What the signal handler raises."""


class Bell:
    """Sends this process a signal at random moments; armed, its handler raises once, in the main thread."""

    def __init__(self, seed: int, every_s: float) -> None:
        self.is_on = self.is_armed = False
        self._moments, self._every_s = random.Random(seed), every_s

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGUSR1, self._ring)
        self._tracer = sys.gettrace()
        sys.settrace(None)  # that of coverage has a lock, and a handler that raises would leave it locked
        self._callbacks, gc.callbacks[:] = gc.callbacks[:], []  # of Hypothesis; what is raised in one is lost
        self.is_on = True
        self._thread = start(self._pull)
        return self

    def __exit__(self, *_: object) -> None:
        self.is_on = self.is_armed = False
        self._thread.join()
        signal.signal(signal.SIGUSR1, self._before)
        sys.settrace(self._tracer)
        gc.callbacks[:] = self._callbacks

    def _pull(self) -> None:
        while self.is_on:
            time.sleep(self._moments.random() * self._every_s)
            os.kill(os.getpid(), signal.SIGUSR1)

    def _ring(self, *_: object) -> None:
        if self.is_armed:
            self.is_armed = False
            raise Rang


def test_a_signal_handler_may_raise_out_of_a_blocked_get(plugin: Plugin) -> None:
    with Bell(seed=1, every_s=0.05) as bell, pytest.raises(Rang):  # noqa: PT012 - it may ring before the call
        bell.is_armed = True
        plugin.queue.get()
    fill(plugin, 1)
    assert plugin.queue.get().position == 1


def test_nothing_is_lost_when_signal_handlers_raise_at_any_moment(plugin: Plugin) -> None:
    """What `get` had not returned is given by the next one, and what it had returned is not given again."""
    count = rung = 0
    taken: list[int] = []

    def take() -> None:  # a call of its own: Python 3.13 has the end of a loop handled by no `try` around it
        while len(taken) < count:
            event = plugin.queue.get_nowait()
            taken.append(event.position)  # Python looks for signals behind this, not before

    with Bell(seed=7, every_s=0.0005) as bell:
        while rung <= 20:  # how many come in a time is the machine's affair
            fill(plugin, 20_000)
            count += 20_000
            while len(taken) < count:
                try:
                    bell.is_armed = True
                    take()
                    bell.is_armed = False
                except Rang:
                    rung += 1
    plugin.queue.settle()
    assert taken == list(range(1, count + 1))
    assert plugin.progress() == Progress(count, count)


def test_a_signal_handler_may_ask_the_queue_in_the_middle_of_a_call_of_its_thread(plugin: Plugin) -> None:
    """As the standard library's: it counts, closes, and finds nothing to take. Else the thread waits for itself."""
    fill(plugin, 2)
    answers: list[object] = []

    def in_the_middle() -> None:
        with plugin.queue._gate.lock:
            answers.extend((plugin.queue.qsize(), plugin.queue.empty()))
            for call in (plugin.queue.get_nowait, lambda: plugin.queue.get_many(1, 0.0), plugin.queue.get):
                with pytest.raises((Empty, EventError)) as refused:
                    call()
                answers.append(refused.type)
            plugin.queue.close()

    start(in_the_middle).join(60)
    assert answers == [2, False, Empty, Empty, EventError]
    assert plugin.queue._gate.is_closed
    assert plugin.progress() == Progress(0, 0)


def child(queue: LogQueue, answers: "SimpleQueue[str]") -> None:
    for call in (queue.get, queue.get_nowait, lambda: queue.get_many(1), queue.qsize, queue.empty, queue.close):
        try:
            call()
        except EventError as error:
            answers.put(str(error))
        else:
            answers.put("no error")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_is_told_that_the_queue_is_not_its_own(plugin: Plugin) -> None:
    """Else it would get the same events once more, in silence. Even while another thread holds the queue's lock."""
    fill(plugin, 2)
    assert plugin.queue.get().position == 1
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    with plugin.queue._gate.lock:
        process = context.Process(target=child, args=(plugin.queue, answers))
        process.start()
    told = [answers.get() for _ in range(6)]
    process.join(60)
    assert process.exitcode == 0
    assert all('set "queue": "pipe" in the plugin' in answer for answer in told)
    assert plugin.progress() == Progress(0, 1, (1,))
    assert plugin.queue.get().position == 2
