"""What is damaged on the disk is refused by every read, and served by none.

The ledger holds amounts and owners: a bit that flips in it must never reach a client, a plugin or a vote.
"""

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from bigchaindb.errors import StoreDamaged
from bigchaindb.ledger.view import LoadedView
from bigchaindb.store import NodeDb, Store
from bigchaindb.store.checking import CheckedLedger, check_directory
from bigchaindb.store.damages import Damages
from bigchaindb.store.database import open_writer
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.migrations import NODE_STEPS
from tests.support.damage import (
    DAMAGED,
    GENERATION_ROWS,
    Whole,
    answers,
    later_answers,
    node_answers,
    write_node,
    write_older,
    write_whole,
)
from tests.support.flips import Column, columns, flip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    path = tmp_path_factory.mktemp("whole") / "data"
    return write_whole(path, generation_rows=GENERATION_ROWS)


def _open(path: Path) -> Store:
    return Store(path, generation_rows=GENERATION_ROWS)


def _compare(column: Column, found: dict[str, Any], whole: dict[str, Any]) -> None:
    genuine = {id(one): one for one in _values(list(whole.values()))}.values()
    for name, answer in found.items():
        if answer == DAMAGED or answer == whole[name]:
            continue
        # A lost hit is a miss, and never another value: no read can notice it, `bigchaindb check` does.
        assert column.is_index or column.is_search, (name, answer, whole[name])
        assert all(one in genuine for one in _values(answer)), (name, answer, whole[name])


def _values(answer: Any) -> Iterator[Any]:
    """Take an answer apart into what it says of the ledger."""
    match answer:
        case list():
            for one in answer:
                yield from _values(one)
        case LoadedView():
            yield from answer.present
            yield from answer.outputs.items()
        case None:
            pass
        case _:
            yield answer


@pytest.mark.parametrize("at", [0.0, 0.999])
@pytest.mark.parametrize("column", columns(), ids=".".join)
def test_no_answer_holds_what_a_flipped_bit_made(whole: Whole, column: Column, at: float, tmp_path: Path) -> None:
    """In memory the first rows are not, and the last ones are; a node that starts again reads all of them anew."""
    path, (source, written, before) = tmp_path / "data", whole
    copytree(source, path)
    with closing(_open(path)) as store:
        flip(store.directory.ledger, column, at=at)
        running = answers(store, written)
    _compare(column, running, before)
    again: dict[str, Any] = {"start": DAMAGED}
    with suppress(StoreDamaged), closing(_open(path)) as store:
        again = answers(store, written)
    if len(again) > 1:
        _compare(column, again, before)
    is_found = DAMAGED in running.values() or DAMAGED in again.values()
    assert is_found or column.is_index or column.is_search, f"{column} was changed unnoticed"


@pytest.mark.parametrize("at", [0.0, 0.999])
@pytest.mark.parametrize("column", columns(), ids=".".join)
def test_a_check_names_what_a_flipped_bit_changed(whole: Whole, column: Column, at: float, tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    copytree(whole[0], directory.path)
    flip(directory.ledger, column, at=at)
    checked = check_directory(directory, lambda _done, _total: None)
    assert checked.damages, f"{column} was changed unnoticed"


@pytest.mark.parametrize("at", [0.0, 0.999])
@pytest.mark.parametrize("column", columns(NODE_STEPS), ids=".".join)
def test_no_read_of_node_db_holds_what_a_flipped_bit_made(
    whole: Whole, column: Column, at: float, tmp_path: Path
) -> None:
    """A cursor, a parked event or a verdict that is another than what was written skips or repeats in silence."""
    directory = DataDirectory(tmp_path / "data")
    copytree(whole[0], directory.path)
    with closing(NodeDb(directory.node)) as node:
        write_node(node)
        before = node_answers(node) | later_answers(node)
        assert DAMAGED not in before.values()
    flip(directory.node, column, at=at)
    checked = check_directory(directory, lambda _done, _total: None)
    assert {(one.file, one.table) for one in checked.damages} == {("node.db", column.table)}

    damages = Damages()
    with closing(NodeDb(directory.node, damages)) as node:
        after = node_answers(node) | later_answers(node)
    assert damages.first is not None, f"{column} was changed unnoticed"
    assert damages.first.table == column.table
    assert str(damages.first).startswith(f"node.db: {column.table} ")
    for name, answer in after.items():
        if name in {"outbox", "rejections", "bodies", "rejected", "keys", "subscriptions"}:
            assert all(one in before[name] for one in answer)
        elif name.startswith("parked") and column in {Column("troubles", "lane"), Column("troubles", "position")}:
            # Lists are looked up by key; a lane goes by none of them before `troubles` has read all rows.
            assert answer == DAMAGED or all(one in before[name] for one in answer)
        elif name != "id":  # a damaged one is replaced
            assert answer in (before[name], DAMAGED), name
    if column.table == "troubles":
        assert DAMAGED in (after["troubles audit"], after["troubles print"])


def test_a_byte_of_a_text_that_is_no_utf_8_is_damage_of_its_row(tmp_path: Path) -> None:
    """SQLite's own error names no row, and would keep all lanes from going on."""
    path = tmp_path / "node.db"
    with closing(NodeDb(path)) as node:
        write_node(node)
        with closing(open_writer(path)) as connection:
            connection.execute("UPDATE lanes SET name = CAST(x'e1756469' AS TEXT) WHERE name = 'audit'")
        assert node.lane_names() == ["print", "\ufffdudi"]
        assert node.lane("print") is not None
        with pytest.raises(StoreDamaged, match="lanes \ufffdudi is not what was written"):
            node.lane("audit")


@pytest.mark.parametrize("table", ["access_keys", "node", "subscriptions"])
def test_a_table_that_is_gone_is_damage_that_a_backup_mends(table: str, tmp_path: Path) -> None:
    """SQLite's own error says no way on, and the keys of a node would read as if there were none."""
    with closing(Store(tmp_path)):
        pass
    with closing(open_writer(tmp_path / "node.db")) as connection:
        connection.execute(f"DROP TABLE {table}")
    gone = f"node.db: there is no table {table}; stop, and restore a backup"
    for opening in (Store, lambda folder: NodeDb(folder / "node.db", read_only=True)):
        with pytest.raises(StoreDamaged, match=gone):
            opening(tmp_path)
    [damage] = check_directory(DataDirectory(tmp_path), lambda *_: None).damages
    assert gone in str(damage)


def test_a_check_of_a_whole_ledger_finds_nothing(whole: Whole) -> None:
    path, written, _ = whole
    told: list[tuple[int, int]] = []
    before = sorted(file.name for file in path.iterdir())
    for is_copy in (True, False):
        checked = check_directory(DataDirectory(path), lambda *done: told.append(done), is_copy=is_copy)
        assert checked == CheckedLedger(
            written.height, written.position, len(written.transactions), (), is_cut=False, unchecked_count=0
        )
        if is_copy:
            assert sorted(file.name for file in path.iterdir()) == before
    assert told[-1] == (written.position, written.position)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_check_reads_what_an_older_version_has_written(version: int, tmp_path: Path) -> None:
    """A backup from before an upgrade must be as good as it was."""
    directory = DataDirectory(tmp_path / "data")
    written = write_older(directory, version)
    checked = check_directory(directory, lambda _done, _total: None, is_copy=True)
    assert checked.damages == ()
    assert checked.unchecked_count == checked.position == written.position
    flip(directory.ledger, Column("outputs", "amount"), at=0.5)
    checked = check_directory(directory, lambda _done, _total: None, is_copy=True)
    assert [damage.table for damage in checked.damages] == ["outputs"]
