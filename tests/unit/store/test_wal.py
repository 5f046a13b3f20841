"""A write-ahead log that lost what was committed, beside those that a crash leaves: decision 0173."""

import errno
import random
import shutil
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.backup import back_up
from bigchaindb.errors import StoreDamaged, StoreError
from bigchaindb.identity import make_chain_id
from bigchaindb.store import Store
from bigchaindb.store.checking_file import check_log
from bigchaindb.store.database import batch, open_reader, open_writer
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.wal import complaint, require_whole

HEADER_BYTES: Final = 32
FRAME_BYTES: Final = 24 + 4096
COMMIT_COUNT: Final = 5


def commit(folder: Path, numbers: Iterable[int], *, until: str) -> list[int]:
    """Commit some pages for each number, and copy the files to another folder in the middle; return the ends.

    Returns:
        How many frames there were after each commit.
    """
    log, ends = folder / "file.db-wal", []
    with closing(open_writer(folder / "file.db")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER, text TEXT)")
        for number in numbers:
            with batch(connection):
                connection.execute("INSERT INTO t VALUES (?, ?)", (number, 10_000 * chr(ord("a") + number)))
            ends.append((log.stat().st_size - HEADER_BYTES) // FRAME_BYTES)
        shutil.copytree(folder, folder.with_name(until))
    return ends


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A database as a kill leaves it."""
    (tmp_path / "first").mkdir()
    commit(tmp_path / "first", range(COMMIT_COUNT), until="killed")
    return tmp_path / "killed" / "file.db"


@pytest.fixture
def ends(tmp_path: Path) -> list[int]:
    """How many frames its log had after each commit."""
    (tmp_path / "again").mkdir()
    return commit(tmp_path / "again", range(COMMIT_COUNT), until="another")


def changed(database: Path, start: int, to: bytes) -> bytes:
    """Change the log, of which the bytes before are returned."""
    log = database.with_name("file.db-wal")
    before = log.read_bytes()
    log.write_bytes(before[:start] + to + before[start + len(to) :])
    return before


def numbers(database: Path) -> list[int]:
    """Read what SQLite finds."""
    with closing(open_reader(database)) as reader:
        return [number for (number,) in reader.execute("SELECT n FROM t")]


def flips(before: bytes, frames: range) -> Iterator[tuple[int, int, bytes]]:
    """Yield one bit of each part of each frame: number of the frame, place, and the byte with the bit turned."""
    drawn = random.Random(1)
    for frame in frames:
        for part in (range(8), range(8, 16), range(16, 24), range(24, FRAME_BYTES)):
            at = HEADER_BYTES + (frame - 1) * FRAME_BYTES + drawn.choice(part)
            yield frame, at, bytes([before[at] ^ 1 << drawn.randrange(8)])


def test_a_flipped_bit_before_the_last_commit_is_found(killed: Path, ends: list[int]) -> None:
    """SQLite would end the ledger there without a word, and the next blocks would take the positions of others."""
    before = killed.with_name("file.db-wal").read_bytes()
    for frame, at, to in flips(before, range(1, ends[-2] + 1)):
        changed(killed, at, to)
        assert f"file.db-wal: frame {frame} is not what was written" in (complaint(killed) or ""), (frame, at)
        changed(killed, 0, before)
    require_whole(killed)


@pytest.mark.parametrize("to", [b"\1", bytes(HEADER_BYTES)], ids=["a bit", "zeros"])
def test_a_damaged_header_is_found(killed: Path, to: bytes) -> None:
    changed(killed, 12, to) if len(to) == 1 else changed(killed, 0, to)
    with pytest.raises(StoreDamaged, match=r"file\.db-wal: the header is not what was written, .*restore a backup"):
        require_whole(killed)


def test_nobody_writes_behind_it_and_it_stays_as_it_is(killed: Path, ends: list[int]) -> None:
    """SQLite deletes a log with the last connection that could write, and a second start would see nothing."""
    log = killed.with_name("file.db-wal")
    changed(killed, HEADER_BYTES + ends[0] * FRAME_BYTES + 100, b"\1")
    found = log.read_bytes()
    for _ in range(2):
        assert numbers(killed) == [0]
        with pytest.raises(StoreDamaged, match=rf"file\.db-wal: frame {ends[0] + 1} is not what was written"):
            open_writer(killed)
        assert log.read_bytes() == found


def test_what_a_power_cut_leaves_of_the_last_commit_is_no_damage(killed: Path, ends: list[int]) -> None:
    """Pages reach a disk in any order until they are synced: whatever is missing was never committed."""
    log = killed.with_name("file.db-wal")
    before = log.read_bytes()
    last = range(ends[-2], ends[-1])
    for drawn in range(1 << len(last)):
        torn = bytearray(before)
        for frame in (frame for bit, frame in enumerate(last) if drawn >> bit & 1):
            start = HEADER_BYTES + frame * FRAME_BYTES
            torn[start : start + FRAME_BYTES] = bytes(FRAME_BYTES)
        log.write_bytes(torn)
        assert complaint(killed) is None, drawn
    for size in range(0, len(before), 1_000):
        log.write_bytes(before[:size])
        assert complaint(killed) is None, size


def test_what_is_left_behind_the_end_is_no_damage(killed: Path, ends: list[int], tmp_path: Path) -> None:
    """Of a commit that was torn, behind a shorter one; of the log before, behind one that started over."""
    changed(killed, HEADER_BYTES + ends[-2] * FRAME_BYTES, bytes(FRAME_BYTES))
    with closing(open_writer(killed)) as connection:
        with batch(connection):
            connection.execute("UPDATE t SET n = 7 WHERE n = 0")
        shutil.copytree(killed.parent, tmp_path / "shorter")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        with batch(connection):
            connection.execute("UPDATE t SET n = 8 WHERE n = 7")
        shutil.copytree(killed.parent, tmp_path / "over")
    for name, first in (("shorter", 7), ("over", 8)):
        assert complaint(tmp_path / name / "file.db") is None
        assert numbers(tmp_path / name / "file.db") == [first, *range(1, COMMIT_COUNT - 1)]


def test_what_a_kill_left_unsynced_is_synced_before_more_follows(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a power cut at the next commit may take it, and leave frames that continue it."""
    seen = []

    def fail(path: Path) -> None:
        seen.append(path.name)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("bigchaindb.store.database.sync", fail)
    with pytest.raises(
        StoreError, match=r"^file\.db: its write-ahead log cannot be synced \(Input/output error\); look"
    ):
        open_writer(killed)
    assert seen == ["file.db-wal"]


def test_no_log_and_an_empty_one_are_whole(tmp_path: Path) -> None:
    require_whole(tmp_path / "file.db")
    (tmp_path / "file.db-wal").touch()
    require_whole(tmp_path / "file.db")


@pytest.mark.parametrize("name", ["ledger.db", "node.db"])
def test_l6_a_node_does_not_start_over_it_and_no_backup_is_made(tmp_path: Path, name: str) -> None:
    """A ledger that ends at an earlier block would be served as whole."""
    with closing(Store(tmp_path / "data")) as store:
        make_chain_id(tmp_path / "data")
        for _ in range(2):
            with store.node.batch() as connection:
                connection.execute("UPDATE node SET id = id")
        shutil.copytree(tmp_path / "data", tmp_path / "killed")
    directory = DataDirectory(tmp_path / "killed")
    directory.path.chmod(0o700)
    log = directory.path / f"{name}-wal"
    content = bytearray(log.read_bytes())
    content[HEADER_BYTES + 100] ^= 1
    log.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StoreDamaged, match=f"{name}-wal: frame 1 is not what was written"):
            Store(directory.path)
    with pytest.raises(StoreDamaged, match=f"{name}-wal: frame 1 is not what was written"):
        back_up(directory, tmp_path / "copy", with_key=False, progress=lambda *_: None)
    (damage,) = check_log(directory.path / name)
    assert str(damage).startswith(f"{name}: write-ahead log -: {name}-wal: frame 1 is not what was written")
