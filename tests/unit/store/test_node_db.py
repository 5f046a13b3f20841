from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bigchaindb.errors import StoreError
from bigchaindb.store import LaneRow, NodeDb, ParkedRow

LANE = LaneRow("print", 3, 10, 17, b"d" * 32, "LIVE", 1.5, 2, "ValueError: x", 2.5)
PARKED = ParkedRow("print", 12, 5, "ValueError: x", 3.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node.db"


@pytest.fixture
def node(path: Path) -> Iterator[NodeDb]:
    with closing(NodeDb(path)) as node:
        yield node


def test_the_id_is_made_once(node: NodeDb, path: Path, tmp_path: Path) -> None:
    """By it the ledger notices that its lanes are lost."""
    with closing(NodeDb(path)) as again, closing(NodeDb(tmp_path / "other.db")) as other:
        assert again.id == node.id != other.id


def test_lanes_are_kept_and_overwritten_by_name(node: NodeDb) -> None:
    other = replace(LANE, name="amqp", last_error=None)
    assert node.lane("print") is None
    node.save_lanes([LANE, other])
    node.save_lane(replace(LANE, acked=18))
    assert node.lane("print") == replace(LANE, acked=18)
    assert node.lanes() == [other, replace(LANE, acked=18)]


def test_parked_events_stay_while_their_lane_is_saved_again(node: NodeDb) -> None:
    """A parked event that vanishes is an event lost (P3)."""
    later = replace(PARKED, position=15)
    node.save_lane(LANE)
    node.park(later)
    node.park(PARKED)
    node.save_lane(replace(LANE, state="BACKOFF"))
    assert node.parked("print") == [PARKED, later]
    assert node.parked("amqp") == []

    node.park(replace(PARKED, attempts=6))
    node.unpark("print", later.position)
    assert node.parked("print") == [replace(PARKED, attempts=6)]


def test_a_lane_that_is_forgotten_takes_its_parked_events_along(node: NodeDb) -> None:
    node.save_lane(LANE)
    node.park(PARKED)
    node.forget_lane("print")
    node.save_lane(LANE)
    assert node.parked("print") == []


def test_only_a_known_lane_parks(node: NodeDb) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        node.park(PARKED)


def test_the_command_line_reads_while_the_node_writes(node: NodeDb, path: Path) -> None:
    node.save_lane(LANE)
    with closing(NodeDb(path, read_only=True)) as reader:
        assert reader.lane("print") == LANE
        node.save_lane(replace(LANE, acked=18))
        assert reader.lanes() == [replace(LANE, acked=18)]
        assert reader.id == node.id
        with pytest.raises(StoreError, match="readonly"):
            reader.forget_lane("print")


def test_the_log_of_many_saves_is_moved_home(node: NodeDb, path: Path) -> None:
    for acked in range(1000):
        node.save_lane(replace(LANE, acked=acked))
    assert path.with_name("node.db-wal").stat().st_size < 1024 * 1024
