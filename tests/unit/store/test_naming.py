"""The index of owners knows each transaction that names a key, of whatever version it is, and no list of outputs does.

Who follows a key must miss nothing that it has signed, and read no more than that.
"""

import asyncio
import json
import logging
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pytest

from bigchaindb.errors import StoreDamaged
from bigchaindb.eventlog.selection import Selection
from bigchaindb.store import Store, candidates, held, naming, queries
from bigchaindb.store.checking import check_directory
from bigchaindb.store.checksums import damaged
from bigchaindb.store.database import open_writer
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.event_rows import EventRow, read_row
from bigchaindb.store.keys import joined_keys, keys_of, owner_hash
from bigchaindb.store.migrations import CHECKSUM_VERSION, NAMES_VERSION
from bigchaindb.store.naming import named_by
from bigchaindb.store.tidying import Tidying
from bigchaindb.transaction import KeyPair, Transaction, build, parse
from bigchaindb.transaction.conditions import details_of
from bigchaindb.upkeep import UPGRADE, upgrade
from tests.support import scale
from tests.support.chains import ALICE, BOB, CAROL, NODE, Coin, create, transfer
from tests.support.damage import make_older
from tests.support.decisions import Chain
from tests.support.flips import Column, flip
from tests.support.lists import outputs

KEYS: Final = (ALICE, BOB, CAROL, NODE)
GENERATION_ROWS: Final = 40
OLDER: Final = NAMES_VERSION - 1


def signed(
    signers: Sequence[KeyPair], owners: Sequence[KeyPair], serial: int, claims: Sequence[KeyPair] = ()
) -> Transaction:
    """Make a CREATE with an output for each owner, of which the first names further keys that open nothing."""
    payments = [build.Payment(details_of([one.public_key])) for one in owners]
    document = build._template("CREATE", {"data": {"serial": serial}}, payments, None, "2.0")
    for one in claims:
        document["outputs"][0]["public_keys"].append(one.public_key)
    details = details_of([one.public_key for one in signers])
    return parse(build._signed(document, [build._Input(None, details, signers)], "2.0").body)


class Made:
    """A random ledger, and what is in it: transactions by seq, from 1."""

    def __init__(self, path: Path, draw: random.Random) -> None:
        self.path = path
        self.draw = draw
        self.chain = Chain()
        self.transactions: list[Transaction] = []
        self.coins: list[Coin] = []

    def open(self) -> Store:
        return Store(self.path, generation_rows=GENERATION_ROWS)

    def grow(self, store: Store, block_count: int) -> None:
        for _ in range(block_count):
            block = [self._transaction() for _ in range(self.draw.randint(1, 4))]
            store.writer.commit(self.chain.valid(*block))
            store.writer.tidy()
            self.transactions += block
            self.coins += [
                Coin(one, index, next(key for key in KEYS if key.public_key == output.owners[0]))
                for one in block
                for index, output in enumerate(one.outputs)
            ]
            if self.draw.random() < 0.3:
                store.writer.commit(self.chain.invalid(create(self.draw.getrandbits(40), owner=self.draw.choice(KEYS))))

    def _transaction(self) -> Transaction:
        draw = self.draw
        if self.coins and draw.random() < 0.5:
            coin = self.coins.pop(draw.randrange(len(self.coins)))
            return transfer(coin, to=draw.choice(KEYS), note=draw.getrandbits(40))
        owners = draw.choices(KEYS, k=draw.randint(0, 3))
        claims = draw.sample(KEYS, draw.randint(0, 2)) if owners else []
        return signed(draw.sample(KEYS, draw.randint(1, 2)), owners, draw.getrandbits(40), claims)

    def naming(self, owner: KeyPair, low: int, high: int) -> list[int]:
        """Return the seqs of the transactions between two that name a key, newest first, by reading all of them."""
        wanted = Selection(owner=owner.public_key)
        found = [seq for seq, one in enumerate(self.transactions, 1) if wanted.matches(json.loads(one.body))]
        return [seq for seq in reversed(found) if low < seq <= high]

    def owned(self, owner: KeyPair) -> list[Any]:
        return [
            (one.id, index)
            for one in self.transactions
            for index, output in enumerate(one.outputs)
            if owner.public_key in output.owners
        ]

    def compare(self, store: Store) -> None:
        """Require that the index names what a reader of all transactions finds."""
        head, count = store.writer.tip().position, len(self.transactions)
        bounds = [(0, count)] + [tuple(sorted(self.draw.choices(range(count + 1), k=2))) for _ in range(3)]
        for owner in KEYS:
            history = store.queries().history_of_owner(owner.public_key, None, head)
            assert history is not None
            selection = Selection(owner=owner.public_key)
            for low, high in bounds:
                with closing(store.log_reader()) as log, log.reading() as connection:
                    found = candidates.candidates(connection, selection, history, high, low)
                    assert found is not None
                    assert list(chain.from_iterable(found)) == self.naming(owner, low, high), (low, high)
            assert [tuple(one) for one in outputs(store.queries(), owner.public_key, None)] == self.owned(owner)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "data", random.Random(scale.seed()))


