"""Which transactions may match a filter, newest first, where an index knows: by asset, by text, by owner.

What it yields is read and compared with the filter; what it leaves out does not match. Where it knows nothing, all
transactions are scanned.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import chain, groupby, islice
from typing import Final

from msgspec import Struct

from bigchaindb.eventlog.members import Comparison, Member
from bigchaindb.eventlog.selection import Selection
from bigchaindb.store.held import descending
from bigchaindb.store.keys import NAMED, OUTPUT_BITS, owner_hash

COUNT_FIRST: Final = 64
"""Candidates of the first piece."""
COUNT_MAX: Final = 1_000
"""Of a further piece."""
CANDIDATE_COUNT_MAX: Final = 10_000
"""That one walk looks at, but for the rest of a piece."""
OWNER_COUNT_MAX: Final = 1_000
"""The same of an owner of whom memory knows more: a key may sign all that a node takes, and its page is short."""

_WORD: Final = re.compile("[0-9A-Za-z]")
"""What every version of the tokenizer takes for a part of a word: a phrase without one might match nothing."""


class History(Struct, frozen=True, array_like=True):
    """Where the transactions of an asset, or else of an owner, stand, as far as the node's memory knows.

    Attributes:
        create_seq: of an asset's first; 0: there is no such asset, or it is of an owner.
        recent: the last seqs of its TRANSFERs, or of all that name the owner, that are in memory, ascending: all, or
            more than are taken of a walk.
        count_max: candidates that a walk looks at, but for the rest of a piece.
    """

    create_seq: int = 0
    recent: Sequence[int] = ()
    count_max: int = CANDIDATE_COUNT_MAX


def candidates(
    connection: sqlite3.Connection, selection: Selection | None, history: History | None, high: int, low: int
) -> Iterator[list[int]] | None:
    """Yield the seqs low < s ≤ high of transactions that may match, descending, in pieces; None: all may.

    Args:
        connection: reads.
        selection: to match.
        history: of the asset in it, or else of the owner; None: it is not known.
        high: the last seq.
        low: the seq before the first.

    Raises:
        StoreDamaged: a row of an index may be hidden.
    """
    if selection is None:
        return None
    if selection.asset is not None and history is not None:
        return _of_asset(connection, bytes.fromhex(selection.asset), history, high, low)
    for member in selection.members:
        if (phrase := phrase_of(member)) is not None:
            table = "assets_search" if member.root == "data" else "metadata_search"
            return _with_phrase(connection, table, phrase, high, low)
    if selection.asset is None and selection.owner is not None and history is not None:
        return _of_owner(connection, owner_hash(selection.owner), history, high, low)
    return None


def has_phrase(selection: Selection) -> bool:
    """Whether a text index knows what may match."""
    return any(phrase_of(member) is not None for member in selection.members)


def phrase_of(member: Member) -> str | None:
    """Return the expression of the full-text index that finds every text that a member demands; None: there is none."""
    if member.comparison is not Comparison.EQUAL or len(member.values) != 1:
        return None
    (value,) = member.values
    if not isinstance(value, str) or _WORD.search(value) is None or "\0" in value:
        return None
    return '"' + value.replace('"', '""') + '"'


def _of_asset(
    connection: sqlite3.Connection, asset: bytes, history: History, high: int, low: int
) -> Iterator[list[int]]:
    recent = [seq for seq in history.recent if seq <= high]
    for numbers in descending(connection, "asset_index", asset, high + 1, recent, COUNT_FIRST):
        wanted = [seq for seq in numbers if seq > low]
        if wanted:
            yield wanted
        if len(wanted) < len(numbers):
            return
    if low < history.create_seq <= high:
        yield [history.create_seq]


def _of_owner(
    connection: sqlite3.Connection, owner: bytes, history: History, high: int, low: int
) -> Iterator[list[int]]:
    """Merge what is in memory with both kinds of rows of the index: outputs, and what only names the key."""
    bounds, index = ((high + 1) << OUTPUT_BITS, ((low + 1) << OUTPUT_BITS) - 1), "owner_index"
    outputs = descending(connection, index, owner, bounds[0], (), COUNT_FIRST, bounds[1], OUTPUT_BITS)
    named = descending(connection, index, owner, NAMED | high + 1, (), COUNT_FIRST, NAMED | low)
    found = merge(
        (number >> OUTPUT_BITS for number in chain.from_iterable(outputs)),
        (number - NAMED for number in chain.from_iterable(named)),
        (seq for seq in reversed(history.recent) if low < seq <= high),
        reverse=True,
    )
    seqs, count = (seq for seq, _ in groupby(found)), COUNT_FIRST
    while piece := list(islice(seqs, count)):
        yield piece
        count = min(2 * count, COUNT_MAX)


def _with_phrase(connection: sqlite3.Connection, table: str, phrase: str, high: int, low: int) -> Iterator[list[int]]:
    statement = (
        f"SELECT rowid FROM {table} WHERE {table} MATCH ? AND rowid <= ? AND rowid > ? ORDER BY rowid DESC LIMIT ?"  # noqa: S608 - a table of ours
    )
    count = COUNT_FIRST
    while found := [seq for (seq,) in connection.execute(statement, (phrase, high, low, count)).fetchall()]:
        yield found
        if len(found) < count:
            return
        high, count = found[-1] - 1, min(2 * count, COUNT_MAX)
