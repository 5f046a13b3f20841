"""Bringing a database file to the schema of this version, one step at a time, each step in one transaction."""

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Final

from bigchaindb.errors import RESTORE, SchemaTooNew, SchemaUnknown, StoreError
from bigchaindb.store import node_rows
from bigchaindb.store.checksums import ONE_ROW_COLUMNS, seal_one
from bigchaindb.store.database import batch, open_reader, translated

Step = Callable[[sqlite3.Connection], None]
"""Changes a schema; runs within a transaction."""

LEDGER_STEPS: Final[Mapping[int, Step]] = {
    0: lambda connection: run_script(connection, "schema.sql"),
    1: lambda connection: run_script(connection, "network_schema.sql"),
    2: lambda connection: run_script(connection, "chain_schema.sql"),
    3: lambda connection: add_checksums(connection, "checksum_schema.sql"),
    4: lambda connection: run_script(connection, "summary_schema.sql"),
    5: lambda connection: add_names(connection, "names_schema.sql"),
}
"""Key n leads from version n to n + 1; version 0 is an empty file."""
LEDGER_VERSION: Final = max(LEDGER_STEPS) + 1
NETWORK_VERSION: Final = 2
"""The first version of ledger.db that holds a network's state."""
CHAIN_VERSION: Final = 3
"""The first version of ledger.db that holds the id of its chain."""
CHECKSUM_VERSION: Final = 4
"""The first version of ledger.db whose rows have checksums."""
SUMMARY_VERSION: Final = 5
"""The first version of ledger.db whose envelopes have checksums of their own."""
NAMES_VERSION: Final = 6
"""The first version of ledger.db whose index of owners knows all transactions that name a key."""
NODE_STEPS: Final[Mapping[int, Step]] = {
    0: lambda connection: run_script(connection, "node_schema.sql"),
    1: lambda connection: run_script(connection, "node_network_schema.sql"),
    2: lambda connection: run_script(connection, "node_ran_schema.sql"),
    3: lambda connection: add_node_checksums(connection, "node_checksum_schema.sql"),
    4: lambda connection: run_script(connection, "node_access_schema.sql"),
    5: lambda connection: run_script(connection, "node_subscriptions_schema.sql"),
    6: lambda connection: run_script(connection, "node_rejected_schema.sql"),
    7: lambda connection: run_script(connection, "node_seeks_schema.sql"),
}
"""The same for node.db."""


NODE_VERSION: Final = max(NODE_STEPS) + 1
WAYS_ON: Final = (
    "install that version, or go back with `bigchaindb restore` and a backup from before the upgrade; if no later "
    f"version has used this folder, the number of the schema is damaged: {RESTORE}"
)
"""What helps with a file of a later version."""

_log: Final = logging.getLogger(__name__)


def migrate(connection: sqlite3.Connection, name: str, steps: Mapping[int, Step]) -> None:
    """Run the steps that lead from the file's version to the latest.

    Raises:
        SchemaTooNew: a later version of this software wrote the file.
        SchemaUnknown: the file is a database of something else, or damaged.
    """
    latest = max(steps) + 1
    version = _known_version(connection, name, steps)
    for step in range(version, latest):
        with batch(connection):
            steps[step](connection)
            connection.execute(f"PRAGMA user_version = {step + 1}")
    if 0 < version < latest:
        _log.warning(
            "brought to the schema of this version; earlier versions cannot open it any more",
            extra={"file": name, "before": version, "now": latest},
        )


def too_new(version: int, latest: int) -> str:
    """Return what is wrong with a file of a later schema than this version knows."""
    return f"schema {version} was written by a later version of this software, which knows {latest} at most"


def schema_of(path: Path) -> int:
    """Return the schema number of a database file, 0 if it is empty.

    Raises:
        StoreError: it is missing, or cannot be read.
    """
    with closing(open_reader(path)) as connection, translated(path.name):
        ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    return int(version)


def known_schema_of(path: Path, steps: Mapping[int, Step]) -> int:
    """Return the schema number of a database file that this version knows or may bring up to date.

    Raises:
        SchemaTooNew: a later version of this software wrote it.
        SchemaUnknown: it is a database of something else, or damaged.
        StoreError: it is missing, or cannot be read.
    """
    with closing(open_reader(path)) as connection, translated(path.name):
        return _known_version(connection, path.name, steps)


def open_ledger(path: Path) -> sqlite3.Connection:
    """Open a connection to ledger.db that can neither write nor checkpoint.

    Raises:
        StoreError: there is no such file, it cannot be read, or it has the schema of another version.
    """
    if (version := known_schema_of(path, LEDGER_STEPS)) != LEDGER_VERSION:
        raise StoreError(
            f"{path.name}: schema {version} is of another version of this software, which knows {LEDGER_VERSION}; "
            "start the node once: it brings what an earlier version wrote up to date"
        )
    return open_reader(path)


def _known_version(connection: sqlite3.Connection, name: str, steps: Mapping[int, Step]) -> int:
    latest = max(steps) + 1
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    if version > latest:
        raise SchemaTooNew(f"{name}: {too_new(version, latest)}; {WAYS_ON}")
    ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    if version == 0 and tables:
        raise SchemaUnknown(
            f"{name}: holds the tables of some other software, or its first page is damaged; name another "
            f"database.path, or {RESTORE}"
        )
    if 0 < version < latest and (found := _columns(connection) & _columns_since(version, steps)):
        raise SchemaUnknown(
            f"{name}: schema {version} has no {'.'.join(min(found))}, which is there: the number of the schema is "
            f"damaged; {RESTORE}"
        )
    return int(version)


def _columns(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """Return table and name of each column."""
    return set(connection.execute("SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c"))


def _columns_since(version: int, steps: Mapping[int, Step]) -> set[tuple[str, str]]:
    """Return the columns that the schemas behind a version brought."""
    with closing(sqlite3.connect(":memory:")) as connection:
        before: set[tuple[str, str]] = set()
        for step in range(max(steps) + 1):
            if step == version:
                before = _columns(connection)
            steps[step](connection)
        return _columns(connection) - before


def run_script(connection: sqlite3.Connection, name: str) -> None:
    """Run a file of statements within the open transaction (`executescript` would commit it)."""
    for statement in statements(files("bigchaindb.store").joinpath(name).read_text(encoding="utf-8")):
        connection.execute(statement)


def add_checksums(connection: sqlite3.Connection, name: str) -> None:
    """Run a file of statements, and seal the tables of one row, which have a checksum from now on."""
    run_script(connection, name)
    for table in ONE_ROW_COLUMNS.keys() - {"naming"}:  # which comes later
        seal_one(connection, table)


def add_names(connection: sqlite3.Connection, name: str) -> None:
    """Run a file of statements, and seal the table of one row that it makes."""
    run_script(connection, name)
    seal_one(connection, "naming")


def add_node_checksums(connection: sqlite3.Connection, name: str) -> None:
    """Run a file of statements, and write the checksums of all rows of node.db, which have one from now on."""
    run_script(connection, name)
    node_rows.add_checksums(connection)


def statements(script: str) -> Sequence[str]:
    """Cut a script into its statements."""
    found, lines = [], []
    for line in script.splitlines():
        lines.append(line)
        if sqlite3.complete_statement("\n".join(lines)):
            found.append("\n".join(lines))
            lines = []
    return found
