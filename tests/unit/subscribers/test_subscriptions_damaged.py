"""Subscriptions of which something is kept that cannot be read: none is lost, and none begins anew."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.errors import OrderRefused, StoreDamaged, UnknownSubscription
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.orders import Seek
from bigchaindb.store.checking import check_directory
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.proving import Damage
from bigchaindb.subscribers.offline import kept_lanes
from tests.support.subscribed import running
from tests.support.takers import Taker, deliveries


async def test_a_name_of_which_something_is_kept_is_refused(tmp_path: Path) -> None:
    """A subscription goes on where a plugin of its name was."""
    async with running(tmp_path) as node:
        await node.subscribe()
        row = node.store.node.subscription("one")
        lane = node.store.node.lane("one")
        assert row is not None
        assert lane is not None
        await node.desks.delete("one")
        node.store.node.save_lanes({lane: []})
        with pytest.raises(OrderRefused, match="forget one"):
            await node.subscribe()


async def test_a_definition_of_a_later_version_is_kept_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A node of an older version does not start, or removes what it does not know."""
    async with running(tmp_path) as node:
        await node.subscribe()
        row = node.store.node.subscription("one")
        assert row is not None
        later = type(row)("one", '{"log": "of a later version"}', row.created, row.start)
        node.store.node.put_subscription(later)
    async with running(tmp_path) as node:
        assert node.desks.status() == []
        assert node.store.node.subscription("one") is not None
        with pytest.raises(OrderRefused):
            await node.subscribe()
    assert "does not know its definition" in caplog.text


@pytest.mark.parametrize(
    "column",
    ["name = 'onf'", "start = start + 64", "definition = x'7b'", "created = created + 1", "checksum = checksum + 1"],
)
async def test_a_damaged_one_is_named_until_it_is_deleted(tmp_path: Path, column: str) -> None:
    """Its consumers were told that there is none, and that they may create it, which they may not."""
    async with running(tmp_path) as node:
        await node.subscribe()
    with closing(sqlite3.connect(tmp_path / "node.db")) as connection, connection:
        connection.execute(f"UPDATE subscriptions SET {column}")
    async with running(tmp_path) as node:
        for _ in range(2):
            with pytest.raises(StoreDamaged, match="subscriptions"):
                Taker(node.desks, "one")
            with pytest.raises(StoreDamaged, match="subscriptions"):
                node.desks.token("one")
            with pytest.raises(StoreDamaged, match="subscriptions"):
                await node.subscribe()
        with pytest.raises(UnknownSubscription):
            Taker(node.desks, "two")
        await node.desks.delete("one")
        with pytest.raises(UnknownSubscription):
            Taker(node.desks, "one")
        assert await node.subscribe() is True
        Taker(node.desks, "one")


@pytest.mark.parametrize("has_page", [True, False])
async def test_p8_one_whose_row_of_the_lane_is_gone_does_not_begin_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, has_page: bool
) -> None:
    """What its consumers had done came again from the start, or what they had not was passed over."""
    async with running(tmp_path) as node:
        node.grow(3)
        await node.subscribe(start="now" if has_page else "genesis")
        if has_page:
            node.grow(3)
            taker = Taker(node.desks, "one")
            taker.seat.ack(deliveries(await taker.take(3))[:1])
    with closing(sqlite3.connect(tmp_path / "node.db")) as connection, connection:
        connection.execute("DELETE FROM lanes")
    assert [str(damage) for damage in damages(tmp_path)] == ["node.db: lanes 'one': is gone"]
    [status] = kept_lanes(DataDirectory(tmp_path), {})
    assert status.state is State.GAPPED
    assert status.error.startswith("node.db: the row of lane 'one' is gone; restore a backup, or say where it goes on")
    async with running(tmp_path) as node:
        taker = Taker(node.desks, "one")
        state, reason, *_ = taker.seat.standing
        assert state is State.GAPPED
        assert "subscription is not started, it waits for a person" in caplog.messages
        known = "the page has position 4" if has_page else "nothing is known"
        where = "position:5" if has_page else "WHERE"
        assert reason == (
            "node.db: the row of lane 'one' is gone; restore a backup, or say where it goes on, of which "
            f"{known}: bigchaindb plugins seek one {where}"
        )
        await node.desks.order("one", Seek("position:2"))
        assert [one.number for one in deliveries(await taker.take(2))] == [2, 3]
    assert list(damages(tmp_path)) == []


def damages(folder: Path) -> Sequence[Damage]:
    return check_directory(DataDirectory(folder), lambda *_: None).damages
