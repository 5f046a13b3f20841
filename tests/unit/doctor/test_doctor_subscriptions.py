"""What `doctor` finds about subscriptions, in a node.db as nodes leave it."""

from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.config import PluginSettings, Settings
from bigchaindb.doctor.finding import Finding
from bigchaindb.doctor.subscriptions import examine_subscriptions
from bigchaindb.store import LaneRow, Store, SubscriptionRow, TroubleRow
from bigchaindb.store.database import open_writer
from bigchaindb.store.directory import DataDirectory
from tests.support.damage import make_older_node


def put(store: Store, name: str, *, state: str = "STOPPED", error: str | None = None, definition: str = "{}") -> None:
    """Write a subscription down, as a node does."""
    lane = LaneRow(name, 0, 0, 0, bytes(32), state, 1.5, error, 1.5)
    store.node.put_subscription(SubscriptionRow(name, definition, 1.5, 0), lane)


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    """The data of a node with four subscriptions."""
    with closing(Store(tmp_path / "data")) as store:
        put(store, "audit")
        store.node.park(TroubleRow("audit", 1, 5, 5, 1.5, "no", 2.5))
        put(store, "billing", state="GAPPED", error="these data were restored")
        put(store, "future", definition='{"log": "votes"}')
        put(store, "sales")
    return DataDirectory(tmp_path / "data")


def findings(directory: DataDirectory, *plugins: str) -> list[Finding]:
    """Return what is found with these plugins enabled."""
    return list(examine_subscriptions(Settings(events_plugins=dict.fromkeys(plugins, PluginSettings())), directory))


def test_what_waits_for_a_person_is_named_with_the_way_on(directory: DataDirectory) -> None:
    future, summary, billing = findings(directory)
    assert (summary.status, summary.text) == ("ok", "4, with 1 parked events")
    assert (billing.subject, billing.text) == ("subscription billing", "GAPPED these data were restored")
    assert "bigchaindb plugins seek billing WHERE" in billing.advice
    assert (future.subject, future.status) == ("subscription future", "fix")
    assert "of a later version: log: must be 'events' or 'rejected', found 'votes'" in future.text


def test_a_name_that_a_plugin_has_too_is_found(directory: DataDirectory) -> None:
    found = next(one for one in findings(directory, "sales") if one.subject == "subscription sales")
    assert found.status == "fix"
    assert "events_plugins.sales: a subscription has this name" in found.text


def test_a_damaged_one_is_named(directory: DataDirectory) -> None:
    with closing(open_writer(directory.node)) as connection:
        connection.execute("UPDATE subscriptions SET definition = '[]' WHERE name = 'audit'")
    found = findings(directory)[0]
    assert (found.subject, found.status) == ("subscriptions", "fix")
    assert "node.db: subscriptions audit is not what was written" in found.text


def test_nothing_is_said_where_there_is_none(tmp_path: Path, directory: DataDirectory) -> None:
    assert findings(DataDirectory(tmp_path / "none")) == []
    make_older_node(directory.node, 5)
    assert findings(directory) == []


def test_a_node_db_that_cannot_be_read_is_a_finding(directory: DataDirectory) -> None:
    directory.node.write_bytes(b"nothing" * 1000)
    (found,) = findings(directory)
    assert (found.status, found.advice) == ("fix", "restore a backup")
