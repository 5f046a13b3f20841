"""Long lists, piece by piece: a step is one bounded read, and what comes after it is a value.

A step keeps nothing. Whoever walks through a list holds its place, so a slow client holds no thread and no process, and
each piece may be read somewhere else: the first of most lists by the node, searches and all that follows by the reader
process. Rows of an index that are in the node's memory alone (`recent.py`) come with the question.
"""

import sqlite3
from array import array
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct, structs

from bigchaindb.errors import SearchTooWide
from bigchaindb.store.checksums import OUTPUTS, SPENDS, TRANSACTIONS, damaged, join_transaction
from bigchaindb.store.keys import OUTPUT_BITS, OUTPUT_COUNT_MAX, key_of, owner_hashes
from bigchaindb.store.neighbours import FIRST, INDEXES, expect_neighbours
from bigchaindb.store.pages import array_of, bodies_of, fitting
from bigchaindb.store.recent import Recent
from bigchaindb.store.search import match_expression, read_query
from bigchaindb.store.stored import asset_row, metadata_row, operation_of
from bigchaindb.store.views import indexed_transaction

Table: TypeAlias = Literal["assets", "metadata"]
Operation: TypeAlias = Literal["CREATE", "TRANSFER"]

_OF_ASSET: Final = f"""
SELECT wanted.value, {TRANSACTIONS.row} FROM json_each(?) AS wanted {join_transaction("wanted.value")}
ORDER BY wanted.value
"""  # noqa: S608 - names of our own
_OUTPUTS: Final = f"""
SELECT wanted.value, {OUTPUTS.columns}, t.id, {OUTPUTS.checksum}, o.spent_by, {SPENDS.checksum}
FROM json_each(?) AS wanted LEFT JOIN outputs AS o ON o.output = wanted.value
LEFT JOIN transactions AS t ON t.seq = wanted.value >> {OUTPUT_BITS} ORDER BY wanted.value
"""  # noqa: S608 - as above
_SEQ_BYTES: Final = 8


class _Indexed(Struct, frozen=True, array_like=True):
    """A list whose rows an index numbers.

    Attributes:
        hash: what the index has its keys of.
        end: beyond the last number that was committed when the list began. What is in memory beyond it may belong to a
            commit that fails, after which another block takes its number.
        after: the number of the last row that was looked at.
        recent: the next numbers that are in the node's memory, all or one more than a piece has rows.
    """

    hash: bytes
    end: int
    after: int = FIRST
    recent: Sequence[int] = ()


class OutputsOf(_Indexed, tag=True, kw_only=True, frozen=True, array_like=True):
    """The outputs of an owner, or the spent or unspent ones."""

    spent: bool | None


class TransactionsOf(_Indexed, tag=True, kw_only=True, frozen=True, array_like=True):
    """The transactions of an asset, or those of one operation.

    Attributes:
        create_seq: of the first one.
    """

    create_seq: int
    operation: Operation | None


class Search(Struct, tag=True, frozen=True, array_like=True):
    """The rows that match, best first; limit 0 is all."""

    table: Table
    text: str
    limit: int


class Rows(Struct, tag=True, frozen=True, array_like=True):
    """The rows of these transactions, eight bytes each, in their order."""

    table: Table
    seqs: bytes


ListRequest: TypeAlias = OutputsOf | TransactionsOf | Search | Rows


class Piece(Struct, tag=True, frozen=True, array_like=True):
    """Elements of a list, as JSON with commas between them, and what to ask for next; None at the end.

    Elements may be none: a read is bounded, also where little of what it reads matches.
    """

    elements: bytes
    rest: ListRequest | None


class Bounds(Struct, frozen=True):
    """Bounds of a step.

    Attributes:
        row_count_max: rows that it looks at.
        match_count_max: rows that a search may match.
    """

    row_count_max: int
    match_count_max: int


