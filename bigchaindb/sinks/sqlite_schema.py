"""The tables of the plugin `sqlite`, as its file and docs/how-to/query-with-sql.md have them. Pure."""

import re
from collections.abc import Iterable
from typing import Final

APPLICATION_ID: Final = 0x42434442
"""`BCDB` in the header of the file: it is one of ours."""
VERSION: Final = 1
"""Of the tables, in the header as `user_version`."""
INDEXES_MAX: Final = 32
"""Of the option: each costs a few microseconds a transaction."""
PLACE_CHARACTERS_MAX: Final = 500
INDEX_PREFIX: Final = "option:"
"""Begins the names of indexes that the option makes: those alone are dropped."""

_ROOTS: Final = ("metadata", "data")
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _exact_sum(amount: str) -> str:
    """Return SQL for a sum of amounts. `sum` fails beyond 64 bits, so billions and the rest are added up apart.

    A sum of 9,223,372,036,000,000,000 or more is text of digits, which sorts behind all integers.
    """
    billions = f"(coalesce(sum({amount} / 1000000000), 0) + coalesce(sum({amount} % 1000000000), 0) / 1000000000)"
    rest = f"(coalesce(sum({amount} % 1000000000), 0) % 1000000000)"
    return f"iif({billions} < 9223372036, {billions} * 1000000000 + {rest}, {billions} || printf('%09d', {rest}))"


TABLES: Final = """\
CREATE TABLE blocks (
    position INTEGER PRIMARY KEY,       -- of the event in the log, from 1
    height INTEGER NOT NULL,
    id TEXT NOT NULL,
    time INTEGER NOT NULL,              -- Unix seconds
    node_pubkey TEXT NOT NULL,          -- who proposed it
    transaction_count INTEGER NOT NULL,
    reason TEXT                         -- why it is invalid; NULL: it is valid
);
CREATE TABLE transactions (             -- of valid blocks
    seq INTEGER PRIMARY KEY,            -- position * 1048576 + index in the block: ascends as the log does
    id TEXT NOT NULL UNIQUE,
    operation TEXT NOT NULL,
    asset INTEGER NOT NULL,             -- seq of the CREATE, its own if it is one; below 0: of table absent
    position INTEGER NOT NULL,
    metadata TEXT,                      -- JSON
    data TEXT                           -- of the asset that it makes, JSON
);
CREATE TABLE inputs (
    seq INTEGER NOT NULL,
    input_index INTEGER NOT NULL,
    spends INTEGER,                     -- seq of the transaction whose output is spent; NULL in a CREATE
    spends_index INTEGER,               -- of that output
    public_keys TEXT NOT NULL,          -- JSON array
    PRIMARY KEY (seq, input_index)
) WITHOUT ROWID;
CREATE TABLE outputs (
    seq INTEGER NOT NULL,
    output_index INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (seq, output_index)
) WITHOUT ROWID;
CREATE TABLE output_owners (
    seq INTEGER NOT NULL,
    output_index INTEGER NOT NULL,
    public_key TEXT NOT NULL,
    is_alone INTEGER NOT NULL,          -- 1: the key alone can spend the output
    PRIMARY KEY (seq, output_index, public_key)
) WITHOUT ROWID;
CREATE TABLE absent (                   -- transactions that rows name and that are not here
    number INTEGER PRIMARY KEY,         -- below 0; stands where the seq of the transaction would
    id TEXT NOT NULL UNIQUE
);
CREATE TABLE progress (                 -- one row
    position INTEGER NOT NULL,          -- of the last event
    event_id TEXT NOT NULL,             -- of that event, the same on every node
    height INTEGER NOT NULL,            -- of the last valid block
    block_count INTEGER NOT NULL,       -- rows of blocks; less than position: some events are not here
    chain_id TEXT NOT NULL,
    plugin TEXT NOT NULL                -- that writes this file
);
CREATE INDEX transactions_by_asset ON transactions (asset);
CREATE INDEX transactions_by_position ON transactions (position);
CREATE UNIQUE INDEX inputs_by_spent ON inputs (spends, spends_index) WHERE spends IS NOT NULL;
CREATE INDEX output_owners_by_key ON output_owners (public_key, seq, output_index, is_alone);
"""

