"""Reading a copy that an older version wrote as if it had today's schema: its rows have no checksums."""

import sqlite3
from typing import Final

from bigchaindb.errors import SchemaTooNew, StoreError
from bigchaindb.store.checksums import ONE_ROW_COLUMNS, checksum_of
from bigchaindb.store.migrations import (
    CHAIN_VERSION,
    CHECKSUM_VERSION,
    LEDGER_STEPS,
    LEDGER_VERSION,
    NAMES_VERSION,
    NETWORK_VERSION,
    SUMMARY_VERSION,
    WAYS_ON,
    too_new,
)

_EMPTY: Final = (
    "CREATE TABLE temp.transaction_checksums (seq INTEGER PRIMARY KEY, row_checksum, body_checksum)",
    """CREATE TABLE temp.event_checksums (
        position INTEGER PRIMARY KEY, row_checksum, record_checksum, vote_checksum, proof_checksum, envelope_checksum
    )""",
    "CREATE VIEW temp.outputs AS SELECT *, NULL AS checksum, NULL AS spent_checksum FROM main.outputs",
    """CREATE VIEW temp.old_unchecked AS
        SELECT 1 AS one, 0 AS done_seq, 0 AS done_position, transaction_count AS last_seq, position AS last_position
        FROM main.tip""",
)
_ENVELOPES: Final = "CREATE VIEW temp.event_checksums AS SELECT *, NULL AS envelope_checksum FROM main.event_checksums"
_NAMES: Final = "CREATE TABLE temp.named (seq INTEGER PRIMARY KEY, keys, checksum)"
_NAMING: Final = "(SELECT 1 AS one, 0 AS done_seq, transaction_count AS last_seq FROM main.tip)"
_NETWORK: Final = (
    "CREATE TABLE temp.proofs (position INTEGER PRIMARY KEY, body)",
    "CREATE TABLE temp.old_network AS SELECT 1 AS one, NULL AS state",
)


def cover(connection: sqlite3.Connection) -> None:
    """Put temporary tables and views over what an older version wrote; of today's schema nothing is changed.

    Raises:
        SchemaTooNew: a later version wrote it.
        StoreError: it is no ledger.
    """
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    if version == LEDGER_VERSION:
        return
    _require_older(version)
    connection.create_function("checksum_of", -1, checksum_of, deterministic=True)
    if version < NAMES_VERSION:
        connection.execute(_NAMES)
        _cover_one(connection, "naming", _NAMING)
    if version >= CHECKSUM_VERSION:
        if version < SUMMARY_VERSION:
            connection.execute(_ENVELOPES)
        return
    for statement in (*_EMPTY, *(_NETWORK if version < NETWORK_VERSION else ())):
        connection.execute(statement)
    sources = {table: f"main.{table}" for table in ONE_ROW_COLUMNS.keys() - {"naming"}}
    sources["unchecked"] = "temp.old_unchecked"
    if version < NETWORK_VERSION:
        sources["network"] = "temp.old_network"
    if version < CHAIN_VERSION:
        sources["local"] = "(SELECT *, NULL AS chain_id FROM main.local)"
    for table, source in sources.items():
        _cover_one(connection, table, source)


def _require_older(version: int) -> None:
    if version > LEDGER_VERSION:
        raise SchemaTooNew(f"ledger.db: {too_new(version, LEDGER_VERSION)}; {WAYS_ON}")
    if version not in LEDGER_STEPS or version == 0:
        raise StoreError(
            f"ledger.db: schema {version} is none of this version of the software, which knows {LEDGER_VERSION}"
        )


def _cover_one(connection: sqlite3.Connection, table: str, source: str) -> None:
    columns = ONE_ROW_COLUMNS[table]
    # S608: names of our own.
    connection.execute(f"CREATE VIEW temp.{table} AS SELECT *, checksum_of({columns}) AS checksum FROM {source}")  # noqa: S608
