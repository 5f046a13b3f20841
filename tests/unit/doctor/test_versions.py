"""What `doctor` finds in the headers of the databases, before a start does."""

from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.doctor.files import examine_tip
from bigchaindb.doctor.versions import examine_versions
from bigchaindb.errors import StoreError
from bigchaindb.store import Store
from bigchaindb.store.beside import read_node
from bigchaindb.store.database import open_writer
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.migrations import LEDGER_VERSION
from tests.support.damage import make_older


@pytest.mark.parametrize(
    ("version", "status", "text"),
    [
        (LEDGER_VERSION, None, ""),
        (LEDGER_VERSION + 1, "fix", f"schema {LEDGER_VERSION + 1} was written by a later version of this software"),
        (LEDGER_VERSION ^ 2, "fix", f"ledger.db: schema {LEDGER_VERSION ^ 2} has no "),  # a bit has flipped
        (0, "fix", "ledger.db: holds the tables of some other software, or its first page is damaged"),
    ],
)
def test_a_schema_is_named_as_a_start_names_it(tmp_path: Path, version: int, status: str | None, text: str) -> None:
    directory = DataDirectory(tmp_path / "data")
    Store(directory.path).close()
    with closing(open_writer(directory.ledger)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    found = list(examine_versions(directory))
    assert [one.status for one in found] == ([] if status is None else [status])
    assert all(text in one.text and str(directory.ledger) in one.text and one.advice for one in found)


@pytest.mark.parametrize("has_node", [True, False])
def test_a_ledger_of_an_earlier_version_is_named_and_what_it_has_lost(tmp_path: Path, *, has_node: bool) -> None:
    """The next start brings it up to date, and would make an empty node.db beside it."""
    directory = DataDirectory(tmp_path / "data")
    Store(directory.path).close()
    make_older(directory, LEDGER_VERSION - 1)
    if not has_node:
        directory.node.write_bytes(b"")
    note, *more = examine_versions(directory)
    assert note.status == "note"
    assert f"schema {LEDGER_VERSION - 1} is of an earlier version; the next start brings it" in note.text
    assert [(one.status, "node.db is missing or empty" in one.text) for one in more] == [("fix", True)] * (not has_node)


@pytest.mark.parametrize("is_empty", [True, False], ids=["empty", "missing"])
def test_a_node_db_that_is_lost_is_named(tmp_path: Path, *, is_empty: bool) -> None:
    """A start makes a new one, in which no lane knows where it was."""
    directory = DataDirectory(tmp_path / "data")
    Store(directory.path).close()
    directory.node.unlink()
    if is_empty:
        directory.node.touch()
    with pytest.raises(StoreError, match=r"^node\.db is missing or empty; .* wait as GAPPED"):
        read_node(directory)
    [found] = examine_tip(directory)
    assert found.text.startswith(f"{directory.path}: node.db is missing"), "the ledger is whole"
    assert found.advice.startswith("put node.db back"), "a backup would lose what came after it"


def test_a_ledger_that_cannot_be_read_is_restored(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    Store(directory.path).close()
    directory.ledger.write_bytes(bytes(8_192))
    [found] = examine_tip(directory)
    assert (found.status, found.advice) == ("fix", "restore a backup")
