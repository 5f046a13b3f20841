"""`async def run(queue)`. Source: event-plugin-api.md, section 1; decision 0047."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bigchaindb.errors import Closed, ConfigurationError, EventError
from bigchaindb.eventlog import facts
from bigchaindb.eventlog.lane import Progress
from bigchaindb.events import EventTypes
from bigchaindb.subscribers import host_protocol as wire
from bigchaindb.subscribers.coroutines import run_coroutine
from bigchaindb.subscribers.host import _for_a_pipe, _run
from bigchaindb.subscribers.plugins import Plugin as Loaded
from bigchaindb.subscribers.plugins import Wants, check, inspect
from tests.support.event_logs import ListLog
from tests.support.plugin_queues import Plugin


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path, ListLog([EventTypes.BLOCK_VALID] * 3))


def ending(plugin: Plugin, run: Callable[[Any], object]) -> wire.Report:
    return _run("events_plugin_sales", Loaded(run, Wants()), plugin.queue, plugin.queue)


def test_its_queue_is_iterated_to_its_end(plugin: Plugin) -> None:
    seen = []

    async def run(queue: Any) -> None:
        async for event in queue:
            seen.append(event.position)
            if event.position == 3:
                queue.close()

    assert ending(plugin, run) == facts.Returned()
    assert seen == [1, 2, 3]
    assert plugin.progress() == Progress(3, 3)


def test_its_return_settles_what_it_took(plugin: Plugin) -> None:
    async def run(queue: Any) -> None:
        async for event in queue:
            if event.position == 2:
                return

    assert ending(plugin, run) == facts.Returned()
    assert plugin.progress() == Progress(2, 2)


@pytest.mark.parametrize("ask", [lambda queue: queue.get(), lambda queue: next(iter(queue)), lambda q: q.get_many(2)])
def test_what_would_block_its_loop_is_refused(plugin: Plugin, ask: Callable[[Any], object]) -> None:
    """Also where an event is there: a plugin that works in a test and stands still on a quiet ledger is worse."""

    async def run(queue: Any) -> None:
        with pytest.raises(EventError, match=r"would block .*`async for event in queue`.*run_in_executor\(None, queue"):
            ask(queue)
        await asyncio.sleep(0)

    assert ending(plugin, run) == facts.Returned()
    assert plugin.progress() == Progress()


def test_a_thread_of_its_loop_may_wait_and_its_event_is_settled_by_the_return(plugin: Plugin) -> None:
    """The thread itself ends with its event in hand, which elsewhere is a failure."""
    seen = []

    async def run(queue: Any) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(3):
            event = await loop.run_in_executor(None, queue.get)
            seen.append(event.position)

    assert ending(plugin, run) == facts.Returned()
    assert seen == [1, 2, 3]
    assert plugin.queue.fault() is None
    assert plugin.progress() == Progress(3, 3)


@pytest.mark.parametrize("error", [ValueError("bad row"), SystemExit(3)])
def test_its_failure_leaves_its_event_and_does_not_wait_for_its_threads(plugin: Plugin, error: BaseException) -> None:
    """A thread that waits for an event would keep the process, and the event with it, for ever."""
    failures = []

    async def run(queue: Any) -> None:
        queue.get_nowait()
        loop = asyncio.get_running_loop()
        taking = loop.run_in_executor(None, lambda: [queue.get() for _ in range(9)])
        await asyncio.sleep(0.05)
        assert not taking.done()
        raise error

    with pytest.raises(type(error)):
        run_coroutine(run(plugin.queue), plugin.queue, on_failure=lambda: failures.append(1))
    assert failures == [1]
    assert 1 in plugin.taken


@pytest.mark.parametrize("end", [Closed("over"), SystemExit(0), SystemExit(None)])
def test_an_end_without_an_error_is_a_return(plugin: Plugin, end: BaseException) -> None:
    async def run(_: Any) -> None:
        raise end

    with pytest.raises(type(end)):
        run_coroutine(run(plugin.queue), plugin.queue, on_failure=lambda: pytest.fail("it ended well"))
    assert ending(plugin, run) == facts.Returned()


def test_a_callable_object_may_be_one(plugin: Plugin) -> None:
    class Run:
        async def __call__(self, queue: Any) -> None:
            queue.get_nowait()

    assert ending(plugin, Run()) == facts.Returned()
    assert plugin.progress() == Progress(1, 1)


def test_check_may_be_one() -> None:
    async def usable() -> str:
        await asyncio.sleep(0)
        return "3 brokers"

    assert check("sales", SimpleNamespace(run=print, check=usable)) == "3 brokers"


def test_configure_may_not_be_one() -> None:
    """Nothing would run it, and the plugin would go on without its options."""

    async def configure(options: object) -> None: ...

    with pytest.raises(ConfigurationError, match="configure is a coroutine function"):
        inspect("sales", SimpleNamespace(run=print, configure=configure))


def test_a_pipe_is_refused() -> None:
    async def run(_: Any) -> None: ...

    with pytest.raises(ConfigurationError, match=r"events_plugins\.sales\.queue: a pipe has no `async for`"):
        _for_a_pipe("sales", Loaded(run, Wants()))


def test_a_plugin_without_coroutines_imports_no_asyncio() -> None:
    """It would be a fifth of the start of each process."""
    code = "import sys, bigchaindb.subscribers.host; print('asyncio' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
