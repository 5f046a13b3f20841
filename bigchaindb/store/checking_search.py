"""Whether the full-text index finds each document by its own words and by no other.

The index keeps no text, so its entries are compared with those of an index that is built anew, some thousand documents
at a time: of each document the sum of the checksums of its entries, which needs 8 bytes a document.
"""

import sqlite3
from array import array
from collections.abc import Iterator
from contextlib import closing
from typing import Final
from zlib import crc32

from bigchaindb.store.proving import Damage
from bigchaindb.store.search import text_of
from bigchaindb.store.stored import contents_of, operation_of
from bigchaindb.store.tidying import STRUCTURE, varint

DOCUMENT_COUNT: Final = 2_000
"""Documents that are indexed anew at once."""
_CONFIG: Final = {("automerge", 0), ("usermerge", 8), ("crisismerge", 64), ("version", 4)}
"""As schema.sql sets it; the last is FTS5's own."""
_AVERAGES: Final = 1
_SEGMENT_BITS: Final = 37
"""How FTS5 numbers its rows: https://www.sqlite.org/fts5.html, section 8, "FTS5 Data Structures"."""
_MASK: Final = (1 << 64) - 1
_FETCH_ROWS: Final = 10_000


def check_search(connection: sqlite3.Connection, table: str, last_seq: int) -> Iterator[Damage]:
    """Compare a search table with the documents up to `last_seq`.

    Raises:
        StoreDamaged: it cannot be read.
    """
    if (problem := _config(connection, table) or _averages(connection, table)) is not None:
        yield problem
        return
    yield from _leaves(connection, table)
    sums = array("Q", bytes(8 * (last_seq + 1)))
    _add(sums, connection, f"temp.{table}_found", ("main", table), last_seq)
    sizes = dict(connection.execute(f"SELECT id, sz FROM {table}_docsize").fetchall())  # noqa: S608 - names of our own
    missing = set(_missing_terms(connection, table))
    for first in range(1, last_seq + 1, DOCUMENT_COUNT):
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
            fresh.execute(
                "CREATE VIRTUAL TABLE fresh USING fts5 "
                "(text, content = '', tokenize = 'porter unicode61 remove_diacritics 2')"
            )
            texts = list(_texts(connection, table, first, min(first + DOCUMENT_COUNT - 1, last_seq)))
            fresh.execute("BEGIN")
            fresh.executemany("INSERT INTO fresh (rowid, text) VALUES (?, ?)", texts)
            fresh.execute("COMMIT")
            _subtract(sums, fresh, last_seq)
            for seq, size in fresh.execute("SELECT id, sz FROM fresh_docsize").fetchall():
                if sizes.pop(seq, None) != size:
                    yield Damage(table, str(seq), "is of another length")
    for seq in range(1, last_seq + 1):
        if sums[seq]:
            yield Damage(table, str(seq), "is not found by its own words alone")
    for seq in sorted(sizes):
        if seq <= last_seq:
            yield Damage(table, str(seq), "is of no document")
    for term in sorted(missing):
        yield Damage(table, repr(term), "is a word that a search does not reach")


def _config(connection: sqlite3.Connection, table: str) -> Damage | None:
    found = set(connection.execute(f"SELECT k, v FROM {table}_config").fetchall())  # noqa: S608 - names of our own
    return None if found == _CONFIG else Damage(f"{table}_config", repr(sorted(found ^ _CONFIG, key=str)), "is changed")


def _averages(connection: sqlite3.Connection, table: str) -> Damage | None:
    """Compare the record of how many documents of which length there are, by which hits are ranked."""
    sizes = connection.execute(f"SELECT sz FROM {table}_docsize").fetchall()  # noqa: S608 - as above
    rows = connection.execute(f"SELECT block FROM {table}_data WHERE id = {_AVERAGES}").fetchall()  # noqa: S608 - as above
    if not sizes and rows in ([], [(b"",)]):  # as FTS5 makes it, before the first document
        return None
    try:
        count, at = varint(rows[0][0], 0)
        length, at = varint(rows[0][0], at)
        whole = (count, length, at) == (len(sizes), sum(varint(size, 0)[0] for (size,) in sizes), len(rows[0][0]))
    except (IndexError, TypeError):
        whole = False
    return None if whole else Damage(f"{table}_data", str(_AVERAGES), "is not what the documents add up to")


