"""The SQLite sink: the ledger as tables, each event once, whatever breaks off, and nothing else is overwritten."""

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bigchaindb.delivery import Format, Message, Per, messages_of
from bigchaindb.delivery.rows import Rows, rows_of
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.events import Event, Unavailable
from bigchaindb.simulated.chain import Recipe, events
from bigchaindb.simulated.queues import GeneratedQueue
from bigchaindb.sinks import sqlite_file
from bigchaindb.sinks.sqlite import SqliteSink
from bigchaindb.sinks.sqlite_file import RowsFile
from bigchaindb.sinks.sqlite_schema import APPLICATION_ID, VERSION
from bigchaindb.testing.sinks import (
    RECIPE,
    Held,
    ShapedSuite,
    SinkSuite,
    Trouble,
    check,
    done,
    expected,
    passing,
    until,
)
from tests.integration.sinks.conftest import KILL_RUN
from tests.support import scale, services
from tests.support.small_disk import small_disk
from tests.support.targets import InFile

OTHER = Recipe(blocks=4, transactions=2, seed=8)
PLUGIN = "sqlite"
NAMES = {
    "blocks": "SELECT position, height, id, time, node_pubkey, transaction_count, reason FROM blocks",
    "transactions": (
        "SELECT t.seq, t.id, t.operation, coalesce(c.id, a.id), t.position, t.metadata, t.data FROM transactions AS t "
        "LEFT JOIN transactions AS c ON c.seq = t.asset LEFT JOIN absent AS a ON a.number = t.asset"
    ),
    "inputs": (
        "SELECT i.seq, i.input_index, coalesce(t.id, a.id), i.spends_index, i.public_keys FROM inputs AS i "
        "LEFT JOIN transactions AS t ON t.seq = i.spends LEFT JOIN absent AS a ON a.number = i.spends"
    ),
    "outputs": "SELECT seq, output_index, amount FROM outputs",
    "output_owners": "SELECT seq, output_index, public_key, is_alone FROM output_owners",
}
"""Every row as `bigchaindb.delivery.rows` has it, by table."""


@cache
def chain(recipe: Recipe = RECIPE) -> dict[int, tuple[Event, Rows]]:
    return {event.position: (event, rows_of(event)) for event in events(recipe)}


def pairs(count: int | None = None) -> list[tuple[str, Rows]]:
    return [(event.id, rows) for event, rows in chain().values()][:count]


def ask(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def rows_in(path: Path) -> dict[int, dict[str, list[tuple[Any, ...]]]]:
    """Return all rows by the position of their event and by table."""
    found: dict[int, dict[str, list[tuple[Any, ...]]]] = {}
    for table, query in NAMES.items():
        for row in ask(path, f"{query} ORDER BY 1, 2, 3"):
            position = row[0] if table == "blocks" else row[0] >> 20
            found.setdefault(position, {}).setdefault(table, []).append(row)
    return found


class Tables(InFile):
    """A file. What it holds of an event counts as the event's messages if it is all of its rows, and no other."""

    per = Per.BLOCK

    def options(self, per: Per = Per.BLOCK, **more: Any) -> dict[str, Any]:
        self.per = per
        return super().options(**more)

    def held(self) -> Sequence[Held]:
        found: list[Message] = []
        written = sorted(rows_in(self.path).items() if self.path.exists() else ())
        ids = {position: tables["blocks"][0][2] for position, tables in written}
        known = next(
            one
            for one in map(chain, (RECIPE, KILL_RUN.recipe))
            if all(position in one and one[position][1].block.id == id_ for position, id_ in ids.items())
        )
        for position, tables in written:
            event, rows = known[position]
            wanted: dict[str, Any] = {"blocks": [rows.block], **dict(zip([*NAMES][1:], rows[1:], strict=True))}
            assert tables == {table: sorted(wanted[table]) for table in wanted if wanted[table]}, position
            found += messages_of(event, self.per)
        return [Held(message.id, "", message.data) for message in found]

    def bodies(self) -> Sequence[bytes]:
        raise AssertionError("no format can be sent")

    def full(self) -> Trouble:
        return self.on_full_disk(8, "no space left on its disk; free some", but=150 * 1024)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Tables]:
    with ExitStack() as disks:
        yield Tables(tmp_path / "ledger.db", disks)


