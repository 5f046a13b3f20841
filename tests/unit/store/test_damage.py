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
from bigchaindb.store import Store
from bigchaindb.store.checking import Checked, check_directory
from bigchaindb.store.directory import DataDirectory
from tests.support.damage import DAMAGED, GENERATION_ROWS, Column, Written, answers, columns, flip, write, write_older


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Written, dict[str, Any]]:
    """Return a folder with rows in all tables, and what is answered from it."""
    path = tmp_path_factory.mktemp("whole") / "data"
    with closing(_open(path)) as store:
        written = write(store)
        found = answers(store, written)
        assert DAMAGED not in found.values()
    return path, written, found


def _open(path: Path) -> Store:
    return Store.open(path, page_count_max=3, generation_rows=GENERATION_ROWS)


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
def test_no_answer_holds_what_a_flipped_bit_made(
    whole: tuple[Path, Written, dict[str, Any]], column: Column, at: float, tmp_path: Path
) -> None:
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
def test_a_check_names_what_a_flipped_bit_changed(
    whole: tuple[Path, Written, dict[str, Any]], column: Column, at: float, tmp_path: Path
) -> None:
    directory = DataDirectory(tmp_path / "data")
    copytree(whole[0], directory.path)
    flip(directory.ledger, column, at=at)
    checked = check_directory(directory, lambda _done, _total: None)
    assert checked.damages, f"{column} was changed unnoticed"


def test_a_check_of_a_whole_ledger_finds_nothing(whole: tuple[Path, Written, dict[str, Any]]) -> None:
    path, written, _ = whole
    told: list[tuple[int, int]] = []
    before = sorted(file.name for file in path.iterdir())
    for is_copy in (True, False):
        checked = check_directory(DataDirectory(path), lambda *done: told.append(done), is_copy=is_copy)
        assert checked == Checked(
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
