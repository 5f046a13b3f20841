"""What `bigchaindb sql` refuses, and how it bounds what it runs."""

import itertools
import json
import os
import re
import resource
import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.cli import sql_query
from bigchaindb.cli.sql import _put_json, _put_table
from bigchaindb.cli.sql_query import Query, bounded_memory, opened
from bigchaindb.cli.sql_questions import QUESTIONS
from bigchaindb.delivery.rows import rows_of
from bigchaindb.errors import ConfigurationError, StoreError
from bigchaindb.events import Unavailable
from bigchaindb.simulated.chain import Recipe, events
from bigchaindb.sinks.sqlite_file import RowsFile

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
ONLY_QUERIES = "only queries are run, and this statement is refused ("


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sql") / "ledger.db"
    with RowsFile(file, "sqlite", []) as rows:
        rows.write([(event.id, rows_of(event)) for event in events(Recipe(blocks=12, invalid=0.2, seed=3))])
    return file


@pytest.fixture
def query(path: Path) -> Iterator[Query]:
    with opened(path, 60.0) as found:
        yield found


def run(query: Query, statement: str) -> list[Any]:
    return list(query.run(statement)[1])


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM blocks", f"{ONLY_QUERIES}DELETE: not authorized); begin it with SELECT or WITH"),
        ("-- a remark\n/* and another */ UPDATE blocks SET height = 0", f"{ONLY_QUERIES}UPDATE: not authorized)"),
        ("INSERT INTO absent VALUES (1, 'a')", f"{ONLY_QUERIES}INSERT: "),
        ("DROP TABLE blocks", f"{ONLY_QUERIES}DROP: "),
        ("CREATE TEMP TABLE a (b)", f"{ONLY_QUERIES}CREATE: "),
        ("ATTACH 'other.db' AS other", f"{ONLY_QUERIES}ATTACH: "),
        ("VACUUM INTO 'other.db'", f"{ONLY_QUERIES}VACUUM: "),
        ("PRAGMA query_only = 0", f"{ONLY_QUERIES}PRAGMA: "),
        ("PRAGMA hard_heap_limit = 0", f"{ONLY_QUERIES}PRAGMA: "),
        ("COMMIT", f"{ONLY_QUERIES}COMMIT: "),
        (
            "SELECT load_extension('x.so')",
            f"{ONLY_QUERIES}SELECT: not authorized to use function: load_extension); leave that out, or write",
        ),
        ("SELECT 1; SELECT 2", "there are several statements; pass them one by one"),
        ("", "the statement is empty; write a query such as"),
        ("-- nothing", "the statement is empty; write a query such as"),
        ("SELEC 1", 'near "SELEC": syntax error; see `bigchaindb sql --schema`'),
        ("SELECT a FROM blocks", "no such column: a; see `bigchaindb sql --schema`"),
        ("SELECT * FROM block", "no such table: block; the tables are: blocks, transactions, inputs, outputs, "),
        ("SELECT * FROM blocks WHERE id = ?", "the query has a placeholder (?, :name) and no value for it"),
        ("SELECT hex(zeroblob(40000000))", "or has a value above 64 MiB; ask for less"),
        ("SELECT sum(9000000000000000000) FROM outputs", "integer overflow; see"),
        ("SELECT 'a' LIKE printf('%.2000c', '%')", "LIKE or GLOB pattern too complex; see"),
        (f"{ENDLESS} SELECT hex(zeroblob(500000)) FROM c ORDER BY x", "needs more than 512 MiB"),
    ],
)
def test_a_statement_that_is_refused_says_why(query: Query, path: Path, statement: str, why: str) -> None:
    before = path.read_bytes()
    with pytest.raises(ConfigurationError) as caught:
        run(query, statement)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert {one.name for one in path.parent.iterdir()} <= {"ledger.db", "ledger.db-wal", "ledger.db-shm"}


def test_a_statement_that_is_no_text_is_refused(query: Query) -> None:
    """As a shell passes bytes on that are not UTF-8."""
    with pytest.raises(ConfigurationError, match="is no text in UTF-8; write it in UTF-8"):
        run(query, "SELECT '\udcff'")


def test_a_query_that_never_ends_is_ended(path: Path) -> None:
    with opened(path, 0.3) as query, pytest.raises(ConfigurationError, match=r"longer than 0\.3 s and was ended"):
        run(query, f"{ENDLESS} SELECT count(*) FROM c")