class Walk:
    """A place in a list."""

    def __init__(self, request: ListRequest | None, recent: Recent) -> None:
        """Begin with `request`, None for an empty list; `recent` is this node's."""
        self._rest = request
        self._later = b""
        self._recent = recent

    @property
    def is_over(self) -> bool:
        """Whether all elements were taken."""
        return self._rest is None

    def ask(self, row_count_max: int) -> ListRequest:
        """Return what the next step is to be asked for.

        Raises:
            StoreDamaged: rows in memory may lack one.
        """
        match self._rest:
            case OutputsOf(hash=owner, after=after):
                return structs.replace(self._rest, recent=self._recent.outputs(owner, after, row_count_max + 1))
            case TransactionsOf(hash=asset, after=after):
                return structs.replace(self._rest, recent=self._recent.transfers(asset, after, row_count_max + 1))
            case Rows(table, seqs):
                self._later = seqs[row_count_max * _SEQ_BYTES :]
                return Rows(table, seqs[: row_count_max * _SEQ_BYTES])
            case request:
                assert request is not None, "the list is over"
                return request

    def take(self, piece: Piece) -> bytes:
        """Go on behind a piece; return its elements."""
        rest, later, self._later = piece.rest, self._later, b""
        if later:
            assert isinstance(self._rest, Rows), self._rest
            rest = Rows(self._rest.table, (rest.seqs if isinstance(rest, Rows) else b"") + later)
        self._rest = rest
        return piece.elements


def step(connection: sqlite3.Connection, request: ListRequest, bounds: Bounds) -> Piece:
    """Read the next piece of a list.

    Raises:
        SearchTooWide: more rows match than may be ranked.
        StoreDamaged: a row is not what was written.
    """
    match request:
        case OutputsOf():
            return _outputs(connection, request, bounds.row_count_max)
        case TransactionsOf():
            return _transactions(connection, request, bounds.row_count_max)
        case Search(table, text, limit):
            seqs = _matches(connection, table, text, limit, bounds.match_count_max)
            return _rows(connection, table, seqs, bounds.row_count_max)
        case Rows(table, packed):
            seqs = array("q", packed)
            return _rows(connection, table, seqs, bounds.row_count_max)


def _outputs(connection: sqlite3.Connection, request: OutputsOf, count: int) -> Piece:
    numbers, goes_on = _numbers(connection, "owner_index", request, count)
    rows = connection.execute(_OUTPUTS, (array_of(numbers),)).fetchall()
    found = [_output_of(request.hash, *row) for row in rows]
    wanted = [one for one in found if one is not None and request.spent in (None, one.is_spent)]
    elements = ",".join(f'{{"output_index":{one.number},"transaction_id":"{one.id.hex()}"}}' for one in wanted)
    rest = structs.replace(request, after=numbers[-1], recent=()) if goes_on else None
    return Piece(elements.encode(), rest)


def _transactions(connection: sqlite3.Connection, request: TransactionsOf, count: int) -> Piece:
    operation, seqs, transfers, goes_on = request.operation, list[int](), list[int](), False
    if request.after == FIRST and operation != "TRANSFER":
        seqs.append(request.create_seq)
    if operation != "CREATE":
        transfers, goes_on = _numbers(connection, "asset_index", request, count)
        seqs += _of_asset(connection, request.hash, transfers)
    served = fitting(connection, seqs) if seqs else []
    bodies = bodies_of(connection, served)
    elements = b",".join(one for one in bodies if operation is None or operation_of(one) == operation)
    if len(served) < len(seqs):
        after = served[-1]
    elif goes_on:
        after = transfers[-1]
    else:
        return Piece(elements, None)
    return Piece(elements, structs.replace(request, after=after, recent=()))


def _rows(connection: sqlite3.Connection, table: Table, seqs: "array[int]", count: int) -> Piece:
    if not seqs:
        return Piece(b"", None)
    served = fitting(connection, seqs[:count])
    row = asset_row if table == "assets" else metadata_row
    elements = b",".join(map(row, bodies_of(connection, served)))
    rest = seqs[len(served) :]
    return Piece(elements, Rows(table, rest.tobytes()) if rest else None)


