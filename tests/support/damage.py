"""Damage as a disk does it: one bit of one column of one row, in a ledger of every kind of row."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from bigchaindb.access.book import KeyBook
from bigchaindb.access.scopes import Scopes
from bigchaindb.errors import HistoryLost, StoreDamaged
from bigchaindb.eventlog.members import Member
from bigchaindb.eventlog.selection import Selection
from bigchaindb.events import EventTypes
from bigchaindb.ledger.effects import Effects, LoggedEvent
from bigchaindb.ledger.ports import RejectedRow
from bigchaindb.ledger.rejections import Rejection
from bigchaindb.ledger.view import Needs
from bigchaindb.store import LaneRow, Log, NodeDb, Store, SubscriptionRow, TroubleRow
from bigchaindb.store.beside import read_node
from bigchaindb.store.candidates import History
from bigchaindb.store.database import Readers, open_writer
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.downwards import Cut, Wanted, take
from bigchaindb.store.downwards import Walk as WalkDown
from bigchaindb.store.lists import Walk
from bigchaindb.store.migrations import CHAIN_VERSION, CHECKSUM_VERSION, NAMES_VERSION, NETWORK_VERSION, SUMMARY_VERSION
from bigchaindb.store.node_rows import SUMS_VERSION, TABLES
from bigchaindb.store.own import Outbox, Rejections
from bigchaindb.store.queries import LedgerQueries
from bigchaindb.store.rejected import RejectedLog, RejectedWriter
from bigchaindb.store.selecting import Filter
from bigchaindb.transaction.model import OutputRef, Transaction
from tests.support.chains import ALICE, BOB, Coin, create, transfer
from tests.support.decisions import Chain
from tests.support.lists import outputs, whole

NAMES: Final = ("audit", "print")
"""Plugins with lanes in node.db."""
RAN_VERSION: Final = 3
"""The first version of node.db that has the table `ran`."""
REJECTED_IDS: Final = ("aa" * 32, "bb" * 32, "cc" * 32)
OWNERS: Final = (ALICE.public_key, BOB.public_key)
GENERATION_ROWS: Final = 12
"""So few that a ledger of some blocks has rows in the index tables as well as in memory."""
FEW_ROWS: Final = 2
"""A generation so small that nearly all index rows are in the tables."""
DAMAGED: Final = "damaged"
"""The entry of `answers` where a read was refused."""


class Written(NamedTuple):
    """The content of a ledger, and all that can be asked about it."""

    transactions: list[Transaction]
    height: int
    position: int


def write(store: Store) -> Written:
    """Commit blocks that leave a row in every table: spends, rejections, proofs, a network's state, search texts."""
    chain, transactions = Chain(), list[Transaction]()

    def commit(effects: Effects) -> None:
        store.writer.commit(replace(effects, network=b"state of the network"))
        store.writer.tidy()

    for serial in range(5):
        first = create(serial, amounts=(1, 2))
        second = transfer(Coin(first), note=serial)
        commit(chain.valid(first, second))
        transactions += [first, second]
        commit(_proven(chain.invalid(create(100 + serial))))
    return Written(transactions, chain.tip.height, chain.tip.position)


class Whole(NamedTuple):
    """A ledger that is whole: where it lies, what is in it and what is answered from it."""

    path: Path
    written: Written
    answers: dict[str, Any]