_SPENT: Final = "SELECT 1 FROM inputs AS i WHERE i.spends = o.seq AND i.spends_index = o.output_index"
_OWNERS: Final = """(SELECT json_group_array(k.public_key) FROM (
    SELECT w.public_key FROM output_owners AS w
    WHERE w.seq = o.seq AND w.output_index = o.output_index ORDER BY w.public_key
) AS k)"""


def _view(name: str, columns: str, tables: str, group: str = "") -> str:
    """Return SQL for a view of unspent outputs, `o`, with their transactions, `t`, and assets, `a`.

    Two searches, as an asset is in one of two tables: so a condition on its id finds the asset first.
    """
    arms = " UNION ALL\n".join(
        f"SELECT {columns}\nFROM {tables} JOIN transactions AS t ON t.seq = o.seq JOIN {assets} = t.asset\n"
        f"WHERE NOT EXISTS ({_SPENT}){group}"
        for assets in ("transactions AS a ON a.seq", "absent AS a ON a.number")
    )
    return f"CREATE VIEW {name}\n{arms};\n"


VIEWS: Final = (
    _view(
        "unspent AS -- outputs that no input spends",
        "o.seq, o.output_index, t.id AS transaction_id, o.amount, a.id AS asset_id, t.position",
        "outputs AS o",
    )
    + _view(
        "balances AS -- what each key holds of each asset",
        f"w.public_key, a.id AS asset_id,\n    {_exact_sum('o.amount * w.is_alone')} AS amount,\n"
        f"    {_exact_sum('o.amount * (1 - w.is_alone)')} AS shared_amount,\n    count(*) AS output_count",
        "output_owners AS w JOIN outputs AS o ON o.seq = w.seq AND o.output_index = w.output_index",
        "\nGROUP BY w.public_key, a.id",
    )
    + _view(
        "holders AS -- who holds each asset: all keys of an output together",
        f"a.id AS asset_id, {_OWNERS} AS public_keys,\n    {_exact_sum('o.amount')} AS amount,\n"
        "    count(*) AS output_count",
        "outputs AS o",
        "\nGROUP BY a.id, public_keys",
    )
)

INSERTS: Final = {
    "blocks": "INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)",
    "transactions": "INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?)",
    "inputs": "INSERT INTO inputs VALUES (?, ?, ?, ?, ?)",
    "outputs": "INSERT INTO outputs VALUES (?, ?, ?)",
    "output_owners": "INSERT INTO output_owners VALUES (?, ?, ?, ?)",
}


def expression_of(place: str) -> str:
    """Return the SQL for a place such as `metadata.weight`: a query that writes it so finds the index.

    Raises:
        ValueError: it is no place in metadata or data.
    """
    root, *names = place.split(".")
    if root not in _ROOTS or not names:
        raise ValueError("must begin with metadata. or data., as in metadata.weight")
    if len(place) > PLACE_CHARACTERS_MAX:
        raise ValueError(f"must have at most {PLACE_CHARACTERS_MAX} characters, not {len(place)}")
    if not all(names) or any(character in '"\\\0' for character in place):
        raise ValueError('must have a name behind each dot, without ", \\ and NUL')
    path = ".".join(name if _PLAIN.fullmatch(name) else f'"{name}"' for name in names)
    return f"{root}->>'$.{path.replace(chr(39), chr(39) * 2)}'"


def index_statements(places: Iterable[str]) -> dict[str, str]:
    """Return the statement that makes each index, by the index's name."""
    found: dict[str, str] = {}
    for place in places:
        expression, name = expression_of(place), f"{INDEX_PREFIX}{place}"
        while name.lower() in map(str.lower, found):  # names in JSON differ by case, those of indexes do not
            name += "+"
        found[name] = f'CREATE INDEX "{name}" ON transactions ({expression}) WHERE {expression} IS NOT NULL'
    return found
