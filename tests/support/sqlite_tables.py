"""Tables of the SQLite sink, and what they hold of a simulated log."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from bigchaindb.delivery import Message, Per, messages_of
from bigchaindb.delivery.rows import Rows, rows_of
from bigchaindb.events import Event
from bigchaindb.simulated.chain import Recipe, events
from bigchaindb.testing.sinks import RECIPE, Held, Trouble
from tests.support.targets import KILL_RUN, InFile

OTHER = Recipe(blocks=4, transactions=2, seed=8)
PLUGIN = "sqlite"
NAMES = {
    "blocks": "SELECT position, height, id, time, node_pubkey, transaction_count, reason FROM blocks",
    "transactions": (
        "SELECT t.seq, t.id, t.operation, coalesce(c.id, a.id), t.position, t.metadata, t.data FROM transactions AS t "
        "LEFT JOIN transactions AS c ON c.seq = t.asset LEFT JOIN absent AS a ON a.number = t.asset"
    ),
    "inputs": (
        "SELECT i.seq, i.input_index, coalesce(t.id, a.id), i.spends_index, i.public_keys FROM inputs AS i "
        "LEFT JOIN transactions AS t ON t.seq = i.spends LEFT JOIN absent AS a ON a.number = i.spends"
    ),
    "outputs": "SELECT seq, output_index, amount FROM outputs",
    "output_owners": "SELECT seq, output_index, public_key, is_alone FROM output_owners",
}
"""Every row as `bigchaindb.delivery.rows` has it, by table."""


@cache
def chain(recipe: Recipe = RECIPE) -> dict[int, tuple[Event, Rows]]:
    return {event.position: (event, rows_of(event)) for event in events(recipe)}


def pairs(count: int | None = None) -> list[tuple[str, Rows]]:
    return [(event.id, rows) for event, rows in chain().values()][:count]


def ask(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def rows_in(path: Path) -> dict[int, dict[str, list[tuple[Any, ...]]]]:
    """Return all rows by the position of their event and by table."""
    found: dict[int, dict[str, list[tuple[Any, ...]]]] = {}
    for table, query in NAMES.items():
        for row in ask(path, f"{query} ORDER BY 1, 2, 3"):
            position = row[0] if table == "blocks" else row[0] >> 20
            found.setdefault(position, {}).setdefault(table, []).append(row)
    return found


class Tables(InFile):
    """A file. What it holds of an event counts as the event's messages if it is all of its rows, and no other."""

    per = Per.BLOCK

    def options(self, per: Per = Per.BLOCK, **more: Any) -> dict[str, Any]:
        self.per = per
        return super().options(**more)

    def held(self) -> Sequence[Held]:
        found: list[Message] = []
        written = sorted(rows_in(self.path).items() if self.path.exists() else ())
        ids = {position: tables["blocks"][0][2] for position, tables in written}
        known = next(
            one
            for one in map(chain, (RECIPE, KILL_RUN.recipe))
            if all(position in one and one[position][1].block.id == id_ for position, id_ in ids.items())
        )
        for position, tables in written:
            event, rows = known[position]
            wanted: dict[str, Any] = {"blocks": [rows.block], **dict(zip([*NAMES][1:], rows[1:], strict=True))}
            assert tables == {table: sorted(wanted[table]) for table in wanted if wanted[table]}, position
            found += messages_of(event, self.per)
        return [Held(message.id, "", message.data) for message in found]

    def bodies(self) -> Sequence[bytes]:
        raise AssertionError("no format can be sent")

    def full(self) -> Trouble:
        return self.on_full_disk(8, "no space left on its disk; free some", but=150 * 1024)