def write_whole(path: Path, **options: Any) -> Whole:
    """Make a ledger with rows in all tables; see `Store` for the options."""
    with closing(Store(path, **options)) as store:
        written = write(store)
        found = answers(store, written)
    assert DAMAGED not in found.values()
    with closing(sqlite3.connect(path / "ledger.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return Whole(path, written, found)


def write_older(directory: DataDirectory, version: int) -> Written:
    """Write a ledger with the schema of an older version: its rows, without all that came later."""
    with closing(Store(directory.path, generation_rows=GENERATION_ROWS)) as store:
        written = write(store)
    make_older(directory, version)
    return written


def make_older(directory: DataDirectory, version: int) -> None:
    """Take out of a ledger that no node uses all that came after an older version."""
    with closing(open_writer(directory.ledger)) as connection:
        if version < NAMES_VERSION:
            connection.execute("DELETE FROM owner_index WHERE output >= 1 << 62")
            for table in ("named", "naming"):
                connection.execute(f"DROP TABLE {table}")
        if version < SUMMARY_VERSION:
            connection.execute("DROP INDEX invalid_position")
            connection.execute("ALTER TABLE event_checksums DROP COLUMN envelope_checksum")
        if version < CHECKSUM_VERSION:
            for table in ("transaction_checksums", "event_checksums", "unchecked"):
                connection.execute(f"DROP TABLE {table}")
            for table in ("tip", "indexing", "local", "network"):
                connection.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
            for column in ("checksum", "spent_checksum"):
                connection.execute(f"ALTER TABLE outputs DROP COLUMN {column}")
        if version < CHAIN_VERSION:
            connection.execute("ALTER TABLE local DROP COLUMN chain_id")
        if version < NETWORK_VERSION:
            connection.execute("DROP TABLE proofs")
            connection.execute("DROP TABLE network")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def make_older_node(path: Path, version: int) -> None:
    """Take out of a node.db that nobody uses all that came after an older version."""
    with closing(open_writer(path)) as connection:
        for table in TABLES:
            if table.since > max(version, SUMS_VERSION):
                connection.execute(f"DROP TABLE {table.name}")
            elif version < SUMS_VERSION:
                connection.execute(f"ALTER TABLE {table.name} DROP COLUMN checksum")
        if version < RAN_VERSION:
            connection.execute("DROP TABLE ran")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def write_node(node: NodeDb) -> None:
    """Leave a row in every table of node.db: events in hand, parked, and asked for again, promises and verdicts."""
    for name in NAMES:
        in_hand = TroubleRow(name, 18, 2, 1, 9.5, "ValueError: y")
        row = LaneRow(name, 3, 10, 17, b"d" * 32, "LIVE", 1.5, "ValueError: x", 2.5)
        node.save_lanes({row: [in_hand]}, sought={name: 2})
        for position in (11, 12):
            node.park(TroubleRow(name, position, 5, 4, 1.5, "ValueError: x", 3.5))
        node.let_return(name, [12], epoch=4)
        node.note_run(name)
        node.put_subscription(SubscriptionRow(name, '{"log":"events"}', 1.5, 10))
    KeyBook(node, 10).new("billing", Scopes(("read",)), 2_000_000_000, 1_700_000_000)
    Outbox(node).put([("ff" * 32, b"parent"), ("00" * 32, b"child")])
    RejectedWriter(node).add([RejectedRow(id_, id_, "DoubleSpend", "taken", b"{}") for id_ in REJECTED_IDS])
    for height in (7, 8):
        rejection = Rejection(
            height=height,
            block="ab" * 32,
            proposer="cd" * 20,
            time=1_700_000_000,
            body="ef" * 32,
            size=19,
            reason="DoubleSpend at transactions[1]",
        )
        Rejections(node).add(rejection, (b"{}",))


def node_answers(node: NodeDb) -> dict[str, Any]:
    """Ask for all that is in node.db; what is refused for damage is `DAMAGED`, and left out of what is listed."""
    questions: dict[str, Callable[[], Any]] = {
        "id": lambda: node.id,
        "outbox": Outbox(node).all,
        "rejections": Rejections(node).all,
        "bodies": lambda: [Rejections(node).body_of(one) for one in Rejections(node).all()],
    }
    for name in NAMES:
        questions[f"lane {name}"] = partial(node.lane, name)
        questions[f"troubles {name}"] = partial(node.troubles, name)
        questions[f"parked {name}"] = partial(node.parked, name)
        questions[f"parked among {name}"] = partial(node.parked_among, name, [11, 12, 18])
        questions[f"has run {name}"] = partial(node.has_run, name)
    found = {}
    for name, ask in questions.items():
        try:
            found[name] = ask()
        except StoreDamaged:
            found[name] = DAMAGED
    return found


def later_answers(node: NodeDb) -> dict[str, Any]:
    """Ask for what is in the tables that came after the checksums, as `node_answers` does."""
    found: dict[str, Any] = {
        "keys": list(KeyBook(node, 10).keys.values()),
        "subscriptions": node.subscriptions(),
        "rejected": _rejected(node),
    }
    for name in NAMES:
        for question, ask in (("subscription", node.subscription), ("seeks", node.seek_count)):
            try:
                found[f"{question} {name}"] = ask(name)
            except StoreDamaged:
                found[f"{question} {name}"] = DAMAGED
    return found


def _rejected(node: NodeDb) -> list[Any]:
    """Follow the log of rejected transactions to its end, or to what is damaged, and ask for each of them."""
    [(_, _, path)] = node.read("PRAGMA database_list")
    found: list[Any] = []
    with closing(Readers(Path(path), node._damages)) as readers:
        log = RejectedLog(readers)
        with suppress(StoreDamaged):
            after, head = -1, log.head()
            while after < head:
                records, after = log.selected(after, head, None, count_max=100, bytes_max=1 << 20)
                found += records
        for id_ in REJECTED_IDS:
            with suppress(StoreDamaged):
                found += [row] if (row := log.of(id_)) is not None else []
    return found


def _proven(effects: Effects) -> Effects:
    return replace(effects, logged=tuple(replace(one, proof=b'{"signed":"rejection"}') for one in effects.logged))


def answers(store: Store, written: Written) -> dict[str, Any]:
    """Ask everything that leaves the process; what is refused for damage is `DAMAGED`."""
    found: dict[str, Any] = {}
    for name, ask in _questions(store, written):
        try:
            found[name] = ask()
        except (StoreDamaged, HistoryLost):
            found[name] = DAMAGED
    return found


Question = tuple[str, Callable[[], Any]]


def _questions(store: Store, written: Written) -> Iterator[Question]:
    queries, log = store.queries(), store.log_reader()
    with closing(log):
        for one in written.transactions:
            yield f"transaction {one.id}", partial(queries.transaction, one.id)
            yield f"blocks of {one.id}", partial(queries.blocks_of_transaction, one.id)
            yield f"asset {one.id}", partial(_all, queries, partial(queries.transactions_of_asset, one.asset_id, None))
            yield f"last of {one.id}", partial(queries.last_of_asset, one.asset_id, None)
            needs = Needs({one.id}, {OutputRef(one.id, index) for index in range(3)})
            yield f"view of {one.id}", partial(store.writer.view, needs)
        for owner in OWNERS:
            for spent in (None, True, False):
                yield (
                    f"outputs of {owner} {spent}",
                    partial(outputs, queries, owner, spent),
                )
        first, second = (one.id for one in written.transactions[:2])
        yield "search assets", partial(_all, queries, partial(queries.search, "assets", first, 0))
        yield "search metadata", partial(_all, queries, partial(queries.search, "metadata", second, 0))
        for height in range(1, written.height + 1):
            yield f"block {height}", partial(queries.block, height)
            yield f"decision {height}", partial(queries.decision, height)
        yield from _log_questions(log, queries, written)
        yield "height", queries.height
        yield "statistics", partial(_counts, queries)
        yield "network", store.writer.network
        yield "read_node", partial(read_node, store.directory)


def _all(queries: LedgerQueries, begin: Callable[[], Walk]) -> list[bytes]:
    return whole(queries, begin())


def _counts(queries: LedgerQueries) -> dict[str, Any]:
    return {name: value for name, value in queries.statistics().items() if not name.startswith(("ledger_", "wal_"))}


def _log_questions(log: Log, queries: LedgerQueries, written: Written) -> Iterator[Question]:
    for position in range(1, written.position + 1):
        if (entry := _entry(log, position)) is not None:
            yield f"block {entry.block_id}", partial(queries.block_by_id, entry.block_id)
            yield f"vote {entry.block_id}", partial(queries.vote, entry.block_id)
        yield f"entry {position}", partial(log.entry, position)
        yield f"event {position}", partial(log.records, position - 1, position, count_max=1, bytes_max=1)
        yield f"announcements {position}", partial(log.announcements, position)
        yield f"decision at {position}", partial(queries.decision_at, position)
        yield f"height {position}", partial(log.first_at, height=position)
        yield f"time {position}", partial(log.first_at, time=1_700_000_000 + position)
    for selection in (
        None,
        Selection(operation="TRANSFER"),
        Selection(owner=ALICE.public_key),
        Selection(asset=written.transactions[0].id),
        Selection(members=(Member(("note",), (3,)),)),
    ):
        yield f"selected {selection}", partial(_selected, log, selection, written.position)
        yield f"newest {selection}", partial(_newest, log, selection, written.position)
    asset = written.transactions[0].asset_id
    history = partial(queries.history, asset, None, written.position)
    yield "newest by index", lambda: _newest(log, Selection(asset=asset), written.position, history=history())
    for owner in OWNERS:
        of_owner = partial(queries.history_of_owner, owner, None, written.position)
        yield f"newest of {owner}", partial(_newest_of, log, owner, of_owner, written.position)
    yield "summaries", partial(_summaries, log, written.position)
    yield "newest summaries", partial(_newest, log, None, written.position, is_summary=True)
    yield "newest transactions", partial(_newest, log, None, written.position, each_transaction=True)
    yield "head", log.head


def _selected(log: Log, selection: Selection | None, head: int) -> list[Any]:
    """Read on to the head, as whoever follows does: what comes before damage is given first."""
    found: list[Any] = []
    after = 0
    while after < head:
        records, after = log.selected(after, head, selection, count_max=100, bytes_max=1 << 20)
        found += records
    return found


def _newest(
    log: Log,
    selection: Selection | None,
    head: int,
    *,
    each_transaction: bool = False,
    is_summary: bool = False,
    history: History | None = None,
) -> list[Any]:
    """Read down to the beginning."""
    found: list[Any] = []
    wanted = Wanted(Filter(selection, EventTypes.ALL), each_transaction, is_summary, history)
    cut, is_end = Cut(head), False
    while not is_end:
        with log.reading() as connection:
            more, cut, is_end = take(WalkDown(connection, wanted, cut, Cut(0), lambda: False), 100, 1 << 20)
        found += more
    return found


def _newest_of(log: Log, owner: str, history: Callable[[], History | None], head: int) -> list[Any]:
    return _newest(log, Selection(owner=owner), head, history=history())


def _summaries(log: Log, head: int) -> list[Any]:
    found: list[Any] = []
    after = 0
    while after < head:
        records, after = log.summaries(after, head, count_max=100, bytes_max=1 << 20)
        found += records
    return found


def _entry(log: Log, position: int) -> LoggedEvent | None:
    with suppress(StoreDamaged):
        return log.entry(position)
    return None