def whole(made: Made) -> None:
    checked = check_directory(DataDirectory(made.path), lambda *_: None)
    assert checked.damages == ()


def test_every_transaction_that_names_a_key_is_a_candidate_whatever_restarts(made: Made) -> None:
    for _ in range(8):
        with closing(made.open()) as store:
            made.grow(store, made.draw.randint(1, 8))
            made.compare(store)
        with closing(made.open()) as store:
            made.compare(store)
    whole(made)


def test_pieces_of_any_size_name_the_same(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction with many outputs of one owner lies in several pieces and is passed over behind the first."""
    for module, name, value in (
        (candidates, "COUNT_FIRST", 1),
        (candidates, "COUNT_MAX", 2),
        (held, "PIECE_COUNT_MAX", 2),
    ):
        monkeypatch.setattr(module, name, value)
    with closing(made.open()) as store:
        made.grow(store, 6)
        crowd = signed([BOB], [ALICE] * 30, 7)
        store.writer.commit(made.chain.valid(crowd))
        made.transactions.append(crowd)
        made.compare(store)
        made.grow(store, 12)
        made.compare(store)


def test_memory_names_the_newest_though_each_gives_the_owner_many_outputs(made: Made) -> None:
    """Else a walk would go on in the tables, below what memory still has."""
    with closing(Store(made.path)) as store:
        for serial in range(6):
            store.writer.commit(made.chain.valid(signed([BOB], [ALICE] * 30, serial), signed([ALICE], [BOB], serial)))
        recent = store.writer.recent
        for count in range(1, 14):
            for below in range(1, 14):
                found = recent.last_of_owner(owner_hash(ALICE.public_key), below, count)
                assert found == list(range(1, below))[-count:]


def test_what_is_committed_during_a_question_pushes_nothing_out_of_it(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory names its newest below the head: those of a later block would take their places."""
    monkeypatch.setattr(queries, "COUNT_MAX", 0)
    monkeypatch.setattr(queries, "OWNER_COUNT_MAX", 0)
    later = [signed([ALICE], [BOB], serial) for serial in range(2, 10)]
    with closing(made.open()) as store:
        store.writer.commit(made.chain.valid(signed([ALICE], [BOB], 1)))

        def then_commit(connection: sqlite3.Connection, position: int) -> EventRow | None:
            if (row := read_row(connection, position)) is None:
                store.writer.commit(made.chain.valid(*later))
            return row

        monkeypatch.setattr(queries, "read_row", then_commit)
        history = store.queries().history_of_owner(ALICE.public_key, None, 1)
        assert store.writer.tip().position == 2
        assert history is not None
        assert list(history.recent) == [1]


@pytest.mark.parametrize("version", [CHECKSUM_VERSION - 1, CHECKSUM_VERSION, OLDER])
def test_an_older_ledger_is_indexed_in_pieces_beside_its_node(
    version: int, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the last piece all is scanned, as before; commits, restarts and checks come in between."""
    monkeypatch.setattr(naming, "STEP_COUNT_MAX", 3)
    with closing(made.open()) as store:
        made.grow(store, 20)
    before = len(made.transactions)
    make_older(DataDirectory(made.path), version)
    whole(made)
    with closing(made.open()) as store:
        assert store.writer.unnamed_count == before
        while store.writer.upgrade():
            pass
    left = before
    while left:
        with closing(made.open()) as store:
            assert store.writer.unnamed_count == left, "a restart goes on where it was"
            for _ in range(made.draw.randint(1, 3)):
                assert (store.queries().history_of_owner(ALICE.public_key, None, made.chain.tip.position) is None) == (
                    left > 0
                )
                left, last = store.writer.index_names(), left
                assert left == max(0, last - 3)
                made.grow(store, made.draw.randint(0, 2))
                whole(made)
                for owner in KEYS:
                    assert [tuple(one) for one in outputs(store.queries(), owner.public_key, None)] == made.owned(owner)
    with closing(made.open()) as store:
        assert (store.writer.unnamed_count, store.writer.index_names()) == (0, 0)
        made.compare(store)
        made.grow(store, 25)
        made.compare(store)
    with closing(made.open()) as store:
        made.compare(store)
    whole(made)


def test_a_generation_that_moves_meanwhile_goes_on_moving(made: Made) -> None:
    """Its moves are parts of lists, which must not grow in between: half of its rows are of the older version."""

    def open_() -> Store:
        return Store(made.path, generation_rows=200)

    def commit(store: Store, serials: range) -> None:
        for serial in serials:
            signer = KeyPair.from_seed(serial.to_bytes(32, "big"))
            store.writer.commit(made.chain.valid(signed([signer], [ALICE], serial)))
            store.writer.tidy()

    with closing(open_()) as store:
        commit(store, range(800, 830))
    make_older(DataDirectory(made.path), OLDER)
    with closing(open_()) as store:
        commit(store, range(830, 875))
        [(moves,)] = store._connection.execute("SELECT move_count FROM indexing").fetchall()
        assert 16 < moves < 48
        while store.writer.index_names():
            pass
    with closing(open_()) as store:
        commit(store, range(875, 980))
    whole(made)


@pytest.mark.parametrize("column", [Column("transactions", "body"), Column("outputs", "owners")])
def test_a_transaction_that_is_damaged_ends_the_step_and_owners_are_scanned(
    column: Column, made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    """An index without it would hide it; a scan meets it and names it."""
    with closing(made.open()) as store:
        made.grow(store, 20)
    directory = DataDirectory(made.path)
    make_older(directory, OLDER)
    flip(directory.ledger, column, at=0.1)
    with closing(made.open()) as store:
        for _ in range(2):
            with pytest.raises(StoreDamaged):
                store.writer.index_names()
        assert store.damages.first is not None
        assert store.writer.unnamed_count == len(made.transactions)
        assert store.queries().history_of_owner(ALICE.public_key, None, made.chain.tip.position) is None
        failed: list[str] = []
        asyncio.run(upgrade(store, failed.append))
        assert failed == [UPGRADE], "health has a note of it, and a metric counts it"
        [record] = [one for one in caplog.records if one.levelno == logging.ERROR]
        assert vars(record)["left"] == len(made.transactions)


def test_a_step_that_is_cut_short_leaves_all_as_it_was(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(made.open()) as store:
        made.grow(store, 10)
    make_older(DataDirectory(made.path), OLDER)
    with closing(made.open()) as store:
        with monkeypatch.context() as patch:
            patch.setattr(naming, "seal_one", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                store.writer.index_names()
        assert store.writer.unnamed_count == len(made.transactions)
        assert store.writer.index_names() == 0
        made.compare(store)
    whole(made)


def test_damage_that_is_met_behind_a_step_is_noted(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(made.open()) as store:
        made.grow(store, 3)
    make_older(DataDirectory(made.path), OLDER)

    def meet_damage(_: Tidying) -> bool:
        raise damaged("assets_search_data", 10)

    with closing(made.open()) as store:
        monkeypatch.setattr(Tidying, "tidy", meet_damage)
        with pytest.raises(StoreDamaged):
            store.writer.index_names()
        assert store.writer.unnamed_count == 0
        assert store.damages.first is not None


def test_a_closed_writer_begins_no_step(made: Made) -> None:
    with closing(made.open()) as store:
        made.grow(store, 3)
    make_older(DataDirectory(made.path), OLDER)
    with closing(made.open()) as store:
        store.writer.close()
        assert store.writer.index_names() == 0
        assert store.writer.unnamed_count == len(made.transactions)


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("DELETE FROM named WHERE seq = (SELECT min(seq) FROM named)", "named"),
        (
            "DELETE FROM owner_index WHERE output = (SELECT min(output) FROM owner_index WHERE output > 1 << 62)",
            "owner_index",
        ),
        ("INSERT INTO owner_index VALUES (5, (1 << 62) + 1)", "owner_index"),
        ("INSERT INTO named VALUES (1, x'0000000000000001', 5) ON CONFLICT DO UPDATE SET keys = x'00'", "named"),
        ("UPDATE named SET checksum = checksum + 1 WHERE seq = (SELECT min(seq) FROM named)", "named"),
        ("UPDATE naming SET done_seq = 1", "naming"),
    ],
)
def test_a_check_names_what_is_missing_and_what_is_too_much(statement: str, table: str, made: Made) -> None:
    with closing(made.open()) as store:
        made.grow(store, 40)
    directory = DataDirectory(made.path)
    with closing(open_writer(directory.ledger)) as connection:
        connection.execute(statement)
    assert table in {one.table for one in check_directory(directory, lambda *_: None).damages}


def test_keys_that_own_an_output_are_not_named_again() -> None:
    assert named_by(create(1)) == b""
    assert keys_of(named_by(transfer(Coin(create(1)), to=BOB))) == [owner_hash(ALICE.public_key)[:8]]
    claimed = signed([BOB], [ALICE], 1, [ALICE, CAROL])
    assert named_by(claimed) == joined_keys(owner_hash(one.public_key) for one in (BOB, CAROL))
