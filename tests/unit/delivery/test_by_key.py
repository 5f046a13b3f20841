"""Many requests at once, in order by key: what is refused, given up and comes again, over the queue of a plugin."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.delivery import Message, forward_by_key
from bigchaindb.delivery.by_key import AHEAD, _Forwarding
from bigchaindb.errors import Unavailable
from bigchaindb.eventlog.facts import Again, Nacked, Settle
from bigchaindb.eventlog.lane import Progress
from bigchaindb.events import Event, EventTypes
from bigchaindb.subscribers.plugins import EXPLICIT
from tests.support.event_logs import ListLog
from tests.support.plugin_queues import Plugin
from tests.support.raw import until

Made = Callable[..., Plugin]


@pytest.fixture
def make(tmp_path: Path) -> Made:
    def plugin(count: int, window: int = 64) -> Plugin:
        log = ListLog([EventTypes.BLOCK_VALID] * count)
        return Plugin(tmp_path, log, acknowledge=EXPLICIT, window=window)

    return plugin


def message(id_: str, key: str, position: int) -> Message:
    return Message(
        id=id_, type="", chain_id="", position=position, subject="", asset_id=key, routing_key="", time=0, data=b"{}"
    )


def keyed(words: str) -> Callable[[Event], Sequence[Message]]:
    """Return the messages of events: one word for each, of whose letters each is the key of a message."""
    by_event = words.split()
    return lambda event: [
        message(f"{event.position}{key}", key, event.position) for key in by_event[event.position - 1]
    ]


class Target:
    """Takes messages, refuses those that it was told to, and keeps what arrived."""

    def __init__(self, *refused: str) -> None:
        self.refused = {*refused}
        self.arrived: list[str] = []
        self.requests: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, messages: Sequence[Message]) -> None:
        ids = [one.id for one in messages]
        self.requests.append(ids)
        await self.gate.wait()
        if not self.refused.isdisjoint(ids):
            raise ValueError(f"{ids} is refused")
        self.arrived += ids


def begun(plugin: Plugin, words: str, target: Target, *, parallel: int = 4, batch: int = 1) -> asyncio.Task[None]:
    return asyncio.create_task(
        forward_by_key(
            plugin.queue,
            keyed(words),
            lambda one: [one.asset_id],
            target.send,
            parallel=parallel,
            batch=batch,
        )
    )


async def ended(plugin: Plugin, task: asyncio.Task[None]) -> None:
    plugin.queue.close()
    async with asyncio.timeout(60):
        await task


async def test_a_refused_message_holds_back_its_key_until_its_event_comes_again(make: Made) -> None:
    """What else its event has is sent once."""
    plugin, target = make(4), Target("1a")
    task = begun(plugin, "abc ad ba a", target)
    await until(lambda: {"1b", "1c", "2d", "3b"} <= {*target.arrived}, "the other keys")
    assert [report for report in plugin.reports if isinstance(report, Nacked)] == [
        Nacked(1, 1, "ValueError: ['1a'] is refused")
    ]
    assert not {"2a", "3a", "4a"} & {*target.arrived}
    target.refused.clear()
    plugin.queue.answers.decided(Again(1, 2, 0.0))
    await until(lambda: plugin.page.cursor == 4, "all of it")
    assert [one for one in target.arrived if one.endswith("a")] == ["1a", "2a", "3a", "4a"]
    assert len(target.arrived) == len({*target.arrived}) == 8
    await ended(plugin, task)


async def test_a_key_goes_on_once_its_event_was_given_up(make: Made) -> None:
    plugin, target = make(3), Target("1a")
    task = begun(plugin, "ab a a", target)
    await until(lambda: bool(plugin.reports), "the nack")
    plugin.queue.answers.decided(Settle(1))
    await until(lambda: plugin.page.cursor == 3, "the rest")
    assert target.arrived == ["1b", "2a", "3a"]
    await ended(plugin, task)


async def test_a_look_at_what_was_decided_reads_the_window_once(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A window may have 65,536 places, and as many events may be refused as are read ahead."""
    plugin, target, count = make(8), Target(*(f"{number}a" for number in range(1, 9))), 0
    read = plugin.page.in_hand

    def counted() -> tuple[int, ...]:
        nonlocal count
        count += 1
        return read()

    forwarding = _Forwarding(plugin.queue, keyed("a " * 8), lambda _: [], target.send, 8, 1, 1_000)
    async with asyncio.TaskGroup() as forwarding._tasks:
        for _ in range(8):
            forwarding._take(plugin.queue.get_nowait())
        await until(lambda: len(plugin.reports) == 8, "the nacks")
        plugin.queue.answers.decided(Settle(1))
        monkeypatch.setattr(plugin.page, "in_hand", counted)
        forwarding._leave_decided()
        assert (count, [*forwarding._sent]) == (1, [2, 3, 4, 5, 6, 7, 8])


