"""Queries beside the event loop: who waits for whom, what is bounded, and how they end."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.api.reads import Reads
from bigchaindb.config import Limits
from bigchaindb.errors import Overloaded, Stopping
from bigchaindb.reader.reader import Reader
from bigchaindb.store.damages import Damages
from bigchaindb.store.database import Readers, open_writer
from bigchaindb.store.queries import LedgerQueries
from bigchaindb.store.recent import Generation, Recent

ENDLESS: Final = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
LIMITS: Final = Limits(query_waiting_count_max=1)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    with closing(open_writer(tmp_path / "ledger.db")):
        yield tmp_path / "ledger.db"


@pytest.fixture
def readers(path: Path) -> Iterator[Readers]:
    with closing(Readers(path)) as pool:
        yield pool


def reads_of(readers: Readers, limits: Limits = LIMITS) -> Reads:
    path = readers._path
    return Reads(
        limits, LedgerQueries(readers, Recent((Generation(),)), path), Reader(path, Damages(), limits, "chain")
    )


async def test_look_ups_have_a_bound(readers: Readers) -> None:
    reads = reads_of(readers)
    end = threading.Event()
    first = asyncio.create_task(reads.run(end.wait))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match=r"^1 queries are waiting \(limits\.query_waiting_count_max\); "):
        await reads.run(len, "abc")
    end.set()
    assert await first
    await reads.close()


def endless(readers: Readers) -> list[sqlite3.Row]:
    with readers.connection() as connection:
        return connection.execute(ENDLESS).fetchall()


async def test_a_stop_ends_what_runs_and_begins_no_other(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one search would hold the whole node at its stop."""
    monkeypatch.setattr("bigchaindb.api.reads.INTERRUPT_COUNT_MAX", 100_000)  # a busy machine begins them late
    reads = reads_of(readers, Limits())
    asked = [asyncio.create_task(reads.run(endless, readers)) for _ in range(4)]  # two of them wait
    await asyncio.sleep(0.02)
    await reads.close()
    for one in asked:
        with pytest.raises(Stopping):
            await one
    with pytest.raises(Stopping):
        await reads.run(len, "abc")


async def test_a_stop_does_not_wait_for_ever(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read may hang in the disk, where nothing reaches it."""
    monkeypatch.setattr("bigchaindb.api.reads.INTERRUPT_COUNT_MAX", 3)
    begun, end = threading.Event(), threading.Event()
    reads = reads_of(readers)

    def hang() -> bool:
        with readers.connection():
            begun.set()
            return end.wait()

    running = asyncio.create_task(reads.run(hang))
    await asyncio.to_thread(begun.wait)
    async with asyncio.timeout(60):
        await reads.close()
    end.set()
    assert await running
