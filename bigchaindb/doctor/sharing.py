"""Tests whether two processes share memory and locks in a folder, which some network and container mounts break.

The node writes and plugins read the same SQLite files through a shared-memory index, and one lock keeps a second node
out: where either is not shared, data is lost in silence. The test is a writer and a reader, with 100 commits.

`python -m bigchaindb.doctor.sharing FOLDER` is the reader.
"""

import fcntl
import os
import select
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

COMMIT_COUNT: Final = 100
DEADLINE_S: Final = 15.0
"""Time for the reader once the last commit is made. The commits take what the disk takes."""

_DATABASE: Final = "probe.db"
_LOCK: Final = "lock"
_FINE: Final = "fine"


def complaint(folder: Path) -> str | None:
    """Run the test in `folder`, which is left as it was; return the fault, None without one."""
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".sharing-", ignore_cleanup_errors=True) as trial:
            return _tried(Path(trial))
    except (OSError, sqlite3.Error) as error:
        return f"the test failed: {error}"


def _tried(trial: Path) -> str | None:
    with closing(_connect(trial)) as writer, (trial / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (mode,) = writer.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            return f"SQLite can only use journal mode {mode!r} here, which needs no shared memory"
        writer.execute("CREATE TABLE counter (value INTEGER NOT NULL)")
        writer.execute("INSERT INTO counter VALUES (0)")
        return _watched(trial, writer)


def _watched(trial: Path, writer: sqlite3.Connection) -> str | None:
    command = [sys.executable, "-m", "bigchaindb.doctor.sharing", str(trial)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:  # noqa: S603 - our own
        assert reader.stdout is not None
        try:
            if not reader.stdout.readline():
                return "the reading process could not open the database"
            for _ in range(COMMIT_COUNT):
                writer.execute("UPDATE counter SET value = value + 1")
            writer.execute("BEGIN IMMEDIATE")  # held while the reader tries the same
            verdict = reader.communicate("held\n", timeout=DEADLINE_S)[0].strip()
        except subprocess.TimeoutExpired:
            return f"the reading process did not end within {DEADLINE_S:g} s"
        finally:
            reader.kill()
    return None if verdict == _FINE else verdict or "the reading process died"


def _read(trial: Path) -> str:
    """Run the reader: it must see commits in order, all once the writer is done, and be kept out of its locks."""
    with closing(_connect(trial)) as reader:
        value = _value(reader)
        _tell("ready")
        is_done = False
        while not is_done:
            is_done = bool(select.select([sys.stdin], [], [], 0)[0])  # before the read, which must see all of them then
            before, value = value, _value(reader)
            if value < before:
                return f"a reader saw commit {before} and then only {value}: shared memory is not shared"
        if value < COMMIT_COUNT:
            return f"a reader saw {value} of {COMMIT_COUNT} commits: shared memory is not shared"
        return _kept_out(trial, reader)


def _kept_out(trial: Path, reader: sqlite3.Connection) -> str:
    try:
        reader.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        pass
    else:
        return "two processes could write at the same time: SQLite's locks are not shared"
    descriptor = os.open(trial / _LOCK, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _FINE
    finally:
        os.close(descriptor)
    return "two processes could take the same lock: locks are not shared"


def _connect(trial: Path) -> sqlite3.Connection:
    return sqlite3.connect(trial / _DATABASE, isolation_level=None, timeout=0)


def _value(connection: sqlite3.Connection) -> int:
    ((value,),) = connection.execute("SELECT value FROM counter").fetchall()
    return int(value)


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _tell(_read(Path(sys.argv[1])))
