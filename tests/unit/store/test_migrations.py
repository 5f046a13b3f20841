import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.errors import SchemaTooNew, SchemaUnknown, StoreError
from bigchaindb.store.database import open_writer
from bigchaindb.store.migrations import LEDGER_STEPS, LEDGER_VERSION, NODE_STEPS, Step, migrate, statements
from bigchaindb.store.older import cover


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(tmp_path / "file.db")) as connection:
        yield connection


def creating(table: str) -> Step:
    def step(connection: sqlite3.Connection) -> None:
        connection.execute(f"CREATE TABLE {table} (n)")

    return step


def failing(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE half (n)")
    raise ZeroDivisionError


def state(connection: sqlite3.Connection) -> tuple[int, list[str]]:
    tables = connection.execute("SELECT name FROM sqlite_schema ORDER BY name").fetchall()
    return connection.execute("PRAGMA user_version").fetchall()[0][0], [name for (name,) in tables]


def test_a_new_file_runs_all_steps_and_an_old_one_those_it_lacks(connection: sqlite3.Connection) -> None:
    first = {0: creating("a")}
    migrate(connection, "file.db", first)
    assert state(connection) == (1, ["a"])
    migrate(connection, "file.db", {**first, 1: creating("b"), 2: creating("c")})
    assert state(connection) == (3, ["a", "b", "c"])


def test_the_latest_version_is_left_alone(connection: sqlite3.Connection) -> None:
    for steps in (LEDGER_STEPS, LEDGER_STEPS):
        migrate(connection, "file.db", steps)
    version, tables = state(connection)
    assert version == len(LEDGER_STEPS)
    assert {"transactions", "outputs", "events", "votes", "tip", "local", "network", "proofs"} <= set(tables)


def test_a_step_that_fails_leaves_the_version_before_it(connection: sqlite3.Connection) -> None:
    """A crash between schema and version could never be repaired."""
    with pytest.raises(ZeroDivisionError):
        migrate(connection, "file.db", {0: creating("a"), 1: failing})
    assert state(connection) == (1, ["a"])


def test_lanes_of_an_older_node_db_count_as_run(connection: sqlite3.Connection) -> None:
    """A start that fails for a plugin which worked for months would be new to an upgraded node."""
    migrate(connection, "node.db", {key: NODE_STEPS[key] for key in (0, 1)})
    connection.execute("INSERT INTO lanes VALUES ('sales', 1, 0, 0, x'00', 'LIVE', 0, NULL, 0)")
    migrate(connection, "node.db", NODE_STEPS)
    assert connection.execute("SELECT lane FROM ran").fetchall() == [("sales",)]


def test_a_later_version_is_refused(connection: sqlite3.Connection) -> None:
    """Older software must not write into what it does not understand."""
    connection.execute(f"PRAGMA user_version = {len(NODE_STEPS) + 1}")
    with pytest.raises(SchemaTooNew, match=r"file\.db: schema \d was written by a later version .* knows \d at most"):
        migrate(connection, "file.db", NODE_STEPS)


def test_a_number_that_is_lower_than_what_is_there_is_refused(connection: sqlite3.Connection) -> None:
    """A step would fail in the words of SQLite, such as `table proofs already exists`."""
    migrate(connection, "file.db", LEDGER_STEPS)
    for version in range(1, LEDGER_VERSION):
        connection.execute(f"PRAGMA user_version = {version}")
        with pytest.raises(SchemaUnknown, match=r"file\.db: schema . has no .*: the number .* is damaged; restore a"):
            migrate(connection, "file.db", LEDGER_STEPS)


def test_a_database_of_something_else_is_refused(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE theirs (n)")
    with pytest.raises(StoreError, match="tables of some other software"):
        migrate(connection, "file.db", NODE_STEPS)


def test_scripts_are_cut_at_the_end_of_statements() -> None:
    script = "-- a comment; with a semicolon\nCREATE TABLE a (\n  n -- one;\n);\nINSERT INTO a VALUES (';');\n"
    assert [one.split("\n")[0] for one in statements(script)] == [
        "-- a comment; with a semicolon",
        "INSERT INTO a VALUES (';');",
    ]


def test_what_reads_older_copies_refuses_a_later_one_with_the_way_back(connection: sqlite3.Connection) -> None:
    """`check` and `backup` read a folder as it is; the reason is that of a start."""
    connection.execute(f"PRAGMA user_version = {LEDGER_VERSION + 1}")
    with pytest.raises(SchemaTooNew, match=r"schema \d+ was written by a later version .*; install that version, or"):
        cover(connection)