def test_what_prints_slowly_does_not_count(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads rows page by page is not cut off."""
    monkeypatch.setattr(sql_query, "FETCHED_COUNT", 1)
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with opened(path, 1.0) as query:
        for _ in query.run("SELECT * FROM transactions AS a, transactions AS b")[1]:
            now += 100
    monkeypatch.setattr("time.monotonic", itertools.count().__next__)  # a second at each look
    with opened(path, 1.0) as query, pytest.raises(ConfigurationError, match="longer than 1 s"):
        run(query, "SELECT * FROM transactions AS a, transactions AS b, transactions AS c")


def test_large_rows_are_in_memory_one_by_one(query: Query) -> None:
    """Some hundred rows of a block's size are more than a small machine has."""
    columns, rows = query.run(f"{ENDLESS} SELECT hex(zeroblob(5000000)) FROM c LIMIT 40")
    assert len(columns) == 1
    tracemalloc.start()
    try:
        sizes = [len(row[0]) for row in rows]
        assert tracemalloc.get_traced_memory()[1] < 10 * 10_000_000
    finally:
        tracemalloc.stop()
    assert sizes == [10_000_000] * 40


def test_rows_that_take_too_much_of_pythons_memory_are_refused(query: Query) -> None:
    """One character beyond the basic ones makes a text of a block's size four times as large."""
    data = re.search(r"VmData:\s+(\d+) kB", Path("/proc/self/status").read_text("utf-8"))
    assert data is not None
    limit = resource.getrlimit(resource.RLIMIT_DATA)
    with (
        pytest.raises(ConfigurationError, match=r"\(1024 MiB with its rows\).*; ask for less"),
        bounded_memory(int(data[1]) * 1024 + 64 * 1024 * 1024),
    ):
        run(query, f"{ENDLESS} SELECT char(128512) || hex(zeroblob(8000000)) FROM c LIMIT 2")
    assert resource.getrlimit(resource.RLIMIT_DATA) == limit


def test_of_a_large_cell_the_table_looks_at_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    rows = iter([["\x1b" + "x" * 10**6], ["y" * 100]])
    tracemalloc.start()
    try:
        _put_table(["a"], rows)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()
    assert capsys.readouterr().out == f"a\n?{'x' * 98}…\n{'y' * 100}\n"


def test_columns_of_one_name_are_all_there_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    columns = ["a", "a:2", "a", "a", "a:1", "b"]
    _put_json(columns, [[*range(len(columns))]])
    (found,) = json.loads(capsys.readouterr().out)
    assert [*found.values()] == [*range(len(columns))]
    assert [*found][:3] == ["a", "a:2", "a:1"]


def test_all_rows_are_of_one_moment(path: Path) -> None:
    count = "SELECT count(*) FROM blocks"
    with opened(path, 60.0) as query:
        before = run(query, count)
        with closing(sqlite3.connect(path)) as writer, writer:
            writer.execute("INSERT INTO blocks VALUES (1000, 1000, 'a', 0, 'b', 0, NULL)")
        assert run(query, count) == before
    with closing(sqlite3.connect(path)) as writer, writer:
        writer.execute("DELETE FROM blocks WHERE position = 1000")


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_question_has_an_answer(query: Query, question: str) -> None:
    columns, rows = query.run(QUESTIONS[question])
    found = list(rows)
    assert all(len(row) == len(columns) for row in found)
    assert found or "of a kind" in question


def test_there_are_ten_questions_and_tables_may_be_looked_up(query: Query) -> None:
    assert len(QUESTIONS) == 10
    assert [row[1] for row in run(query, "PRAGMA table_info(outputs)")] == ["seq", "output_index", "amount"]
    assert run(query, "PRAGMA quick_check") == [("ok",)]
    assert run(query, """SELECT '{"a":"\\ud800"}'->>'$.a'""")[0][0].strip("\ufffd") == ""
    assert any("CREATE VIEW balances" in statement for statement in query.schema())


@pytest.mark.parametrize("function", ["json_each", "json_tree"])
def test_a_list_in_json_is_taken_apart(query: Query, function: str) -> None:
    """Public keys, metadata and data are JSON."""
    found = run(query, f"SELECT DISTINCT f.value FROM inputs, {function}(public_keys) AS f WHERE f.type = 'text'")
    assert found
    assert not any("[" in key for (key,) in found)


def test_a_file_that_is_missing_empty_or_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    for content, kind, why in (
        (None, StoreError, f"there is no file `{path}`; pass --file, or see `bigchaindb plugins status`"),
        (b"", StoreError, "holds no tables yet"),
        (b"dear diary\n" * 100, Unavailable, "is no file of this plugin, nor is the node's own ledger.db; give"),
    ):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(kind) as caught, opened(path, 1.0):
            pass
        assert why in str(caught.value)


@pytest.mark.parametrize("name", ["a?mode=rwc#%41.db", "\udcff.db", "~nosuch"], ids=["uri", "bytes", "home"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    """Also below a root that is written with two slashes."""
    copy = Path(f"/{tmp_path}") / name
    with RowsFile(copy, "sqlite", []) as rows:
        rows.write([(event.id, rows_of(event)) for event in events(Recipe(blocks=3))])
    with opened(copy, 60.0) as query:
        assert run(query, "SELECT count(*) FROM blocks") == [(3,)]
    assert all(one.name.startswith(name) for one in tmp_path.iterdir())


def test_a_pipe_and_a_folder_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(StoreError, match="there is no file"), opened(path, 60.0):
            pass
