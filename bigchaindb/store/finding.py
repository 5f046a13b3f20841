"""What words may mean: the assets and the metadata that match them best, for a person who chooses."""

import sqlite3
from typing import Any, Final

import orjson
from msgspec import Struct

from bigchaindb.errors import SearchTooWide
from bigchaindb.store.lists import Bounds, ListRequest, Search, Table, step
from bigchaindb.transaction import strings_of

HIT_COUNT_MAX: Final = 10
"""Of each kind."""
LABEL_CHARACTERS_MAX: Final = 100


class Words(Struct, tag=True, frozen=True, array_like=True):
    """The best matches of a text."""

    text: str


def find_words(connection: sqlite3.Connection, asked: Words, bounds: Bounds) -> bytes:
    """Return the matches as JSON: `hits`, and `note`, which is why words were left out, or null.

    Raises:
        StoreDamaged: a row is not what was written.
    """
    hits: list[dict[str, str]] = []
    note = None
    for table in ("assets", "metadata"):
        try:
            hits += _hits(connection, table, asked.text, bounds)
        except SearchTooWide as error:
            note = str(error)
    return orjson.dumps({"hits": hits, "note": note})


def _hits(connection: sqlite3.Connection, table: Table, text: str, bounds: Bounds) -> list[dict[str, str]]:
    kind, member = ("asset", "data") if table == "assets" else ("transaction", "metadata")
    rest: ListRequest | None = Search(table, text, HIT_COUNT_MAX)
    hits = []
    while rest is not None:
        piece = step(connection, rest, bounds)
        rows = orjson.loads(b"[%b]" % piece.elements)
        hits += [{"kind": kind, "id": row["id"], "label": label_of(row[member])} for row in rows]
        rest = piece.rest
    return hits


def label_of(document: Any) -> str:  # noqa: ANN401 - any JSON
    """Return the texts of a document in its order, cut."""
    return " ".join(list(strings_of(document))[::-1])[:LABEL_CHARACTERS_MAX]
