"""`async for event in queue`, on the loops that people use. Source: decision 0025; promises P2 and P3."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from bigchaindb.errors import EventError
from bigchaindb.eventlog.lane import Progress
from tests.support.plugin_queues import Make, Plugin

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    def run(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(asyncio.wait_for(main, 60))

    return run


async def commit(plugin: Plugin, count: int) -> None:
    for _ in range(count):
        plugin.append()
        await asyncio.sleep(0)


def test_each_event_is_settled_when_the_next_is_asked_for(make: Make, run: Run) -> None:
    plugin = make(2)
    seen = []

    async def main() -> None:
        committing = asyncio.create_task(commit(plugin, 3))
        async for event in plugin.queue:
            seen.append((event.position, plugin.page.cursor))
            if event.position == 5:
                plugin.queue.close()
        await committing

    run(main())
    assert seen == [(position, position - 1) for position in range(1, 6)]
    assert plugin.progress() == Progress(5, 5)


def test_the_loop_goes_on_while_there_is_no_event(make: Make, run: Run) -> None:
    """A plugin with timers, or a connection that needs a heartbeat, must not stand still."""
    plugin = make()

    async def main() -> None:
        events = aiter(plugin.queue)
        waiting = asyncio.create_task(anext(events))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
        plugin.append()
        assert (await waiting).position == 1

    run(main())


def test_a_cancelled_wait_takes_nothing(make: Make, run: Run) -> None:
    plugin = make()

    async def main() -> None:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(aiter(plugin.queue)), 0.01)
        assert not aiter(plugin.queue)._waiting  # nothing gathers where waits are cancelled for days
        plugin.append()
        assert (await anext(aiter(plugin.queue))).position == 1

    run(main())
    assert plugin.progress() == Progress(0, 1, (1,))


def test_a_wait_that_ends_lets_another_go_on(make: Make, run: Run) -> None:
    """Two tasks wait on one descriptor; the first is cancelled."""
    plugin = make(acknowledge="explicit")

    async def main() -> None:
        first, second = (asyncio.create_task(anext(aiter(plugin.queue))) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0)
        plugin.append()
        assert (await second).position == 1

    run(main())


def test_tasks_share_the_events_that_they_answer_for(make: Make, run: Run) -> None:
    plugin = make(acknowledge="explicit")
    seen: list[int] = []

    async def work() -> None:
        async for event in plugin.queue:
            await asyncio.sleep(0)
            seen.append(event.position)
            event.ack()
            if len(seen) == 50:
                plugin.queue.close()

    async def main() -> None:
        await asyncio.gather(work(), work(), work(), commit(plugin, 50))

    run(main())
    assert sorted(seen) == list(range(1, 51))
    assert plugin.progress() == Progress(50, 50)


def test_two_tasks_that_would_settle_each_other_s_events_are_refused(make: Make, run: Run) -> None:
    """The first awaits its database with event 1; the second, asking for its own, would settle that."""
    plugin = make(2)

    async def main() -> None:
        event = await anext(aiter(plugin.queue))
        with pytest.raises(EventError, match=r"two tasks .* set the plugin's property acknowledge to \"explicit\""):
            await asyncio.create_task(anext(aiter(plugin.queue)))
        assert plugin.progress() == Progress(0, 1, (event.position,))

    run(main())


def test_a_task_may_go_on_after_another_has_ended(make: Make, run: Run) -> None:
    plugin = make(2)

    async def take(position: int) -> None:
        assert (await anext(aiter(plugin.queue))).position == position

    run(take(1))
    run(take(2))
    assert plugin.progress() == Progress(1, 2, (2,))
