"""A page or a log that is not what its subscription knew: it is GAPPED until a person seeks (P8)."""

import re
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.orders import Seek
from bigchaindb.store.directory import DataDirectory
from bigchaindb.subscribers.lane_page import LanePage, Word
from bigchaindb.subscribers.lane_status import LaneStatus
from bigchaindb.subscribers.offline import kept_lanes
from tests.support.lane_pages import as_of_1
from tests.support.subscribed import running
from tests.support.takers import FRAME_BYTES, Taker, deliveries


@pytest.mark.parametrize("order", ["asset", "none"])
async def test_p8_a_slot_of_no_event_is_a_gap_until_a_person_seeks(tmp_path: Path, order: str) -> None:
    """The desk looked for such an event without a pause, or failed and began again for ever."""
    async with running(tmp_path) as node:
        node.grow(3)
        await node.subscribe(granularity="transaction", order=order)
        assert len(await Taker(node.desks, "one").take(15)) == 15
    [path] = (tmp_path / "lanes").iterdir()
    with closing(LanePage(path)) as page:
        [slot] = [slot for slot in page.slots if page.words[slot] == 2 << 20 | 1]
        page.words[slot] |= 1 << 12
        content = as_of_1(page)  # of a version without checks
    path.write_bytes(content)
    async with running(tmp_path) as node:
        taker = Taker(node.desks, "one")
        await node.until(lambda one: not taker.seat.take(15, FRAME_BYTES) and one.state is State.GAPPED)
        assert "does not hold position 2 " in taker.seat.standing.reason
        await node.desks.order("one", Seek("position:2"))
        assert len(await taker.take(10)) == 10


def flipped(page: LanePage, word: int, bit: int) -> None:
    page.words[word] ^= 1 << bit


@pytest.mark.parametrize(
    "damage",
    [
        lambda page: flipped(page, Word.REACHED, 0),
        lambda page: flipped(page, Word.CURSOR, 1),
        lambda page: flipped(page, next(slot for slot in page.slots if page.words[slot] == 2), 0),
        lambda page: flipped(page, Word.SLOT_COUNT, 10),
        lambda page: page.path.write_bytes((page.path.parent / "two.1").read_bytes()),
    ],
    ids=["reached", "cursor", "slot", "window", "another lane's"],
)
async def test_p8_a_page_that_is_not_what_was_written_is_no_truth(
    tmp_path: Path, damage: Callable[[LanePage], object]
) -> None:
    """Events that nobody had are passed over, and nobody is told."""
    async with running(tmp_path) as node:
        node.grow(3)
        await node.subscribe("two")
        await node.subscribe()
        for name, count in (("two", 3), ("one", 1)):
            taker = Taker(node.desks, name)
            taker.seat.ack(deliveries(await taker.take(3))[:count])
    with closing(LanePage(tmp_path / "lanes" / "one.1")) as page:
        damage(page)
    lanes = {status.name: status.state for status in listed(tmp_path)}
    assert lanes == {"one": State.GAPPED, "two": State.STOPPED}
    async with running(tmp_path) as node:
        taker = Taker(node.desks, "one")
        assert taker.seat.standing.state is State.GAPPED
        assert re.search(
            r"lanes/one\.1.*restore a backup, or say where .* seek one position:2$", taker.seat.standing.reason
        )
        await node.desks.order("one", Seek("position:2"))
        assert [one.number for one in deliveries(await taker.take(2))] == [2, 3]


async def take_three(folder: Path, *, answered: int) -> None:
    """Run a node whose only consumer takes three events, and answers so many of them."""
    async with running(folder) as node:
        node.grow(3)
        await node.subscribe()
        taker = Taker(node.desks, "one")
        taker.seat.ack(deliveries(await taker.take(3))[:answered])


def listed(folder: Path) -> Sequence[LaneStatus]:
    return kept_lanes(DataDirectory(folder), {})


async def test_a_desks_page_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    """An update gives again what was settled, or keeps a subscription from starting."""
    await take_three(tmp_path, answered=2)
    path = tmp_path / "lanes" / "one.1"
    with closing(LanePage(path)) as page:
        content = as_of_1(page)
    path.write_bytes(content)
    async with running(tmp_path) as node:
        node.grow()
        assert deliveries(await Taker(node.desks, "one").take(2)) == [(3, 2), (4, 1)]


@pytest.mark.parametrize("content", [b"", bytes(8192)], ids=["empty", "zeros"])
async def test_p8_a_page_that_is_none_stops_its_subscription_alone(tmp_path: Path, content: bytes) -> None:
    """It kept the whole node from starting."""
    await take_three(tmp_path, answered=1)
    (tmp_path / "lanes" / "one.1").write_bytes(content)
    async with running(tmp_path) as node:
        taker = Taker(node.desks, "one")
        assert taker.seat.standing.state is State.GAPPED
        assert re.search(
            r"lanes/one\.1 is no lane page, .* restore a backup, or say where it goes on, .* seek one position:2$",
            taker.seat.standing.reason,
        )
        await node.desks.order("one", Seek("position:2"))
        assert len(await taker.take(2)) == 2


async def test_p8_a_log_that_is_shorter_is_sought_where_something_is_owed(tmp_path: Path) -> None:
    """The advice passed over what the log has left and nobody had answered."""
    await take_three(tmp_path, answered=1)
    with closing(LanePage(tmp_path / "lanes" / "one.1")) as page:
        page.words[Word.REACHED], page.words[Word.CHECK] = 9, 0
    async with running(tmp_path) as node:
        assert node.status.error == (
            "it had position 9, and the log ends at 3; say where it goes on, with what comes next: "
            "bigchaindb plugins seek one position:2"
        )