async def test_an_event_that_returns_brings_what_was_given_up(make: Made) -> None:
    """While another of its messages is still on its way: that one is not sent twice."""
    plugin, arrived, gate = make(1), list[str](), asyncio.Event()
    refused = {"1a"}

    async def send(messages: Sequence[Message]) -> None:
        [one] = messages
        if one.id in refused:
            raise ValueError("refused")
        if one.id == "1b":
            await gate.wait()
        arrived.append(one.id)

    forwarding = _Forwarding(plugin.queue, keyed("ab"), lambda one: [one.asset_id], send, 4, 1, 1_000)
    event = plugin.queue.get_nowait()
    async with asyncio.TaskGroup() as forwarding._tasks:
        forwarding._take(event)
        await until(lambda: bool(plugin.reports), "the nack")
        plugin.queue.answers.decided(Settle(1))
        looking = forwarding._tasks.create_task(forwarding._look())
        await until(lambda: bool(forwarding._sent[1].given_up), "it to be given up")
        refused.clear()
        forwarding._take(event)  # as a person's retry brings it
        await until(lambda: arrived == ["1a"], "what was given up")
        gate.set()
        await until(lambda: not forwarding._sent, "the rest")
        looking.cancel()
    assert arrived == ["1a", "1b"]


async def test_a_key_that_fills_the_room_stops_nothing_for_good(make: Made) -> None:
    """All that was read ahead waits for an event that has to come again: it must find room."""
    count = 2 * AHEAD + 8
    plugin, target = make(count), Target("1a")
    task = begun(plugin, " ".join("a" * count), target, parallel=1)
    await until(lambda: bool(plugin.reports), "the nack")
    target.refused.clear()
    plugin.queue.answers.decided(Again(1, 2, 0.0))
    await until(lambda: plugin.page.cursor == count, "all of it")
    assert target.arrived == [f"{position}a" for position in range(1, count + 1)]
    await ended(plugin, task)


@pytest.mark.parametrize("settings", [{"window_bytes_max": 1}, {"one_at_a_time": True}])
async def test_what_waits_for_a_refused_message_leaves_room_for_it(tmp_path: Path, settings: dict[str, Any]) -> None:
    """In the bytes of a window, and after a crash, when events are delivered one at a time."""
    log = ListLog([EventTypes.BLOCK_VALID] * 3)
    plugin = Plugin(tmp_path, log, Progress(0, 3, (1, 2, 3)), acknowledge=EXPLICIT, **settings)
    target = Target("1a")
    task = begun(plugin, "a a a", target)
    await until(lambda: bool(plugin.reports), "the nack")
    await asyncio.sleep(0.05)
    target.refused.clear()
    plugin.queue.answers.decided(Again(1, 2, 0.0))
    await until(lambda: plugin.page.cursor == 3, "all of it")
    assert target.arrived == ["1a", "2a", "3a"]
    await ended(plugin, task)


async def test_the_message_that_is_refused_is_found_in_its_request(make: Made) -> None:
    plugin, target = make(1), Target("1b")
    task = begun(plugin, "aabbc", target, parallel=1, batch=5)
    await until(lambda: bool(plugin.reports), "the nack")
    assert target.requests[0] == ["1a", "1a", "1b", "1b", "1c"]
    assert target.arrived == ["1a", "1a", "1c"]
    target.refused.clear()
    plugin.queue.answers.decided(Again(1, 2, 0.0))
    await until(lambda: plugin.page.cursor == 1, "all of it")
    assert target.arrived == ["1a", "1a", "1c", "1b", "1b"]
    await ended(plugin, task)


async def test_a_target_that_is_down_ends_it_and_settles_nothing(make: Made) -> None:
    plugin = make(3)

    async def send(messages: Sequence[Message]) -> None:
        if messages[0].id == "2b":
            raise Unavailable("down", retry_after_s=7)

    with pytest.raises(Unavailable, match="down") as unavailable:
        await forward_by_key(plugin.queue, keyed("a bb c"), lambda one: [one.asset_id], send, parallel=2)
    assert unavailable.value.retry_after_s == 7
    assert plugin.page.cursor < 2


async def test_an_event_without_messages_is_settled(make: Made) -> None:
    plugin, target = make(2), Target()
    task = asyncio.create_task(
        forward_by_key(plugin.queue, lambda _: [], lambda one: [one.asset_id], target.send, parallel=2)
    )
    await until(lambda: plugin.page.cursor == 2, "both")
    await ended(plugin, task)


async def test_an_event_that_comes_again_early_stays_before_the_rest_of_its_request(make: Made) -> None:
    """The others are still being sent one by one, of which the second waits for it."""
    plugin, arrived, gate = make(3), list[str](), asyncio.Event()
    refused, is_first = {"1a"}, True

    async def send(messages: Sequence[Message]) -> None:
        nonlocal is_first
        ids = [one.id for one in messages]
        if not refused.isdisjoint(ids):
            raise ValueError("refused")
        if ids == ["3b"] and is_first:
            is_first = False
            await gate.wait()
        arrived.extend(ids)

    forwarding = _Forwarding(plugin.queue, keyed("a a b"), lambda one: [one.asset_id], send, 1, 3, 1_000)
    async with asyncio.TaskGroup() as forwarding._tasks:
        events = plugin.queue.get_many(3)
        forwarding._requests = 1  # nothing begins before all have been taken
        for event in events:
            forwarding._take(event)
        forwarding._requests = 0
        forwarding._begin()
        await until(lambda: not is_first, "the message behind both")
        refused.clear()
        plugin.queue.answers.decided(Again(1, 2, 0.0))
        forwarding._take(plugin.queue.get_nowait())
        gate.set()
        await until(lambda: not forwarding._sent, "all of it")
    assert arrived == ["3b", "1a", "2a"]
