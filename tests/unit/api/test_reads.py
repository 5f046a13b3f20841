"""Queries beside the event loop: who waits for whom, what is bounded, and how they end."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.api.answers import Answer, Listing
from bigchaindb.api.reads import Reads
from bigchaindb.config import Limits
from bigchaindb.errors import Overloaded, Stopping
from bigchaindb.store.database import Readers, open_writer

ENDLESS: Final = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
LIMITS: Final = Limits(query_waiting_count_max=1, search_waiting_count_max=1)


def nothing_runs() -> bool:
    return False


@asynccontextmanager
async def searching(reads: Reads) -> AsyncIterator[None]:
    """Have a search run, which ends with the context."""
    loop = asyncio.get_running_loop()
    begun, end = asyncio.Event(), threading.Event()

    def search() -> Iterator[Sequence[bytes]]:
        loop.call_soon_threadsafe(begun.set)
        end.wait()
        yield [b"1", b"2"]

    task = asyncio.create_task(reads.search(search))
    await begun.wait()
    try:
        yield
    finally:
        end.set()
    answer = await task
    assert isinstance(answer, Answer)
    assert answer.body == b"[1,2]\n"


async def test_a_search_holds_up_no_look_up() -> None:
    """A few searches for common words in a large ledger take seconds."""
    reads = Reads(LIMITS, nothing_runs)
    async with searching(reads):
        assert await reads.run(len, "abc") == 3
    await reads.close()


async def test_searches_have_a_bound_of_their_own() -> None:
    reads = Reads(LIMITS, nothing_runs)
    async with searching(reads):
        with pytest.raises(Overloaded, match=r"^1 queries are waiting \(limits\.search_waiting_count_max\); "):
            await reads.search(lambda: iter([[b"1"]]))
    await reads.close()


async def test_look_ups_have_a_bound() -> None:
    reads = Reads(LIMITS, nothing_runs)
    end = threading.Event()
    first = asyncio.create_task(reads.run(end.wait))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match=r"^1 queries are waiting \(limits\.query_waiting_count_max\); "):
        await reads.run(len, "abc")
    end.set()
    assert await first
    await reads.close()


@pytest.fixture
def readers(tmp_path: Path) -> Iterator[Readers]:
    with closing(open_writer(tmp_path / "some.db")), closing(Readers(tmp_path / "some.db")) as pool:
        yield pool


def endless(readers: Readers) -> list[sqlite3.Row]:
    with readers.connection() as connection:
        return connection.execute(ENDLESS).fetchall()


async def test_a_stop_ends_what_runs_and_begins_no_other(readers: Readers) -> None:
    """Else one search would hold the whole node at its stop."""
    reads = Reads(Limits(), readers.interrupt)
    asked = [asyncio.create_task(reads.run(endless, readers)) for _ in range(4)]  # two of them wait
    await asyncio.sleep(0.02)
    async with asyncio.timeout(1):
        await reads.close()
    for one in asked:
        with pytest.raises(Stopping):
            await one
    with pytest.raises(Stopping):
        await reads.run(len, "abc")


async def test_a_stop_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read may hang in the disk, where nothing reaches it."""
    monkeypatch.setattr("bigchaindb.api.reads.INTERRUPT_COUNT_MAX", 3)
    end = threading.Event()
    reads = Reads(Limits(), lambda: True)
    running = asyncio.create_task(reads.run(end.wait))
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        await reads.close()
    end.set()
    assert await running


async def test_a_list_that_finds_nothing_lets_others_have_their_turn() -> None:
    """A key may own a million unspent outputs: whoever asks for its spent ones must not hold up all look-ups."""
    reads = Reads(Limits(), nothing_runs)
    read: list[int] = []

    def nothing() -> Iterator[Sequence[bytes]]:
        for number in range(1_000):
            read.append(number)
            yield []

    listing = await reads.listing(nothing, b",".join)
    assert isinstance(listing, Listing)
    assert len(read) == 2
    assert [piece async for piece in listing.pieces] == 1_000 * [b""]
    assert len(read) == 1_000
    await reads.close()
