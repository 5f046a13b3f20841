"""A copy of a file of the store shows the moment at which it begins, whatever others write meanwhile."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.store import NodeDb, database
from bigchaindb.store.backup import back_up_node
from bigchaindb.store.database import Progress
from bigchaindb.store.own import Outbox


def test_a_copy_of_node_db_does_not_show_what_was_written_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that followed the writes of a busy node would begin again after each, and never end."""
    copy = database.backup

    def write_then_copy(source: sqlite3.Connection, target: Path, progress: Progress) -> None:
        Outbox(node).put([("a" * 64, b"later")])
        copy(source, target, progress)

    monkeypatch.setattr("bigchaindb.store.backup.backup", write_then_copy)
    with closing(NodeDb(tmp_path / "node.db")) as node:
        Outbox(node).put([("b" * 64, b"earlier")])
        back_up_node(tmp_path / "node.db", tmp_path / "copy.db")
    with closing(NodeDb(tmp_path / "copy.db")) as copied:
        assert [body for _, body in Outbox(copied).all()] == [b"earlier"]
