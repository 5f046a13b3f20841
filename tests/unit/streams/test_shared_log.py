"""Many clients read the log: together at the head, apart behind it."""

import asyncio
from threading import Event
from typing import Any, cast

import pytest

from bigchaindb.errors import MalformedToken
from bigchaindb.ledger.ports import LogReader
from bigchaindb.streams import shared_log
from bigchaindb.streams.hub import Hub
from bigchaindb.streams.shared_log import LIVE_COUNT, Frames, LogSource, Place, SharedLog
from tests.support.event_logs import ListLog

HEAD = 100
AT_HEAD = Place(HEAD - 1)
BEHIND = Place(HEAD - LIVE_COUNT - 1)


class Reads:
    """What was read, one after the other; reads of the choice `slow` wait."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Place, int]] = []
        self.may_go_on = Event()

    def __call__(self, _: LogReader, __: str, choice: str, after: Place, through: int) -> Frames:
        if choice == "slow":
            assert self.may_go_on.wait(60)
        self.all.append((choice, after, through))
        if choice == "broken":
            raise OSError("the disk fails")
        return Frames(choice.encode(), Place(through), "token")


@pytest.fixture
def reads() -> Reads:
    return Reads()


@pytest.fixture
def log(reads: Reads) -> SharedLog[str]:
    class Closable(ListLog):
        def close(self) -> None:
            pass

    return SharedLog(LogSource(Hub(HEAD), lambda: cast("Any", Closable()), "chain"), "test", reads)


async def test_clients_at_the_head_with_equal_choices_share_one_read(log: SharedLog[str], reads: Reads) -> None:
    """1,000 clients would read and render each block 1,000 times."""
    found = await asyncio.gather(*(log.next(choice, AT_HEAD) for choice in ("a", "a", "b", "a")))
    later = await log.next("a", AT_HEAD)
    assert found[0] is found[1] is found[3] is later
    assert sorted(reads.all) == [("a", AT_HEAD, HEAD), ("b", AT_HEAD, HEAD)]
    log.close()


async def test_what_was_announced_with_its_pieces_is_not_read(log: SharedLog[str], reads: Reads) -> None:
    """A read beside a busy writer costs a message 6 ms."""
    pieces = [Frames(b"first", Place(HEAD - 1), "t1"), Frames(b"second", Place(HEAD), "t2")]
    log.add("a", pieces)
    assert await log.next("a", Place(HEAD - 2)) is pieces[0]
    assert await log.next("a", AT_HEAD) is pieces[1]
    assert await log.begin(None) == (Place(HEAD), "t2")
    assert reads.all == []
    await log.next("b", AT_HEAD)
    assert reads.all == [("b", AT_HEAD, HEAD)]
    log.close()


async def test_clients_behind_read_apart_and_delay_nobody_at_the_head(log: SharedLog[str], reads: Reads) -> None:
    late = [asyncio.create_task(log.next("slow", BEHIND)) for _ in range(2)]
    assert (await log.next("a", AT_HEAD)).data == b"a"
    # The feed of a stream may be behind and must not wait for late clients either.
    assert (await log.at_head("a", BEHIND, BEHIND.position + 1)).place == Place(BEHIND.position + 1)
    assert not any(task.done() for task in late)
    reads.may_go_on.set()
    first, second = await asyncio.gather(*late)
    assert first is not second
    log.close()


async def test_a_client_that_leaves_does_not_end_the_read_of_others(log: SharedLog[str], reads: Reads) -> None:
    one, other = (asyncio.create_task(log.next("slow", AT_HEAD)) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    reads.may_go_on.set()
    assert (await other).data == b"slow"
    assert one.cancelled()
    log.close()


async def test_a_failed_read_is_tried_again(log: SharedLog[str], reads: Reads) -> None:
    for _ in range(2):
        with pytest.raises(OSError, match="disk"):
            await log.next("broken", AT_HEAD)
    assert len(reads.all) == 2
    log.close()


@pytest.mark.parametrize("bound", ["SHARED_COUNT_MAX", "SHARED_BYTES_MAX"])
async def test_what_is_kept_is_bounded(
    log: SharedLog[str], reads: Reads, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(shared_log, bound, 2)
    for choice in ("a", "b", "c", "c", "a"):
        await log.next(choice, AT_HEAD)
        await asyncio.sleep(0)
    assert [choice for choice, *_ in reads.all] == ["a", "b", "c", "a"]
    log.close()


async def test_a_read_that_goes_on_takes_no_room_yet(
    log: SharedLog[str], reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept within the bound is for all clients, however many reads there are."""
    monkeypatch.setattr(shared_log, "SHARED_BYTES_MAX", 2)
    for choice in ("a", "b"):
        await log.next(choice, AT_HEAD)
        await asyncio.sleep(0)
    slow, again = (asyncio.create_task(log.next(choice, AT_HEAD)) for choice in ("slow", "a"))
    await asyncio.sleep(0)
    reads.may_go_on.set()
    await asyncio.gather(slow, again)
    assert [choice for choice, *_ in reads.all] == ["a", "b", "slow"]
    log.close()


async def test_nothing_is_read_beyond_the_head(log: SharedLog[str]) -> None:
    """P4."""
    with pytest.raises(AssertionError):
        await log.next("a", Place(HEAD))
    log.close()


async def test_a_client_at_a_head_that_was_read_costs_no_read(log: SharedLog[str], reads: Reads) -> None:
    """A thousand clients that connect at once would wait for a thousand reads."""
    await log.next("a", AT_HEAD)
    assert await log.begin(None) == (Place(HEAD), "token")
    await log.next("a", Place(0), 1)
    assert await log.begin(None) == (Place(HEAD), "token")
    log.hub.announce(HEAD + 1)
    with pytest.raises(NotImplementedError):  # of `ListLog.entry`
        await log.begin(None)
    assert len(reads.all) == 2
    log.close()


async def test_what_is_no_token_begins_nowhere(log: SharedLog[str]) -> None:
    with pytest.raises(MalformedToken):
        await log.begin("x")
    log.close()
