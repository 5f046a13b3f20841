"""Lanes of which rows are gone, damaged or restored: each waits for a word, none begins anew. Source: promise P8."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from bigchaindb.config import PluginSettings, Settings
from bigchaindb.eventlog.lane import Lane, Progress, State, Trouble
from bigchaindb.eventlog.orders import Pause, Seek
from bigchaindb.subscribers.lane_files import LaneFiles
from bigchaindb.subscribers.lane_page import page_path
from bigchaindb.subscribers.offline import OfflineDesk, kept_lanes
from tests.support.flips import Column, flip
from tests.support.left_lanes import CHAIN, NAME, Ledger


def test_p8_where_node_db_was_lost_the_lanes_wait_for_a_word(ledger: Ledger) -> None:
    """An order about one plugin must not let another begin at "now" in silence."""
    ledger.store.knows_node = False
    two = Settings(events_plugins={NAME: PluginSettings(), "other": PluginSettings()})
    desk = OfflineDesk(ledger.store, CHAIN, two)
    desk.order(NAME, Seek("now"))
    desk.close()
    assert ledger.store.knows_node
    kept = {lane.name: lane for lane in kept_lanes(ledger.store.directory, two.events_plugins)}
    assert (kept[NAME].state, kept["other"].state) == (State.STOPPED, State.GAPPED)
    assert "bigchaindb plugins seek other" in kept["other"].error


def test_p8_each_reason_is_true_and_its_command_skips_nothing(ledger: Ledger) -> None:
    """Who copies the command out of the error must not lose events by it."""
    ledger.store.knows_node = False
    lane = ledger.next_node()
    assert lane.state is State.GAPPED
    assert lane.error.startswith("node.db was lost, and with it where this plugin was; `now` would skip")
    assert lane.error.endswith(": bigchaindb plugins seek sales genesis")
    ledger.store.node.is_new = False
    lane = ledger.next_node()
    assert "restored from a backup or put together from two, and do not know this plugin: it never ran" in lane.error
    assert lane.error.endswith(": bigchaindb plugins seek sales genesis")
    ledger.store.knows_node = True
    ledger.left(State.STOPPED, Progress(7, 7))
    assert ledger.next_node().error.endswith(
        "ends at 5; say where it goes on, with what comes next: bigchaindb plugins seek sales position:6"
    )
    ledger.left(State.STOPPED, Progress(3, 3))
    row = ledger.store.node.lane(NAME)
    assert row is not None
    ledger.store.node.save_lanes({replace(row, acked_digest=bytes(32)): ()})
    assert ledger.next_node().error.endswith("again: bigchaindb plugins seek sales genesis")


@pytest.mark.parametrize(
    ("column", "row"),
    [
        (Column("lanes", "acked"), "lanes sales"),
        (Column("lanes", "name"), "lanes rales"),
        (Column("troubles", "position"), "troubles sales, 17"),
        (Column("troubles", "lane"), "troubles rales, 1"),
    ],
)
def test_p8_a_lane_of_which_a_row_is_damaged_waits_for_a_word(ledger: Ledger, column: Column, row: str) -> None:
    """A flipped bit in a cursor would skip or repeat events in silence."""
    ledger.left(State.STOPPED, Progress(3, 3), parked=(1, 3))
    flip(ledger.store.directory.node, column, at=0.0)
    (name,) = ledger.store.node.lane_names()
    (kept,) = kept_lanes(ledger.store.directory, {name: PluginSettings()})
    lane = ledger.next_node()
    assert (kept.state, lane.state) == (State.GAPPED, State.GAPPED)
    for error in (kept.error, lane.error):
        assert f"node.db: {row} is not what was written; run `bigchaindb check`, and restore a backup" in error
    assert "position 3" in lane.error
    assert lane.error.endswith("bigchaindb plugins seek sales position:4")
    assert lane.progress == Progress(3, 3)
    assert ledger.store.damages.first is not None

    ledger.order(Seek("position:4"))
    lane = ledger.next_node()
    assert (lane.state, lane.progress) == (State.STOPPED, Progress(3, 3))
    ledger.order(Pause())
    whole = [row.position for row in ledger.parked()]
    assert whole == ([1, 3] if column.table == "lanes" else [3])


def test_a_damaged_row_of_another_plugin_stops_none(ledger: Ledger) -> None:
    ledger.left(State.STOPPED, Progress(3, 3), parked=(1,))
    files = LaneFiles(ledger.store, CHAIN)
    files.begin_epoch("other", Lane(progress=Progress(2, 2)), since=1.0, head=5, slot_count=8).close()
    files.park("other", {1: Trouble(2, 2, 1.0, "cannot digest")})
    files.close()
    for column in (Column("troubles", "error"), Column("lanes", "acked_digest")):
        flip(ledger.store.directory.node, column, at=0.0)
        assert ledger.next_node().state is State.STOPPED, column
    two = {NAME: PluginSettings(), "other": PluginSettings()}
    kept = {lane.name: lane.state for lane in kept_lanes(ledger.store.directory, two)}
    assert kept == {NAME: State.STOPPED, "other": State.GAPPED}


def test_p8_what_is_enabled_after_a_restore_is_new_and_begins_where_it_is_told(ledger: Ledger) -> None:
    """Nothing is unknown of a plugin that nobody had enabled when the restored data were first used."""
    ledger.store.knows_node = False
    files = LaneFiles(ledger.store, CHAIN)  # as the running node has them open
    OfflineDesk(ledger.store, CHAIN, Settings(events_plugins={"other": PluginSettings()})).close()
    lane = files.recover(NAME, "genesis")
    files.close()
    assert (lane.state, lane.progress) == (State.STOPPED, Progress(0, 0))


def test_p8_a_plugin_that_ran_and_whose_row_is_gone_does_not_begin_anew(ledger: Ledger) -> None:
    """All that came since its last event is passed over, as it begins at `now`."""
    ledger.left(State.STOPPED, Progress(2, 2))
    ledger.store.node.note_run(NAME)
    with closing(sqlite3.connect(ledger.store.directory.node)) as connection, connection:
        connection.execute("DELETE FROM lanes")  # what was written with it is left
    lane = ledger.next_node()
    assert lane.state is State.GAPPED
    assert "row of lane 'sales' is gone" in lane.error
    assert lane.error.endswith("plugins seek sales position:3")
    ledger.order(Seek("position:3"))
    assert (ledger.next_node().state, ledger.next_node().progress) == (State.STOPPED, Progress(2, 2))


@pytest.mark.parametrize("fault", ["", "shorter", "other", "older", "restored", "unknown", "damaged"])
def test_p8_a_stopped_lane_is_shown_as_the_next_start_finds_it(ledger: Ledger, fault: str) -> None:
    """Who lists the plugins after a restore must see what the start will ask of a person."""
    store, lanes = ledger.store, ledger.store.directory.lanes
    if fault != "unknown":
        ledger.left(State.STOPPED, Progress(7, 7) if fault == "shorter" else Progress(3, 4, (4,)))
    match fault:
        case "other":
            row = store.node.lane(NAME)
            assert row is not None
            store.node.save_lanes({replace(row, acked_digest=bytes(32)): ()})
        case "older":
            page_path(lanes, NAME, 1).rename(page_path(lanes, NAME, 3))
        case "restored" | "unknown":
            store.knows_node = store.node.is_new = False
            with closing(sqlite3.connect(store.directory.ledger)) as connection, connection:
                connection.execute("UPDATE local SET node_id = 'of another'")
        case "damaged":
            flip(store.directory.node, Column("lanes", "acked"), at=0.0)
    (kept,) = kept_lanes(store.directory, {NAME: PluginSettings()}, is_compared=True)
    lane = ledger.next_node()
    assert (kept.state, kept.error) == (lane.state, lane.error)
    assert kept.state is (State.GAPPED if fault else State.STOPPED)
    assert kept.error_at is None
    assert [one.state for one in kept_lanes(store.directory, {}, is_compared=True)] == (
        [] if fault == "unknown" else [State.DISABLED]
    )
