"""The ledger into tables of SQLite: CPU and bytes of a transaction, and what questions of them take.

The sink's own way from events to a durable commit, in batches of the sink, over a ledger of bare documents whose
signatures are noise: no row holds any. CPU is that of the thread that writes, and includes reading the events.
"""

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Final

from bench.ledgers import cached
from bench.measure import Scale, median, thread_us_each
from bench.report import Figure, at_most
from bench.sinks.rates import events_in
from bigchaindb.delivery.rows import rows_of
from bigchaindb.events import Event
from bigchaindb.sinks.sqlite_file import RowsFile

BLOCK_SIZE: Final = 100
BLOCK_COUNT: Final = 1_000
BATCH_COUNT: Final = 100
"""Events of a batch: 8 MiB of them."""
CPU_US_MOST: Final = 60.0
BYTES_MOST: Final = 650.0
MS_MOST: Final = 10.0
QUESTION_COUNT: Final = 21
_numbers: Final = count(1)


def figures(scale: Scale) -> list[Figure]:
    """Measure the sink `sqlite`."""
    events = events_in(cached(scale, BLOCK_SIZE, scale.count(BLOCK_COUNT)) / "data")
    transaction_count = sum(len(rows_of(event).transactions) for event in events)
    cpu_us: list[float] = []
    for _ in range(scale.rounds):
        path = scale.folder / f"tables-{next(_numbers)}.db"
        cpu_us.append(thread_us_each(lambda path=path: _write(path, events), transaction_count))  # type: ignore[misc]
    what = f"{transaction_count:,} transactions into tables"
    return [
        Figure(what=f"{what}: CPU of one", value=median(cpu_us), unit="µs", limit=at_most(CPU_US_MOST)),
        Figure(
            what=f"{what}: size", value=path.stat().st_size / transaction_count, unit="B", limit=at_most(BYTES_MOST)
        ),
        *_questions(path),
    ]


def _write(path: Path, events: Sequence[Event]) -> None:
    with RowsFile(path, "sqlite", []) as file:
        for at in range(0, len(events), BATCH_COUNT):
            file.write([(event.id, rows_of(event)) for event in events[at : at + BATCH_COUNT]])


def _questions(path: Path) -> list[Figure]:
    with closing(sqlite3.connect(path)) as connection:
        ((key, asset),) = connection.execute(
            "SELECT w.public_key, u.asset_id FROM unspent AS u JOIN output_owners AS w ON w.seq = u.seq LIMIT 1"
        ).fetchall()
        return [
            Figure(what=f"{what}, from tables", value=_ms(connection, query, value), unit="ms", limit=at_most(MS_MOST))
            for what, query, value in (
                ("balances of a key", "SELECT * FROM balances WHERE public_key = ?", key),
                ("holders of an asset", "SELECT * FROM holders WHERE asset_id = ?", asset),
            )
        ]


def _ms(connection: sqlite3.Connection, query: str, value: str) -> float:
    spent: list[float] = []
    for _ in range(QUESTION_COUNT):
        begin = time.perf_counter()
        assert connection.execute(query, (value,)).fetchall()
        spent.append((time.perf_counter() - begin) * 1e3)
    return median(spent)
