"""Bits that flip in a column of a database."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from bigchaindb.store.database import open_writer
from bigchaindb.store.migrations import LEDGER_STEPS, Step, migrate


class Column(NamedTuple):
    """One column of one table."""

    table: str
    name: str

    @property
    def is_search(self) -> bool:
        """Whether it belongs to the full-text index, whose hits are only where rows are looked for."""
        return "_search" in self.table

    @property
    def is_index(self) -> bool:
        """Whether a row of it leads to another row and is served by no answer itself."""
        return self.table.endswith("_index") or self.table == "named"


def columns(steps: Mapping[int, Step] = LEDGER_STEPS) -> list[Column]:
    """Return all columns of the latest schema, so that none can be forgotten."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, "file.db", steps)
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        virtual = ("assets_search", "metadata_search")
        return [
            Column(table, row[1])
            for table in tables
            if table not in virtual
            for row in connection.execute(f"PRAGMA table_info({table})")
        ]


def flip(database: Path, column: Column, *, at: float) -> None:
    """Change one bit of a column in the row that stands at this share of its table."""
    with closing(open_writer(database)) as connection:
        table, name = column
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for (trigger,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        ((count,),) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
        assert count, f"{table} has no row: `write` must leave one"
        keys = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[5]] or ["rowid"]
        row = connection.execute(
            f"SELECT {', '.join(keys)}, {name} FROM {table} ORDER BY 1 LIMIT 1 OFFSET ?", (int(count * at),)
        )
        *key, value = row.fetchone()
        where = " AND ".join(f"{one} = ?" for one in keys)
        for bit in (4, 5, 6, 7, 8):
            with suppress(sqlite3.IntegrityError):  # another row is there: take another bit
                connection.execute(f"UPDATE {table} SET {name} = ? WHERE {where}", (_other(value, bit), *key))
                return
    raise AssertionError(column)


def _other(value: Any, bit: int) -> Any:
    match value:
        case None:
            return 1
        case int():
            return value ^ 1 << bit
        case float():
            return value * 2  # a bit of the exponent
        case str():
            return chr(ord(value[0]) ^ 1) + value[1:]
        case bytes() if value:
            middle = len(value) // 2
            return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]
        case _:
            return b"\x01"
