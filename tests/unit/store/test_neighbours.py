"""A flipped bit in the key of an index, where it stands: what it hides is no miss.

`test_damage.py` changes keys by SQL, which moves their rows to where the new keys belong; a disk does not.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from shutil import copytree
from typing import Final

import pytest

from bigchaindb.errors import StoreDamaged
from bigchaindb.ledger.view import Needs
from bigchaindb.store import Store
from bigchaindb.store.neighbours import INDEXES
from bigchaindb.transaction.model import OutputRef
from tests.support.damage import DAMAGED, FEW_ROWS, Whole, answers

PAGE_BYTES: Final = 4096


def _flip(ledger: Path, index: str, at: float, bit: int) -> int:
    """Change a bit of a key in its page; return the row's number."""
    with closing(sqlite3.connect(ledger)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (index,)).fetchone()
        rows = connection.execute(f"SELECT key, {INDEXES[index]} FROM {index}").fetchall()
    key, number = rows[int(len(rows) * at)]
    content = bytearray(ledger.read_bytes())
    start = content.index(key.to_bytes(8, "big", signed=True), (root - 1) * PAGE_BYTES, root * PAGE_BYTES)
    content[start + bit // 8] ^= 1 << bit % 8
    ledger.write_bytes(content)
    return int(number)


@pytest.mark.parametrize("bit", [7, 0, 63, 56], ids=["highest", "high", "low", "lowest"])
@pytest.mark.parametrize("at", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("index", INDEXES)
def test_no_miss_is_what_a_flipped_bit_made(whole: Whole, index: str, at: float, bit: int, tmp_path: Path) -> None:
    """A transaction that was committed would be answered with 404."""
    source, written, before = whole
    copytree(source, tmp_path / "data")
    _flip(tmp_path / "data" / "ledger.db", index, at, bit)
    with closing(Store(tmp_path / "data", generation_rows=FEW_ROWS)) as store:
        after = answers(store, written)
    found = {name: answer for name, answer in after.items() if not name.startswith("view")}
    assert all(answer in (before[name], DAMAGED) for name, answer in found.items())
    if index in {"transaction_index", "block_index"}:  # else rows of one key are read from one to the next
        assert DAMAGED in found.values()


def test_no_input_is_missing_because_of_a_flipped_bit(whole: Whole, tmp_path: Path) -> None:
    """A validator would vote against a block that all others take."""
    source, written, _ = whole
    copytree(source, tmp_path / "data")
    number = _flip(tmp_path / "data" / "ledger.db", "transaction_index", 0.5, 7)
    with closing(Store(tmp_path / "data", generation_rows=FEW_ROWS)) as store:
        needs = Needs({"00" * 32}, {OutputRef(written.transactions[number - 1].id, 0)})
        with pytest.raises(StoreDamaged, match=r"transaction_index .* leads to no row of that hash"):
            store.writer.view(needs)
