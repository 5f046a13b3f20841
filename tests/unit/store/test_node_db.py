from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bigchaindb.errors import StoreDamaged, StoreError
from bigchaindb.store import LaneRow, NodeDb, SubscriptionRow, TroubleRow
from bigchaindb.store.database import open_writer

LANE = LaneRow("print", 3, 10, 17, b"d" * 32, "LIVE", 1.5, "ValueError: x", 2.5)
PARKED = TroubleRow("print", 12, 5, 4, 1.5, "ValueError: x", 3.5)

BILLING = SubscriptionRow("billing", '{"log":"events"}', 1.5, 17)


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
    node.save_lanes({LANE: (), other: ()})
    node.save_lanes({replace(LANE, acked=18): ()})
    assert node.lane("print") == replace(LANE, acked=18)
    assert [node.lane(name) for name in node.lane_names()] == [other, replace(LANE, acked=18)]


def test_parked_events_stay_while_their_lane_is_saved_again(node: NodeDb) -> None:
    """A parked event that vanishes is an event lost (P3)."""
    later = replace(PARKED, position=15)
    node.save_lanes({LANE: ()})
    node.park(later)
    node.park(PARKED)
    node.save_lanes({replace(LANE, state="BACKOFF"): ()})
    assert node.parked("print") == [PARKED, later]
    assert node.parked("amqp") == []

    node.park(replace(PARKED, attempts=6))
    node.unpark("print", [later.position])
    assert node.parked("print") == [replace(PARKED, attempts=6)]


def test_a_lane_that_is_forgotten_takes_its_parked_events_along(node: NodeDb) -> None:
    node.save_lanes({LANE: ()})
    node.park(PARKED)
    node.forget_lane("print")
    node.save_lanes({LANE: ()})
    assert node.parked("print") == []


def test_only_a_known_lane_parks(node: NodeDb) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        node.park(PARKED)


def test_the_command_line_reads_while_the_node_writes(node: NodeDb, path: Path) -> None:
    node.save_lanes({LANE: ()})
    with closing(NodeDb(path, read_only=True)) as reader:
        assert reader.lane("print") == LANE
        node.save_lanes({replace(LANE, acked=18): ()})
        assert reader.lane("print") == replace(LANE, acked=18)
        assert reader.id == node.id
        with pytest.raises(StoreError, match="readonly"):
            reader.forget_lane("print")


def test_the_log_of_many_saves_is_moved_home(node: NodeDb, path: Path) -> None:
    for acked in range(1000):
        node.save_lanes({replace(LANE, acked=acked): ()})
    assert path.with_name("node.db-wal").stat().st_size < 1024 * 1024


def test_what_failed_and_is_in_hand_is_kept_with_the_lane(node: NodeDb) -> None:
    """Else each restart of the node would grant a failing event all its attempts again."""
    in_hand = TroubleRow("print", 18, 2, 1, 9.5, "ValueError: y")
    node.save_lanes({LANE: [in_hand]})
    node.park(PARKED)
    assert node.troubles("print") == [in_hand]
    node.save_lanes({LANE: [replace(in_hand, position=19)]})
    assert node.troubles("print") == [replace(in_hand, position=19)]
    assert node.parked("print") == [PARKED]


def test_a_parked_event_that_comes_again_is_parked_until_it_is_settled(node: NodeDb) -> None:
    node.save_lanes({LANE: ()})
    node.park(PARKED)
    node.let_return("print", [12, 13], epoch=4)
    assert node.troubles("print") == node.parked("print") == [replace(PARKED, returns_in=4)]
    assert node.parked_among("print", [11, 12]) == set()
    node.park(replace(PARKED, attempts=9))  # it failed again
    assert node.parked_among("print", [11, 12]) == {12}
    assert (node.troubles("print"), node.parked_count("print")) == ([], 1)


def test_parked_events_are_read_a_page_at_a_time(node: NodeDb) -> None:
    node.save_lanes({LANE: ()})
    for position in (12, 13, 14):
        node.park(replace(PARKED, position=position))
    assert [row.position for row in node.parked("print", after=12, count_max=1)] == [13]
    assert node.parked_count("print") == 3


