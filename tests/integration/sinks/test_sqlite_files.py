"""The SQLite sink's file: of another plugin, ledger or version, in use, damaged, or copied."""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.delivery import Per
from bigchaindb.delivery.rows import Rows, rows_of
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.events import Unavailable
from bigchaindb.simulated.chain import events
from bigchaindb.sinks import sqlite_file
from bigchaindb.sinks.sqlite_file import RowsFile
from bigchaindb.sinks.sqlite_schema import APPLICATION_ID, VERSION
from bigchaindb.testing.sinks import RECIPE, check, expected
from tests.support.small_disk import small_disk
from tests.support.sqlite_tables import OTHER, PLUGIN, Tables, ask, pairs


@pytest.fixture
def target(sqlite_target: Tables) -> Tables:
    return sqlite_target


class TestOtherFiles:
    """Whatever else is there stays as it is, with one sentence about it."""

    def refused(self, path: Path, why: str, plugin: str = PLUGIN) -> None:
        before = path.read_bytes()
        assert why in try_plugin(PLUGIN, {"path": str(path)}, with_check=True).error or plugin != PLUGIN
        with pytest.raises(Unavailable, match=why):
            RowsFile(path, plugin, [])
        assert path.read_bytes() == before

    @pytest.mark.parametrize("text", [b"x", b"dear diary\n", b"dear diary\n" * 1000, bytes(9_000)], ids=len)
    def test_a_file_of_something_else(self, target: Tables, text: bytes) -> None:
        target.path.write_bytes(text)
        self.refused(target.path, "is no file of this plugin, nor is the node's own ledger.db; give another path")

    def test_somebody_elses_database(self, target: Tables) -> None:
        with closing(sqlite3.connect(target.path)) as connection:
            connection.execute("CREATE TABLE precious (a)")
        self.refused(target.path, "is no file of this plugin")

    def test_another_version(self, target: Tables) -> None:
        for version, why in ((VERSION + 1, "a later version of this plugin made it"), (0, "an earlier version")):
            target.path.unlink(missing_ok=True)
            with closing(sqlite3.connect(target.path)) as connection:
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {version}")
                connection.execute("CREATE TABLE blocks (a)")
            self.refused(target.path, why)

    def test_another_plugins(self, target: Tables) -> None:
        with RowsFile(target.path, PLUGIN, []) as file:
            file.write(pairs(2))
        self.refused(target.path, "the plugin 'sqlite' writes it; give each plugin a path of its own", "second")

    def test_another_plugins_that_was_empty_when_both_began(self, target: Tables) -> None:
        """Two plugins of one path that are enabled at once find nothing in the file."""
        with RowsFile(target.path, "first", []) as first, RowsFile(target.path, "second", []) as second:
            first.write(pairs(2))
            for some in (pairs(2), pairs()[2:4]):
                with pytest.raises(Unavailable, match="the plugin 'first' writes it; give each plugin a path of its"):
                    second.write(some)
        assert ask(target.path, "SELECT plugin, position FROM progress") == [("first", 2)]

    def test_another_verdict_about_the_same_block(self, target: Tables) -> None:
        """After a restore a block may be valid that was voted invalid: its rows must not be taken for written."""
        id_, rows = pairs(1)[0]
        refused = Rows(rows.block._replace(reason="late"), [], [], [], [])
        with RowsFile(target.path, PLUGIN, []) as file:
            file.write([(id_, refused)])
            with pytest.raises(
                Unavailable, match=r"another history than the log \(position 1 is invalid there and valid"
            ):
                file.write([(id_, rows)])

    def test_another_ledgers_and_another_history(self, target: Tables) -> None:
        with RowsFile(target.path, PLUGIN, []) as file:
            file.write(pairs(2))
        before = ask(target.path, "SELECT * FROM blocks")
        foreign = [(event.id, rows_of(event)) for event in events(OTHER)]
        for some, why in (
            (foreign[2:], "holds the ledger simulated-7, these events are of simulated-8"),
            (foreign[:2], "holds another history than the log"),
            (
                [(pairs()[2][0], pairs()[0][1]._replace(block=pairs()[2][1].block))],
                "holds another history than the log",
            ),
        ):
            with RowsFile(target.path, PLUGIN, []) as file, pytest.raises(Unavailable, match=why):
                file.write(some)
        assert ask(target.path, "SELECT * FROM blocks") == before

    @pytest.mark.parametrize("flip", [3, 40, 120], ids=["name", "header", "schema"])
    def test_a_damaged_file(self, target: Tables, flip: int) -> None:
        with RowsFile(target.path, PLUGIN, []) as file:
            file.write(pairs())
        content = bytearray(target.path.read_bytes())
        content[flip] ^= 0xFF
        for page in range(1, len(content) // 4096):
            content[page * 4096 : page * 4096 + 8] = b"\xff" * 8
        target.path.write_bytes(content)
        with pytest.raises(Unavailable) as caught, RowsFile(target.path, PLUGIN, []) as file:
            file.write(pairs(3))
        assert "is damaged" in str(caught.value) or "is no file of this plugin" in str(caught.value)
        assert len(target.path.read_bytes()) == len(content)

    def test_a_file_that_is_deleted_or_replaced_takes_nothing_more(self, target: Tables) -> None:
        replace: Sequence[Callable[[], object]] = (
            target.path.unlink,
            lambda: target.path.with_name("b").rename(target.path),
        )
        for step in replace:
            target.path.with_name("b").write_bytes(b"")
            with RowsFile(target.path, PLUGIN, []) as file:
                file.write(pairs(1))
                step()
                with pytest.raises(Unavailable, match="was deleted or replaced while it was written"):
                    file.write(pairs(2))

    @pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
    def test_what_is_no_file(self, target: Tables, make: Callable[[Path], object]) -> None:
        """A pipe would hold the plugin for ever, and a folder was called a disk that does not work."""
        make(target.path)
        said = f"{target.path}: is a folder, a device or a pipe; give the path of a file"
        assert said in try_plugin(PLUGIN, {"path": str(target.path)}, with_check=True).error
        with pytest.raises(Unavailable):
            RowsFile(target.path, PLUGIN, [])

    @pytest.mark.parametrize("names", [("-wal",), ("-wal", "-shm")], ids=" ".join)
    def test_a_log_file_that_is_deleted_takes_no_rows_with_it(self, target: Tables, names: Sequence[str]) -> None:
        """What a crash finds in no file any more would be missing for good."""
        with RowsFile(target.path, PLUGIN, []) as file:
            file.write(pairs(10))
            for name in names:
                target.path.with_name(f"ledger.db{name}").unlink()
            with pytest.raises(Unavailable, match=r"ledger\.db-wal: was deleted or replaced while it was written"):
                file.write(pairs(20))
        with RowsFile(target.path, PLUGIN, []) as file:
            file.write(pairs()[10:])
        check(target.held(), expected(RECIPE, Per.BLOCK), exactly_once=True)

    def test_a_folder_that_vanishes(self, tmp_path: Path) -> None:
        """The room of its disk cannot be measured any more."""
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        found = sqlite_file.unavailable(tmp_path / "away" / "ledger.db", error)
        assert f"there is no folder {tmp_path}/away; make it, or give another path" in str(found)

    def test_a_file_that_may_not_be_written(self, target: Tables) -> None:
        """A mount holds root back as well, whom modes do not."""
        disk = target.disks.enter_context(small_disk(target.path.parent / "disk", size_bytes=8 * 1024 * 1024))
        path = disk.path / "ledger.db"
        with RowsFile(path, PLUGIN, []) as file:
            file.write(pairs(3))
        subprocess.run(["mount", "-o", "remount,ro", disk.path], check=True)
        with pytest.raises(Unavailable, match="Read-only file system; correct the path or its permissions"):
            RowsFile(path, PLUGIN, [])
        target.path.mkdir()
        with pytest.raises(Unavailable, match="Is a directory; correct the path or its permissions"):
            RowsFile(target.path, PLUGIN, [])

    @pytest.mark.parametrize(
        ("options", "why"),
        [
            ({"path": "ledger.db"}, "path: must be absolute, found 'ledger.db'"),
            (
                {"indexes": ["weight"]},
                "indexes[0]: must begin with metadata. or data., as in metadata.weight; found 'weight'",
            ),
            ({"indexes": ["metadata.a", "metadata."]}, "indexes[1]: must have a name behind each dot"),
            ({"indexes": ['data."']}, "indexes[0]: must have a name behind each dot"),
            ({"indexes": ["data.a", "data.a"]}, "indexes[1]: 'data.a' is there twice; take one out"),
            ({"indexes": ["data." + "a" * 500]}, "indexes[0]: must have at most 500 characters, not 505"),
            ({"indexes": [f"data.n{n}" for n in range(33)]}, "indexes: must be at most 32, found 33"),
            ({"per": "transaction"}, "per: cannot be transaction here: the rows are those of the tables"),
            ({"fields": {"a": "$.id"}}, "fields: cannot be chosen here: the rows are those of the tables"),
            ({"format": "plain"}, "format: plain cannot be sent here: the rows are those of the tables"),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
    )
    def test_an_option_that_makes_no_sense(self, target: Tables, options: dict[str, Any], why: str) -> None:
        assert why in try_plugin(PLUGIN, {"path": str(target.path), **options}).error
