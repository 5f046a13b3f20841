"""The ways of a plugin to acknowledge, in real processes. Source: decision 0025; promises P2, P3 and P6."""

import logging
import os
import signal
from hashlib import sha256
from typing import Any

import pytest

from bigchaindb.config.settings import RetrySettings
from bigchaindb.errors import ConfigurationError, StoreFull
from bigchaindb.eventlog.orders import Seek
from bigchaindb.subscribers import lanes
from tests.integration.plugins.conftest import Running, Start, until
from tests.support.processes import is_gone
from tests.support.waiting import until as until_now  # the loop stands still meanwhile

NEVER_S = 3_600.0
"""A grace that no test lasts: what ends has ended by itself."""


def deliveries(running: Running) -> list[tuple[int, int]]:
    return [(one.position, one.attempt) for one in running.seen()]


async def test_a_nacked_event_comes_again_while_others_go_on(running: Running, start: Start) -> None:
    """A bad row must neither stop the lane nor get lost."""
    running.commit(6)
    supervisor = await start(
        """
        def run(queue):
            for event in queue:
                seen(event)
                if event.position == 2 and event.attempt < 4:
                    event.nack(error=ValueError("not yet"))
                else:
                    event.ack()
        """,
        acknowledge="explicit",
    )
    await running.until_seen(9)
    await until(lambda: supervisor.status()[0].position == 6, what="all settled")
    assert sorted(deliveries(running)) == [(1, 1), (2, 1), (2, 2), (2, 3), (2, 4), (3, 1), (4, 1), (5, 1), (6, 1)]
    assert len({one.pid for one in running.seen()}) == 1