def test_a_lane_that_goes_back_gets_what_was_parked_behind_in_its_turn(node: NodeDb) -> None:
    node.save_lanes({LANE: ()})
    for position in (12, 13):
        node.park(replace(PARKED, position=position))
    node.let_return("print", [12, 13], epoch=4)
    node.save_lanes({replace(LANE, acked=12): ()})
    assert [row.returns_in for row in node.parked("print")] == [4, 4]
    node.save_lanes({replace(LANE, acked=12): ()}, sought={"print": 1})
    assert node.parked("print") == [PARKED]


def test_how_often_a_lane_was_sought_is_kept_until_it_is_forgotten(node: NodeDb, path: Path) -> None:
    """A plugin tells by it what comes again after a crash from what a person wants again."""
    node.save_lanes({LANE: ()})
    assert node.seek_count("print") == 0
    node.save_lanes({LANE: ()}, sought={"print": 1})
    node.save_lanes({LANE: ()})
    with closing(NodeDb(path, read_only=True)) as reader:
        assert (reader.seek_count("print"), reader.seek_count("audit")) == (1, 0)
    node.forget_lane("print")
    assert node.seek_count("print") == 0


def test_a_seek_replaces_a_damaged_number_of_seeks(node: NodeDb, path: Path) -> None:
    """It is refused until then, also where the damage is in the name."""
    node.save_lanes({LANE: ()}, sought={"print": 7})
    with closing(open_writer(path)) as connection:
        connection.execute("UPDATE seeks SET lane = CAST(x'e1756469' AS TEXT)")
    with pytest.raises(StoreDamaged, match="seeks �udi is not what was written"):
        node.seek_count("print")
    node.save_lanes({LANE: ()}, sought={"print": 1_700_000_000})
    assert node.seek_count("print") == 1_700_000_000


# Subscriptions


def test_subscriptions_are_kept_and_changed_by_name(node: NodeDb, path: Path) -> None:
    other = replace(BILLING, name="audit")
    assert (node.subscriptions(), node.subscription("billing")) == ([], None)
    node.put_subscription(BILLING)
    node.put_subscription(other)
    node.put_subscription(replace(BILLING, definition="{}"))
    assert node.subscriptions() == [other, replace(BILLING, definition="{}")]
    with closing(NodeDb(path, read_only=True)) as reader:
        assert reader.subscription("audit") == other


def test_a_new_subscription_brings_the_place_where_it_begins(node: NodeDb) -> None:
    """With the digest there: of a log that was restored since, the lane is GAPPED (P8)."""
    node.put_subscription(BILLING, replace(LANE, name="billing", acked=17))
    assert node.lane("billing") == replace(LANE, name="billing", acked=17)


def test_a_deleted_subscription_leaves_nothing_to_its_successor(node: NodeDb) -> None:
    """One of the same name must begin where it is told to, and not list what another has parked."""
    node.put_subscription(BILLING, replace(LANE, name="billing"))
    node.park(replace(PARKED, lane="billing"))
    node.note_run("billing")
    node.save_lanes({LANE: ()})
    node.delete_subscription("billing")
    assert (node.subscriptions(), node.lane_names(), node.has_run("billing")) == ([], ["print"], False)
    node.put_subscription(BILLING, replace(LANE, name="billing"))
    assert node.parked("billing") == []
    node.delete_subscription("billing")
    node.delete_subscription("billing")  # again: nothing happens


@pytest.mark.parametrize(
    "damage",
    [
        "definition = '{}'",
        "start = 16",
        "checksum = 1",
        "name = 'bilking'",
        "name = CAST(x'e1756469' AS TEXT)",
    ],
)
def test_a_damaged_subscription_is_named_and_not_replaced(node: NodeDb, path: Path, damage: str) -> None:
    """Whoever creates it anew without knowing would begin at another place; a person may delete it."""
    other = replace(BILLING, name="other")
    node.put_subscription(BILLING)
    node.put_subscription(other)
    with closing(open_writer(path)) as connection:
        connection.execute(f"UPDATE subscriptions SET {damage} WHERE name = 'billing'")
    assert node.subscriptions() == [other]
    named = r"node\.db: subscriptions .* is not what was written"
    with pytest.raises(StoreDamaged, match=named):
        node.subscription("billing")
    if "name" not in damage:  # else the row of its lane stands in the way of another one of that name
        with pytest.raises(StoreDamaged, match=named):
            node.put_subscription(BILLING)
    node.put_subscription(replace(other, start=18))
    node.delete_subscription("billing")
    node.put_subscription(BILLING)
    assert node.subscriptions() == [BILLING, replace(other, start=18)]
