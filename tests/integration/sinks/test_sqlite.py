"""The SQLite sink: the ledger as tables, each event once, whatever breaks off, and nothing else is overwritten."""

import random
import sqlite3
import subprocess
import sys
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest

from bigchaindb.delivery import Format, Per
from bigchaindb.delivery.rows import rows_of
from bigchaindb.simulated.queues import GeneratedQueue
from bigchaindb.sinks import sqlite_file
from bigchaindb.sinks.sqlite import SqliteSink
from bigchaindb.sinks.sqlite_file import RowsFile
from bigchaindb.testing.sinks import RECIPE, ShapedSuite, SinkSuite, check, done, expected, passing, until
from tests.support import scale, services
from tests.support.sqlite_tables import NAMES, OTHER, PLUGIN, Tables, ask, pairs
from tests.support.targets import KILL_RUN


@pytest.fixture
def target(sqlite_target: Tables) -> Tables:
    return sqlite_target


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
