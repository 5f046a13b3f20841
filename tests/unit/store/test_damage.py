"""What is damaged on the disk is refused by every read, and served by none.

The ledger says amounts and owners: a bit that flips in it must never reach a client, a plugin or a vote.
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
from tests.support.damage import DAMAGED, GENERATION_ROWS, Column, Written, answers, columns, flip, write

UNREAD = {
    # Written for those who look after the file; `bigchaindb check` reads them.
    *(Column(table, "one") for table in ("tip", "local", "network", "indexing", "unchecked")),
}
"""Columns whose change no read can show, each with its reason."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Written, dict[str, Any]]:
    """Give a folder with rows in all tables, and what is answered from it."""
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
        # A hit that is not found is a miss, and never another value: no read can tell it, `bigchaindb check` does.
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
    assert is_found or column in UNREAD or column.is_index or column.is_search, f"{column} was changed unnoticed"
