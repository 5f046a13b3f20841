"""What the HTTP interface answers about owners and assets, asked of the file of the sink `sqlite` instead."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any, Final

LARGEST_COUNT: Final = 100
_OUTPUTS: Final = """
SELECT t.id AS transaction_id, o.output_index, CAST(o.amount AS TEXT) AS amount, a.id AS asset_id, b.height,
    s.id AS spent_by
FROM outputs AS o JOIN transactions AS t ON t.seq = o.seq JOIN transactions AS a ON a.seq = t.asset
JOIN blocks AS b ON b.position = t.position
LEFT JOIN inputs AS i ON i.spends = o.seq AND i.spends_index = o.output_index
LEFT JOIN transactions AS s ON s.seq = i.seq
"""
_NEWEST_FIRST: Final = " ORDER BY o.seq DESC, o.output_index DESC"


def rows(connection: sqlite3.Connection, query: str, *values: object) -> list[dict[str, Any]]:
    """Return the rows of a query by the names of their columns."""
    found = connection.execute(query, values)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def owner(connection: sqlite3.Connection, key: str) -> dict[str, Any]:
    """Return `owners/KEY`."""
    held = rows(connection, "SELECT * FROM balances WHERE public_key = ?", key)
    held.sort(key=lambda row: (-int(row["amount"]), -int(row["shared_amount"]), row["asset_id"]))
    names = ("asset_id", "amount", "shared_amount", "output_count")
    return {
        "public_key": key,
        "balances": [
            {name: str(row[name]) if "amount" in name else row[name] for name in names} for row in held[:LARGEST_COUNT]
        ],
        "asset_count": len(held),
        "unspent_count": sum(row["output_count"] for row in held),
        "complete": True,
        "as_of": _height(connection),
    }


def asset(connection: sqlite3.Connection, id_: str) -> dict[str, Any]:
    """Return `assets/ID`; holders as a mapping from their keys."""
    create = rows(connection, "SELECT seq, operation, data, position FROM transactions WHERE id = ?", id_)[0]
    held = rows(connection, "SELECT * FROM holders WHERE asset_id = ?", id_)
    amounts = rows(connection, "SELECT amount FROM outputs WHERE seq = ?", create["seq"])
    (counts,) = rows(connection, "SELECT count(*) AS n FROM transactions WHERE asset = ?", create["seq"])
    (block,) = rows(connection, "SELECT height FROM blocks WHERE position = ?", create["position"])
    return {
        "id": id_,
        "operation": create["operation"],
        "data": json.loads(create["data"] or "null"),
        "data_bytes": len((create["data"] or "null").encode()),
        "amount": str(sum(row["amount"] for row in amounts)),
        "created_height": block["height"],
        "transaction_count": counts["n"],
        "unspent_count": sum(row["output_count"] for row in held),
        "holder_count": len(held),
        "holders": {tuple(json.loads(row["public_keys"])): str(row["amount"]) for row in held},
        "complete": True,
        "as_of": _height(connection),
    }


def outputs_of_owner(connection: sqlite3.Connection, key: str, spent: bool | None = None) -> list[dict[str, Any]]:  # noqa: FBT001
    """Return `owners/KEY/outputs`, but for conditions and public keys."""
    mine = "JOIN output_owners AS w ON w.seq = o.seq AND w.output_index = o.output_index AND w.public_key = ?"
    return rows(connection, f"{_OUTPUTS} {mine} WHERE {_spent(spent)} {_NEWEST_FIRST}", key)


def outputs_of_asset(connection: sqlite3.Connection, id_: str, spent: bool | None = None) -> list[dict[str, Any]]:  # noqa: FBT001
    """Return `assets/ID/outputs`, as above."""
    return rows(connection, f"{_OUTPUTS} WHERE a.id = ? AND {_spent(spent)} {_NEWEST_FIRST}", id_)


def of_output(element: Mapping[str, Any]) -> dict[str, Any]:
    """Return what rows know of an output as HTTP has it."""
    return {name: value for name, value in element.items() if name not in ("condition", "public_keys")}


def _spent(wanted: bool | None) -> str:  # noqa: FBT001
    return {None: "1", True: "i.seq IS NOT NULL", False: "i.seq IS NULL"}[wanted]


def _height(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT height FROM progress").fetchone()[0])