@pytest.mark.parametrize("polls", ["not queue.empty()", "queue.qsize()"])
async def test_a_plugin_that_polls_stops_politely(
    running: Running, start: Start, polls: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last event must not come again because the node was stopped."""
    monkeypatch.setattr(lanes, "GRACE_S", NEVER_S)
    running.commit(2)
    supervisor = await start(
        f"""
        import time

        def run(queue):
            while True:
                if {polls}:
                    seen(queue.get_nowait())
                else:
                    time.sleep(0.01)
        """
    )
    await running.until_seen(2)
    await supervisor.stop()
    assert deliveries(running) == [(1, 1), (2, 1)]
    lane = running.store.node.lane("answering")
    assert lane is not None
    assert (lane.acked, lane.state, lane.last_error) == (2, "STOPPED", None)


async def test_a_reader_thread_ends_without_a_traceback(
    running: Running, start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    """At each stop of the node it would look like a defect; what really ends a thread is printed."""
    running.commit(2)
    supervisor = await start(
        """
        import threading

        def read(queue):
            while True:
                seen(queue.get())

        def run(queue):
            reader = threading.Thread(target=read, args=(queue,))
            reader.start()
            failing = threading.Thread(target=lambda: {}["a defect"])
            failing.start()
            reader.join()
        """
    )
    said = ""

    def has_failed() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return "KeyError: 'a defect'" in said

    await until(has_failed, what="the traceback of the other thread")
    await running.until_seen(2)
    await supervisor.stop()
    said += capfd.readouterr().err
    assert "Closed" not in said
    assert deliveries(running) == [(1, 1), (2, 1)]


async def test_run_may_be_a_coroutine_function(running: Running, start: Start) -> None:
    """It runs on a loop of its own; an error in it leaves the event, and a stop ends it at its next event."""
    running.commit(4)
    supervisor = await start(
        """
        async def run(queue):
            async for event in queue:
                seen(event)
                await asyncio.sleep(0)
                if event.position == 2 and event.attempt == 1:
                    raise ValueError("not yet")
        """
    )
    await until(lambda: supervisor.status()[0].position == 4, what="all settled, the last as its task waits")
    await supervisor.stop()
    assert deliveries(running) == [(1, 1), (2, 1), (2, 2), (3, 1), (4, 1)]
    assert (running.store.node.lane("answering") or pytest.fail("no lane")).acked == 4


async def test_a_parked_event_is_set_aside_and_the_lane_goes_on(running: Running, start: Start) -> None:
    running.commit(3)
    supervisor = await start(
        """
        def run(queue):
            for event in queue:
                seen(event)
                if event.position == 2:
                    event.park("no such customer")
                else:
                    event.ack()
        """,
        acknowledge="explicit",
    )
    await until(lambda: supervisor.status()[0].position == 3, what="all settled")
    assert deliveries(running) == [(1, 1), (2, 1), (3, 1)]
    assert supervisor.status()[0].parked_count == 1


async def test_what_was_not_acknowledged_comes_again_after_a_kill(running: Running, start: Start) -> None:
    running.commit(8)
    await start(
        """
        def run(queue):
            events = []
            for event in queue:
                seen(event)
                events.append(event)
                if event.position == 6 and event.attempt == 1:
                    for done in (events[0], events[2], events[3]):
                        done.ack()
                    os.kill(os.getpid(), signal.SIGKILL)
                if event.attempt > 1 or event.position > 6:
                    event.ack()
        """,
        acknowledge="explicit",
    )
    await running.until_seen(11)
    assert deliveries(running)[6:] == [(2, 2), (5, 2), (6, 2), (7, 1), (8, 1)]


async def test_unavailable_is_tried_again_and_never_parked(running: Running, start: Start) -> None:
    """A broker that is down for a night must cost no event, however few attempts the policy allows."""
    running.commit(2)
    supervisor = await start(
        """
        def run(queue):
            for event in queue:
                seen(event)
                if event.attempt < 3:
                    raise Unavailable("no route to the broker")
        """,
        settings={"retry": RetrySettings(attempts=1, duration_s=0)},
    )
    await running.until_seen(6)
    assert deliveries(running) == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert supervisor.status()[0].parked_count == 0


async def test_a_plugin_that_gathers_gets_again_what_it_had_gathered(running: Running, start: Start) -> None:
    running.commit(7)
    await start(
        """
        def run(queue):
            for event in queue:
                seen(event)
                if event.position == 5 and event.attempt == 1:
                    os._exit(1)
        """,
        ack_lag=2,
    )
    await running.until_seen(10)
    assert deliveries(running)[5:] == [(3, 2), (4, 2), (5, 2), (6, 1), (7, 1)]


async def test_a_plugin_gets_what_it_selects(running: Running, start: Start) -> None:
    """And its lag is that of one that has seen everything."""
    running.commit(40)
    supervisor = await start(
        """
        def run(queue):
            for event in queue:
                seen(event)
        """,
        select={"asset": sha256(b"33 0").hexdigest()},
    )
    await until(lambda: supervisor.status()[0].position >= 32, what="the events before it passed over")
    await running.until_seen(1)
    assert running.positions() == [33]


async def test_coroutines_take_events_from_a_queue(running: Running, start: Start) -> None:
    running.commit(3)
    supervisor = await start(
        """
        async def main(queue):
            async for event in queue:
                await asyncio.sleep(0)
                seen(event)

        def run(queue):
            asyncio.run(main(queue))
        """
    )
    await running.until_seen(3)
    running.commit(3)
    await running.until_settled(supervisor, 6)
    await supervisor.stop()
    assert running.positions() == [1, 2, 3, 4, 5, 6]
    assert supervisor.status()[0].position == 6


CHILDREN = """
def work(queue):
    while True:
        seen(queue.get())

def run(queue):
    children = [multiprocessing.Process(target=work, args=(queue,)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
"""


async def test_children_share_a_pipe(running: Running, start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """What plugins of 2017 with worker processes need; that it loses events is said."""
    running.commit(20)
    with caplog.at_level(logging.WARNING):
        supervisor = await start(CHILDREN, settings={"queue": "pipe"})
        await running.until_seen(20)
        running.commit(20)
        await running.until_seen(40)
    assert sorted(running.positions()) == list(range(1, 41))
    assert "lost whenever its process ends" in caplog.text
    await supervisor.stop()
    await supervisor.stop()


@pytest.mark.parametrize("wants", [{"acknowledge": "explicit"}, {"ack_lag": 3}])
async def test_a_pipe_cannot_be_answered(start: Start, wants: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"answering\.queue: a pipe cannot know what was done with an event"):
        await start(CHILDREN, settings={"queue": "pipe"}, **wants)


@pytest.mark.parametrize(
    ("wants", "words"),
    [
        ({"acknowledge": "sometimes"}, "acknowledge must be 'next_get', 'explicit' or 'delivery'"),
        ({"ack_lag": 256}, "ack_lag is 256, and must be below the window of 256 events"),
        ({"select": {"colour": "red"}}, "select.*colour"),
    ],
)
async def test_what_a_plugin_cannot_want_ends_the_start(start: Start, wants: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await start("def run(queue): pass", **wants)


async def test_the_last_word_of_a_process_is_heard_however_much_it_said_before(running: Running, start: Start) -> None:
    """The node is busy with something else while the process speaks and ends."""
    running.commit(100)
    supervisor = await start(
        """
        def run(queue):
            for event in queue.get_many(100):
                event.nack(error="x" * 400)
            open(said, "w").close()
            raise Unavailable("the target is down")
        """,
        acknowledge="explicit",
        said=str(running.record),
    )
    pid = supervisor.status()[0].pid
    assert pid is not None
    until_now(lambda: running.record.exists() and is_gone(pid), what="its last word", within_s=60)
    await until(lambda: supervisor.status()[0].failure_count > 0, what="the end of the process")
    assert supervisor.status()[0].error == "Unavailable: the target is down"


async def test_p2_what_cannot_be_written_down_as_set_aside_stays_in_hand(
    running: Running, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a kill of the node would lose it while the disk is full."""
    tries = []

    def refuse(_: object) -> None:
        tries.append(1)
        raise StoreFull("node.db: no room")

    supervisor = await start(
        """
        def run(queue):
            for event in queue:
                event.park("no such customer") if event.position == 2 else event.ack()
        """,
        acknowledge="explicit",
    )
    with monkeypatch.context() as patched:
        patched.setattr(running.store.node, "park", refuse)
        running.commit(3)
        await until(lambda: len(tries) >= 2, what="two tries")
        await until(
            lambda: (supervisor.status()[0].position, supervisor.status()[0].in_hand) == (1, (2,)),
            what="all others to be settled",
        )
    await until(lambda: supervisor.status()[0].position == 3, what="all settled")
    assert [row.position for row in running.store.node.parked("answering")] == [2]


SOUGHT = """
def run(queue):
    for event in queue:
        fd = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(fd, f"{event.position} {queue.seek_count} {os.getpid()}\\n".encode())
        os.close(fd)
"""
"""Writes down the number of seeks in the place of the attempt."""


async def test_every_process_knows_how_often_its_plugin_was_sought(running: Running, start: Start) -> None:
    """Killed behind a seek or not: a plugin that keeps a place of its own must not take one for the other."""

    async def kill() -> None:
        await until(lambda: supervisor.status()[0].pid is not None, what="a process")
        pid = supervisor.status()[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def told(position: int) -> set[int]:
        return {count for seen, count in deliveries(running) if seen == position}

    running.commit(2)
    supervisor = await start(SOUGHT)
    await until(lambda: told(2) == {0}, what="the first two")
    await supervisor.order("answering", Seek("genesis"))
    await kill()
    await until(lambda: told(2) == {0, 1}, what="the same behind the seek")
    await kill()
    running.commit(1)
    await until(lambda: told(3) == {1}, what="the third")
    await supervisor.stop()
    supervisor = await start(SOUGHT)
    running.commit(1)
    await until(lambda: told(4) == {1}, what="the fourth, of the next node")
    await supervisor.order("answering", Seek("position:4"))
    await until(lambda: told(4) == {1, 2}, what="the same behind the second seek")
    assert told(1) == {0, 1}