def _leaves(connection: sqlite3.Connection, table: str) -> Iterator[Damage]:
    """Find index entries that lead a search for a word to another page than the one that begins with it."""
    segments = _segments(connection, table)
    rows = connection.execute(
        f"SELECT segid, term, pgno >> 1, (SELECT block FROM {table}_data AS d "  # noqa: S608 - as above
        f"WHERE d.id = (segid << {_SEGMENT_BITS}) + (pgno >> 1)) FROM {table}_idx"
    ).fetchall()
    for segment, term, page, leaf in rows:
        first, last = segments.get(segment, (1, 0))
        if page < first <= last:  # a merge has consumed that page, and leaves its row
            continue
        try:
            word = _first_word(leaf)
            # A merge cuts off the head of the page that it is at.
            leads = word >= term if page == first > 1 else word.startswith(term) and (bool(term) or page == 1)
        except (IndexError, TypeError):
            leads = False
        if not leads or page > last:
            yield Damage(f"{table}_idx", f"{segment}, {term!r}", "does not lead to its page")


def _segments(connection: sqlite3.Connection, table: str) -> dict[int, tuple[int, int]]:
    """Read the first and the last page of each segment; nothing where the record is damaged."""
    rows = connection.execute(f"SELECT block FROM {table}_data WHERE id = {STRUCTURE}").fetchall()  # noqa: S608 - as above
    segments = {}
    try:
        record = rows[0][0]
        levels, at = varint(record, 4)
        for _ in range(2):
            _, at = varint(record, at)
        for _ in range(levels):
            _, at = varint(record, at)
            count, at = varint(record, at)
            for _ in range(count):
                segment, at = varint(record, at)
                first, at = varint(record, at)
                last, at = varint(record, at)
                segments[segment] = (first, last)
    except (IndexError, TypeError):
        return {}
    return segments


def _first_word(leaf: bytes) -> bytes:
    """Read the first term of a page: where it begins stands behind the page's content."""
    at, _ = varint(leaf, int.from_bytes(leaf[2:4], "big"))
    length, at = varint(leaf, at)
    return leaf[at : at + length]


def _add(sums: "array[int]", connection: sqlite3.Connection, name: str, of: tuple[str, str], last_seq: int) -> None:
    connection.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS {name} USING fts5vocab({of[0]}, {of[1]}, instance)")
    for seq, entry in _entries(connection, name):
        if 0 < seq <= last_seq:
            sums[seq] = sums[seq] + entry & _MASK


def _subtract(sums: "array[int]", fresh: sqlite3.Connection, last_seq: int) -> None:
    fresh.execute("CREATE VIRTUAL TABLE entries USING fts5vocab(fresh, instance)")
    for seq, entry in _entries(fresh, "entries"):
        if 0 < seq <= last_seq:
            sums[seq] = sums[seq] - entry & _MASK


def _entries(connection: sqlite3.Connection, name: str) -> Iterator[tuple[int, int]]:
    cursor = connection.execute(f"SELECT term, doc, offset FROM {name}")  # noqa: S608 - names of our own
    while rows := cursor.fetchmany(_FETCH_ROWS):
        for term, seq, offset in rows:
            yield seq, crc32(f"{offset} {term}".encode()) + 1


def _missing_terms(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    """Search for each word, and compare in how many documents it is."""
    name = f"temp.{table}_words"
    connection.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS {name} USING fts5vocab(main, {table}, row)")
    words = connection.execute(f"SELECT term, doc FROM {name}").fetchall()  # noqa: S608 - names of our own
    for term, count in words:
        found = connection.execute(f"SELECT doc FROM {name} WHERE term = ?", (term,)).fetchall()  # noqa: S608 - as above
        if found != [(count,)]:
            yield term


def _texts(connection: sqlite3.Connection, table: str, first: int, last: int) -> Iterator[tuple[int, str]]:
    rows = connection.execute("SELECT seq, id, body FROM transactions WHERE seq BETWEEN ? AND ?", (first, last))
    for seq, id_, body in rows.fetchall():
        data, metadata = contents_of(body)
        if table == "metadata_search":
            if metadata is not None:
                yield seq, text_of(metadata, id_.hex())
        elif data is not None and operation_of(body) != "VALIDATOR_ELECTION":
            yield seq, text_of(data, id_.hex())