class TestSqlite(ShapedSuite, SinkSuite):
    """Rows have one order, that of the log, by their numbers."""

    sink = PLUGIN
    exactly_once = True
    kill_count = scale.SINK_KILLS
    kill_run = KILL_RUN
    formats: ClassVar[Collection[Format]] = ()
    cannot: ClassVar = {"refusing": "a table takes any row", "limited": "a table takes a row of any length"}

    async def test_a_reader_never_blocks_it_and_sees_one_moment(self, target: Tables, tmp_path: Path) -> None:
        async with passing(tmp_path, PLUGIN, target.options()) as run:
            run.grow(10)
            await until(lambda: run.status().position == 10, "the first ten", run)
            with closing(sqlite3.connect(target.path, isolation_level=None)) as reader:
                reader.execute("BEGIN")
                count = "SELECT count(*), max(position), (SELECT position FROM progress) FROM blocks"
                assert reader.execute(count).fetchone() == (10, 10, 10)
                await done(run)
                assert reader.execute(count).fetchone() == (10, 10, 10)
        assert ask(target.path, count) == [(RECIPE.blocks, RECIPE.blocks, RECIPE.blocks)]

    async def test_a_file_that_is_locked_is_waited_for(self, target: Tables, tmp_path: Path) -> None:
        with RowsFile(target.path, PLUGIN, []) as file:
            file.write(pairs(3))
        async with passing(tmp_path, PLUGIN, target.options()) as run:
            with closing(sqlite3.connect(target.path, isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                run.grow(20)
                await until(lambda: run.errors, "an error", run)
                assert "another program keeps it locked" in run.errors[0]
            await done(run)
            assert run.parked(PLUGIN) == ()
        check(target.held(), expected(RECIPE, Per.BLOCK), exactly_once=True)


class TestRows:
    """What is in the file, whatever order events come in."""

    def test_the_file_is_its_owners_alone(self, target: Tables) -> None:
        with RowsFile(target.path, PLUGIN, []) as file:
            file.write(pairs(3))
            modes = {one.name: oct(one.stat().st_mode)[-4:] for one in target.path.parent.glob("ledger.db*")}
        assert modes == dict.fromkeys(("ledger.db", "ledger.db-wal", "ledger.db-shm"), "0600")

    def test_what_is_written_is_on_the_disk_before_it_counts(self, target: Tables) -> None:
        services.require("strace")
        source = (
            "from pathlib import Path\nfrom bigchaindb.delivery.rows import BlockRow, Rows\n"
            "from bigchaindb.sinks.sqlite_file import RowsFile\n"
            f"with RowsFile(Path({str(target.path)!r}), 'sqlite', []) as file:\n"
            "    Path('/begin').exists()\n"
            "    file.write([('chain:1', Rows(BlockRow(1, 1, 'a', 0, 'b', 0, None), [], [], [], []))])\n"
            "    Path('/end').exists()\n"
        )
        line = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync,stat,newfstatat", sys.executable, "-c", source]
        calls = subprocess.run(line, check=True, capture_output=True, text=True).stderr
        written = calls.partition('"/begin"')[2].partition('"/end"')[0]
        assert "sync(" in written
        assert f"<{target.path}-wal>" in written

    @pytest.mark.parametrize("step", [1, 7, 60])
    def test_events_in_any_order_and_again_make_the_same_file(self, target: Tables, tmp_path: Path, step: int) -> None:
        """As when parked events return, or a person seeks back: no row is twice and none is lost."""
        with RowsFile(target.path, PLUGIN, []) as file:
            file.write(pairs())
        other = Tables(tmp_path / "other.db", target.disks)
        order = random.Random(step).sample(pairs(), RECIPE.blocks)
        with RowsFile(other.path, PLUGIN, []) as file:
            for at in range(0, len(order), step):
                file.write(order[at : at + step])
                file.write(order[: at + 1 : 3])
        assert ask(other.path, "SELECT * FROM absent") == []
        for table in (*NAMES, "progress", "unspent", "balances", "holders"):
            query = f"SELECT * FROM {table} ORDER BY 1, 2, 3"
            assert ask(other.path, query) == ask(target.path, query), table

    def test_numbers_that_are_forgotten_are_found_in_the_file(
        self, target: Tables, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_file, "SEQS_MAX", 3)
        with RowsFile(target.path, PLUGIN, []) as file:
            for pair in pairs()[1:]:
                file.write([pair])
            file.write(pairs(1))
        assert ask(target.path, "SELECT * FROM absent") == []
        check(target.held(), expected(RECIPE, Per.BLOCK), exactly_once=True)

    def test_what_is_not_here_is_named_by_its_id(self, target: Tables) -> None:
        """Begun in the middle: assets and spent outputs of before are known by name, and found once they arrive."""
        with RowsFile(target.path, PLUGIN, []) as file:
            file.write(pairs()[30:])
            absent = [row[0] for row in ask(target.path, "SELECT id FROM absent")]
            assert absent
            named = {
                row[0] for row in ask(target.path, "SELECT asset_id FROM unspent UNION SELECT asset_id FROM holders")
            }
            assert named & {*absent}
            assert ask(target.path, "SELECT position, block_count FROM progress") == [(60, 30)]
            file.write(pairs()[:30])
        assert ask(target.path, "SELECT * FROM absent") == []
        check(target.held(), expected(RECIPE, Per.BLOCK), exactly_once=True)

    def test_sums_beyond_64_bits_are_exact(self, target: Tables) -> None:
        """An amount fits 64 bits, and a sum of them may not: then it is text, behind all integers."""
        with RowsFile(target.path, PLUGIN, []) as file:
            file.write(pairs(1))
        seq, asset = ask(target.path, "SELECT seq, id FROM transactions LIMIT 1")[0]
        big = 9 * 10**18
        for count, amounts in enumerate(([big], [big, 223372035999999999], [big, 223372036 * 10**9], [big] * 2000)):
            with closing(sqlite3.connect(target.path)) as connection, connection:
                connection.execute("DELETE FROM outputs")
                connection.execute("DELETE FROM output_owners")
                connection.executemany(
                    "INSERT INTO outputs VALUES (?, ?, ?)", [(seq, n, a) for n, a in enumerate(amounts)]
                )
                connection.executemany(
                    "INSERT INTO output_owners VALUES (?, ?, 'key', ?)", [(seq, n, 1) for n in range(len(amounts))]
                )
            found = sum(amounts)
            wanted = found if count < 2 else str(found)
            assert ask(target.path, f"SELECT amount FROM holders WHERE asset_id = '{asset}'") == [(wanted,)]
            assert ask(target.path, "SELECT amount, shared_amount FROM balances") == [(wanted, 0)]

    def test_indexes_come_and_go_with_the_option_and_others_stay(self, target: Tables) -> None:
        query = "SELECT id FROM transactions WHERE metadata->>'$.note' = 3"
        cases: Sequence[tuple[list[str], bool]] = (
            (["metadata.note", "data.it's.a b"], True),
            (["metadata.note"], True),
            ([], False),
        )
        for places, used in cases:
            with RowsFile(target.path, PLUGIN, places) as file:
                file.write(pairs(5))
            names = {row[0] for row in ask(target.path, "SELECT name FROM sqlite_master WHERE name LIKE 'option:%'")}
            assert names == {f"option:{place}" for place in places}
            plan = str(ask(target.path, f"EXPLAIN QUERY PLAN {query}"))
            assert ("option:metadata.note" in plan) is used
            with closing(sqlite3.connect(target.path)) as connection:
                connection.execute("CREATE INDEX IF NOT EXISTS mine ON blocks (time)")
        assert ask(target.path, "SELECT 1 FROM sqlite_master WHERE name = 'mine'") == [(1,)]
        with RowsFile(target.path, PLUGIN, ["metadata.Note", "metadata.note"]) as file:
            file.write(pairs())
        assert "option:metadata.note" in str(ask(target.path, f"EXPLAIN QUERY PLAN {query}"))
        assert ask(target.path, query) == ask(target.path, query.replace("metadata->>", "+metadata->>"))

    @pytest.mark.parametrize(("count", "begin"), [(1, 2), (0, 1), (2, None), (3, None)])
    def test_an_old_copy_that_lacks_events_is_named(
        self, target: Tables, tmp_path: Path, caplog: pytest.LogCaptureFixture, count: int, begin: int | None
    ) -> None:
        """Only `bigchaindb sql` would show it else, and who put a copy back may never ask it."""
        sink = SqliteSink()
        sink.configure(target.options())
        with GeneratedQueue(tmp_path, OTHER) as queue:
            with RowsFile(target.path, queue.plugin, []) as file:
                file.write([(event.id, rows_of(event)) for event in queue.events[:count]])
            assert len(queue.get_many(2)) == 2  # which the plugin has settled long ago
            sink.run(queue)
        assert [one.getMessage() for one in caplog.records] == [
            f"{target.path} lacks the events from {one} to 2: it is new or an old copy, or a person has passed them; "
            f"`bigchaindb plugins seek {queue.plugin} position:{one}` writes them"
            for one in (begin,)
            if one is not None
        ]

    def test_a_selection_leaves_events_out(
        self, target: Tables, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        sink = SqliteSink()
        sink.configure(target.options(event_types=["valid"]))
        with GeneratedQueue(tmp_path, OTHER) as queue:
            queue.get_many(2)
            sink.run(queue)
        assert not caplog.records


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