def _matches(connection: sqlite3.Connection, table: Table, text: str, limit: int, count_max: int) -> "array[int]":
    """Return the seqs of the rows that match: best first or, with too many words to rank by, in commit order."""
    query = read_query(text)
    if (expression := match_expression(query)) is None:
        return array("q")
    name = f"{table}_search"
    matching = f"SELECT rowid FROM {name} WHERE {name} MATCH ?"  # noqa: S608 - a table of ours
    if query.is_ranked:  # To count costs a tenth of what ranking does, and no more for a word of every row.
        counting = f"SELECT count(*) FROM ({matching} LIMIT ?)"  # noqa: S608 - as above
        ((count,),) = connection.execute(counting, (expression, count_max + 1)).fetchall()
        _expect_few(count, count_max)
    order = "rank, rowid" if query.is_ranked else "rowid"
    most = min(limit or count_max + 1, count_max + 1)
    found = connection.execute(f"{matching} ORDER BY {order} LIMIT ?", (expression, most)).fetchall()
    _expect_few(len(found), count_max)
    return array("q", (seq for (seq,) in found))


def _expect_few(count: int, count_max: int) -> None:
    if count > count_max:
        raise SearchTooWide(
            f"more than {count_max} rows match (limits.search_match_count_max), too many to find the best of; "
            'search for rarer words, for a "phrase" that must occur, or exclude some by -word'
        )


def _numbers(connection: sqlite3.Connection, index: str, request: _Indexed, count: int) -> tuple[list[int], bool]:
    """Return the next numbers of one index key, ascending, and whether there are more.

    Those of the table come first, then those in memory. The numbers of another hash with an equal key come too.

    Raises:
        StoreDamaged: a row of the index may be hidden.
    """
    column, key = INDEXES[index], key_of(request.hash)
    recent = [number for number in request.recent if number < request.end]
    below = min([request.end, *recent[:1]])
    # S608: names of our own.
    statement = (
        f"SELECT {column} FROM {index} WHERE key = ? AND {column} > ? AND {column} < ? ORDER BY {column} LIMIT ?"  # noqa: S608
    )
    rows = connection.execute(statement, (key, request.after, below, count + 1)).fetchall()
    found = [number for (number,) in rows]
    expect_neighbours(connection, index, key, request.after)
    if len(found) <= count:
        if found:
            expect_neighbours(connection, index, key, found[-1])
        found += recent
    return found[:count], len(found) > count


def _of_asset(connection: sqlite3.Connection, asset: bytes, seqs: Sequence[int]) -> list[int]:
    """Leave out the transactions of another asset with an equal key."""
    key = key_of(asset)
    rows = connection.execute(_OF_ASSET, (array_of(seqs),)).fetchall()
    found = [(seq, indexed_transaction("asset_index", key, seq, row)) for seq, *row in rows]
    return [seq for seq, (_, of_asset) in found if of_asset == asset]


class _Output(NamedTuple):
    id: bytes
    number: int
    is_spent: bool


def _output_of(owner: bytes, number: int, *row: Any) -> _Output | None:  # noqa: ANN401 - a row
    """Return the output that a row of `owner_index` leads to; None if it is of an owner whose key is the same."""
    output, _, _, owners, id_, _, spent_by, spent_checksum = row
    if output is None:
        raise damaged("owner_index", f"{key_of(owner)}, {number}", "leads to no output")
    OUTPUTS.expect(*row[:6])
    SPENDS.expect(output, spent_by, spent_checksum)
    hashes = owner_hashes(owners)
    if owner in hashes:
        return _Output(id_, number % OUTPUT_COUNT_MAX, spent_by is not None)
    if key_of(owner) not in map(key_of, hashes):
        raise damaged("owner_index", f"{key_of(owner)}, {number}", "leads to another's output")
    return None
