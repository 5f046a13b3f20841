"""A page or a header that is damaged: the check names whose it is, and a start serves what lies elsewhere."""

import sqlite3
from contextlib import closing
from pathlib import Path
from shutil import copytree
from typing import Final

import pytest

from bigchaindb.store import NodeDb, Store
from bigchaindb.store.backup import back_up_ledger, back_up_node
from bigchaindb.store.checking import check_directory
from bigchaindb.store.checking_file import check_header
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.migrations import CHECKSUM_VERSION
from tests.support.damage import DAMAGED, Whole, answers, make_older_node, write_node, write_older

PAGE_BYTES: Final = 4096
TREES: Final = (
    *("transactions", "outputs", "events", "votes", "proofs", "tip", "local", "indexing", "network", "unchecked"),
    *("named", "naming"),
    *("transaction_checksums", "event_checksums", "transaction_index", "asset_index", "owner_index", "block_index"),
    *("assets_search_data", "metadata_search_data", "assets_search_docsize", "valid_height", "invalid_position"),
)


@pytest.fixture
def directory(whole: Whole, tmp_path: Path) -> DataDirectory:
    copytree(whole[0], tmp_path / "data")
    return DataDirectory(tmp_path / "data")


def _root(ledger: Path, tree: str) -> int:
    with closing(sqlite3.connect(ledger)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (tree,)).fetchone()
    return int(root)


def _change(path: Path, start: int, to: int) -> None:
    content = bytearray(path.read_bytes())
    content[start] = to
    path.write_bytes(content)


def _checked(directory: DataDirectory, *, is_copy: bool) -> set[tuple[str, str]]:
    damages = check_directory(directory, lambda *_: None, is_copy=is_copy).damages
    return {(one.file, one.table) for one in damages}


@pytest.mark.parametrize("tree", TREES)
def test_a_check_names_the_tree_of_a_page_that_cannot_be_read(directory: DataDirectory, tree: str) -> None:
    """A person who reads "file" does not know whether the ledger or its search is lost."""
    _change(directory.ledger, (_root(directory.ledger, tree) - 1) * PAGE_BYTES, 0)
    for is_copy in (True, False):
        found = _checked(directory, is_copy=is_copy)
        assert ("ledger.db", tree) in found
        assert ("ledger.db", "file") not in found


def test_a_check_names_the_schema(directory: DataDirectory) -> None:
    _change(directory.ledger, 100, 0)
    assert _checked(directory, is_copy=True) == {("ledger.db", "sqlite_schema")}


@pytest.mark.parametrize("at", [0, 15, 16, 18, 19, 20, 23, 47, 59, 72, 91])
@pytest.mark.parametrize("name", ["ledger.db", "node.db"])
def test_a_check_reads_the_header(directory: DataDirectory, name: str, at: int) -> None:
    """SQLite reads past some of it, and a start cannot write then."""
    path = directory.path / name
    assert list(check_header(path)) == []
    _change(path, at, path.read_bytes()[at] ^ 4)
    (damage,) = check_header(path)
    assert str(damage).startswith(f"{name}: header byte ")
    assert (name, "header") in _checked(directory, is_copy=True)


@pytest.mark.parametrize("tree", ["transactions", "outputs", "events", "transaction_checksums", "event_checksums"])
def test_a_start_serves_what_lies_beside_a_page_that_cannot_be_read(
    directory: DataDirectory, whole: Whole, tree: str
) -> None:
    """A page among the rows that a start reads into memory refused it: nothing was served at all."""
    _, written, before = whole
    _change(directory.ledger, (_root(directory.ledger, tree) - 1) * PAGE_BYTES, 0)
    with closing(Store(directory.path, generation_rows=1 << 20)) as store:
        after = answers(store, written)
        assert store.damages.first is not None
    assert all(answer in (before[name], DAMAGED) for name, answer in after.items() if not name.startswith("view"))
    assert after["height"] == before["height"]


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
def test_a_stopped_folder_of_an_older_version_is_checked_and_backed_up(version: int, tmp_path: Path) -> None:
    """Who upgrades makes a backup first, and may have the new version installed by then."""
    directory = DataDirectory(tmp_path / "data")
    written = write_older(directory, version)
    with closing(NodeDb(directory.node)) as node:
        write_node(node)
    make_older_node(directory.node, 3)
    checked = check_directory(directory, lambda *_: None)
    unchecked_count = written.position if version < CHECKSUM_VERSION else 0
    assert (checked.damages, checked.position, checked.unchecked_count) == ((), written.position, unchecked_count)
    copy = DataDirectory(tmp_path / "copy")
    copy.path.mkdir()
    tip = back_up_ledger(directory.ledger, copy.ledger, lambda *_: None)
    back_up_node(directory.node, copy.node)
    assert tip.position == written.position
    assert check_directory(copy, lambda *_: None, is_copy=True).damages == ()
    with closing(NodeDb(copy.node)) as node, closing(NodeDb(directory.node)) as other:
        assert (node.id == other.id, node.lane("print")) == (False, other.lane("print"))
