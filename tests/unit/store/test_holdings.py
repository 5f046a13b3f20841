"""What an owner holds and who holds an asset: equal to counting everything, with commits in between."""

import json
import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from bigchaindb.errors import StoreDamaged, ValidationError
from bigchaindb.store import Store, holdings
from bigchaindb.store.database import open_writer
from bigchaindb.store.holdings import Outputs, document, page
from bigchaindb.store.migrations import open_ledger
from bigchaindb.transaction import Transaction, build, parse
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.model import OutputRef
from tests.support import scale
from tests.support.chains import ALICE, BOB
from tests.support.decisions import Chain
from tests.support.elections import election
from tests.support.held import KEYS, Counting, blocks
from tests.vectors.judging import read

HISTORIES = scale.of(suite=2, long=40)
MANY = 100_000


class Told:
    """A store with a random ledger, which is counted as it grows."""

    def __init__(self, folder: Path, seed: random.Random) -> None:
        self.seed, self.counting, self.chain = seed, Counting(), Chain()
        self.store = Store(folder, generation_rows=40)
        self.blocks = blocks(seed, 4)
        self.queries = self.store.queries().holdings

    def grow(self, count: int) -> None:
        for _, block in zip(range(count), self.blocks, strict=False):
            self.store.writer.commit(self.chain.valid(*block))
            self.counting.add(block)
            if self.seed.random() < 0.7:
                self.store.writer.tidy()

    def answer(self, asked: Any) -> Any:
        with closing(open_ledger(self.store.directory.ledger)) as connection:
            if isinstance(asked, Outputs):
                return page(connection, asked)
            return orjson.loads(document(connection, asked))


@contextmanager
def told(folder: Path, seed: int, count: int = 25) -> Iterator[Told]:
    one = Told(folder, random.Random(seed))
    one.grow(count)
    yield one
    one.store.close()


@pytest.mark.parametrize("seed", scale.seeds(HISTORIES))
def test_balances_and_holders_are_those_of_the_moment_of_asking(tmp_path: Path, seed: int) -> None:
    with told(tmp_path / "data", seed) as one:
        for _ in range(6):
            for key in KEYS:
                asked, expected = one.queries.balances(key, MANY), one.counting.balances(key)
                one.grow(1)
                assert one.answer(asked) == expected
            for asset in one.seed.sample(one.counting.assets, 5):
                holders, expected = one.queries.holders(asset, MANY), one.counting.asset(asset)
                one.grow(1)
                assert _holders_by_keys(one.answer(holders)) == expected


@pytest.mark.parametrize("seed", scale.seeds(HISTORIES))
def test_lists_of_outputs_hold_all_newest_first_at_any_size_of_a_page(tmp_path: Path, seed: int) -> None:
    """An output that is committed or spent meanwhile changes no place: a page is of the moment it is read."""
    with told(tmp_path / "data", seed) as one:
        for limit in (1, 2, 7, 100):
            for spent in (None, True, False):
                key, asset = one.seed.choice(KEYS), one.seed.choice(one.counting.assets)
                _walk(one, lambda row, key=key: key in row["public_keys"], spent, limit, owner=key)
                _walk(one, lambda row, asset=asset: row["asset_id"] == asset, spent, limit, asset=asset)
                both = lambda row, key=key, asset=asset: key in row["public_keys"] and row["asset_id"] == asset  # noqa: E731
                _walk(one, both, spent, limit, owner=key, asset=asset)


def _walk(one: Told, wanted: Any, spent: bool | None, limit: int, *, owner: str = "", asset: str = "") -> None:  # noqa: FBT001
    end, before = len(one.counting.outputs), None
    known = {output.ref: number for number, output in enumerate(one.counting.outputs)}
    while before != 0:
        asked = _ask(one, before, spent, limit, owner, asset)
        if one.seed.random() < 0.1:
            one.grow(1)
        found = one.answer(asked)
        rows = orjson.loads(b"[%b]" % found.elements)
        counted = [row for row in one.counting.listed(wanted, spent) if known.get(_ref(row), end) < end]
        assert rows == counted[:limit]
        end = known[_ref(rows[-1])] if rows else 0
        assert bool(found.next) or len(counted) <= limit
        before = found.next


def _ask(one: Told, before: int | None, spent: bool | None, limit: int, owner: str, asset: str) -> Outputs:  # noqa: FBT001
    if owner:
        return one.queries.outputs_of_owner(owner, asset_id=asset or None, spent=spent, before=before, limit=limit)
    asked = one.queries.outputs_of_asset(asset, transaction_id=None, spent=spent, before=before, limit=limit)
    assert asked is not None
    return asked


def _ref(row: dict[str, Any]) -> OutputRef:
    return OutputRef(row["transaction_id"], row["output_index"])


def _holders_by_keys(found: dict[str, Any]) -> dict[str, Any]:
    amounts = [int(holder["amount"]) for holder in found["holders"]]
    assert amounts == sorted(amounts, reverse=True)
    assert all(len(holder["public_keys"]) == holder["public_key_count"] for holder in found["holders"])
    return {**found, "holders": {tuple(sorted(holder["public_keys"])): holder["amount"] for holder in found["holders"]}}


def test_beyond_its_bound_an_answer_counts_the_newest_and_is_not_complete(tmp_path: Path) -> None:
    payments = [build.Payment(details_of([ALICE.public_key]), amount) for amount in (1, 2, 4, 8)]
    create = parse(build.create([ALICE], payments, data=None).body)
    store = Store(tmp_path / "data")
    store.writer.commit(Chain().valid(create))
    queries = store.queries().holdings
    with closing(open_ledger(store.directory.ledger)) as connection:
        for count_max, amount, is_complete in ((1, 8, False), (3, 14, False), (4, 15, True)):
            balances: Any = orjson.loads(document(connection, queries.balances(ALICE.public_key, count_max)))
            assert (balances["balances"][0]["amount"], balances["complete"]) == (str(amount), is_complete)
            asked = queries.holders(create.id, count_max)
            assert asked is not None
            holders: Any = orjson.loads(document(connection, asked))
            assert (holders["holders"][0]["amount"], holders["complete"]) == (str(amount), is_complete)
            assert (holders["amount"], holders["data"]) == ("15", None)
    store.close()


def test_sums_that_take_too_long_are_of_the_newest_and_not_complete(tmp_path: Path) -> None:
    """A busy machine answers less, where it would else answer an error."""
    payments = [build.Payment(details_of([ALICE.public_key]))] * 1_500
    create = parse(build.create([ALICE], payments, data=None).body)
    store = Store(tmp_path / "data")
    store.writer.commit(Chain().valid(create))
    questions = store.queries().holdings
    holders = questions.holders(create.id, MANY)
    assert holders is not None
    with closing(open_ledger(store.directory.ledger)) as connection:
        for asked in (questions.balances(ALICE.public_key, MANY), holders):
            for is_late, count in ((True, 1_000), (False, 1_500)):
                found = orjson.loads(document(connection, asked, lambda is_late=is_late: is_late))  # type: ignore[misc]
                assert (found["unspent_count"], found["complete"]) == (count, not is_late)
    store.close()


def test_a_page_ends_where_it_has_looked_at_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings, "LOOK_COUNT_MAX", 5)
    with told(tmp_path / "data", 1) as one:
        found: list[Any] = []
        before: int | None = None
        page_count = 0
        while before != 0:
            part = one.answer(
                one.queries.outputs_of_owner(KEYS[0], asset_id=None, spent=True, before=before, limit=100)
            )
            rows = orjson.loads(b"[%b]" % part.elements)
            assert len(rows) <= 5
            found += rows
            before, page_count = part.next, page_count + 1
        assert found == one.counting.listed(lambda row: KEYS[0] in row["public_keys"], spent=True)
        assert page_count > len(found) / 5


def test_a_page_ends_where_its_bytes_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for bound in ("ANSWER_BYTES_MAX", "BODY_BYTES_MAX"):
        with monkeypatch.context() as patched, told(tmp_path / bound, 2) as one:
            patched.setattr(holdings, bound, 1)
            patched.setattr("bigchaindb.store.pages.PAGE_BYTES_MAX", 1)
            found: list[Any] = []
            before: int | None = None
            while before != 0:
                part = one.answer(_ask(one, before, None, 100, KEYS[1], ""))
                found += (rows := orjson.loads(b"[%b]" % part.elements))
                assert len({row["transaction_id"] for row in rows}) == 1
                before = part.next
            assert found == one.counting.listed(lambda row: KEYS[1] in row["public_keys"], spent=None)


def test_what_no_client_was_given_leads_nowhere(tmp_path: Path) -> None:
    with told(tmp_path / "data", 3) as one:
        for before in (1, 2**62, 2**63 - 1):
            part = one.answer(_ask(one, before, None, 2, KEYS[0], ""))
            assert len(orjson.loads(b"[%b]" % part.elements)) == (0 if before == 1 else 2)
        assert one.queries.holders("0" * 64, MANY) is None
        assert one.queries.outputs_of_asset("0" * 64, transaction_id=None, spent=None, before=None, limit=1) is None


def test_shares_of_a_condition_that_names_none_of_its_keys_are_nobodys(store: Store) -> None:
    create = parse(build.create([ALICE], None, data=None).body)
    create = replace(create, outputs=tuple(replace(output, owners=()) for output in create.outputs))
    store.writer.commit(Chain().valid(create))
    asked = store.queries().holdings.holders(create.id, MANY)
    assert asked is not None
    with closing(open_ledger(store.directory.ledger)) as connection:
        found: Any = orjson.loads(document(connection, asked))
    assert found["holders"] == [{"public_keys": [], "public_key_count": 0, "amount": "1"}]


def test_whatever_a_ledger_takes_can_be_asked_for(store: Store) -> None:
    """Documents of old drivers have odd forms: public keys that are null, conditions that name others."""
    names = ("valid_v1", "valid_v2", "quirks_v1", "quirks_v2")
    documents = [json.dumps(record["tx"]).encode() for name in names for record in read(name) if "tx" in record]
    created = {one.id: one for one in filter(None, map(_taken, documents)) if one.id == one.asset_id}
    created[election().id] = election()
    assert len(created) > 20
    store.writer.commit(Chain().valid(*created.values()))
    queries = store.queries().holdings
    with closing(open_ledger(store.directory.ledger)) as connection:
        for one in created.values():
            holders = queries.holders(one.id, MANY)
            listed = queries.outputs_of_asset(one.id, transaction_id=one.id, spent=None, before=None, limit=1000)
            assert holders is not None
            assert listed is not None
            found = orjson.loads(document(connection, holders))
            rows = orjson.loads(b"[%b]" % page(connection, listed).elements)
            assert found["amount"] == str(sum(output.amount for output in one.outputs))
            assert [row["public_keys"] for row in rows[::-1]] == [list(output.public_keys) for output in one.outputs]


def _taken(body: bytes) -> Transaction | None:
    try:
        return parse(body)
    except ValidationError:
        return None


def _ask_all(store: Store, asset_id: str) -> None:
    queries = store.queries().holdings
    with closing(open_ledger(store.directory.ledger)) as connection:
        for key in KEYS:
            document(connection, queries.balances(key, MANY))
        asked = queries.holders(asset_id, MANY)
        assert asked is not None
        document(connection, asked)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("outputs", "UPDATE outputs SET amount = amount + 1 WHERE output = 1 << 20"),
        ("outputs", "DELETE FROM outputs WHERE output = 1 << 20"),
        ("outputs", "DELETE FROM outputs WHERE output = (1 << 20) + 1"),
        ("outputs", "UPDATE outputs SET spent_by = 3 WHERE output = 2 << 20"),
        ("transactions", "UPDATE transactions SET position = 2 WHERE seq = 1"),
        ("owner_index", "UPDATE owner_index SET key = key + 1 WHERE output = 1 << 20"),
        ("asset_index", "UPDATE asset_index SET key = key - 1"),
    ],
)
def test_damage_is_named_and_never_counted(tmp_path: Path, table: str, change: str) -> None:
    """Each row on the way to a sum is compared; of the three outputs of the CREATE one is spent."""
    pay = [build.Payment(details_of([ALICE.public_key]), amount) for amount in (1, 2, 4)]
    create = build.create([ALICE], pay, data=None)
    spend = build.Spend(OutputRef(create.id, 2), pay[2].details, (ALICE,))
    transfer = build.transfer(create.id, [spend], [build.Payment(details_of([BOB.public_key]), 4)])
    store, chain = Store(tmp_path / "data", generation_rows=1), Chain()
    for one in (create, transfer, build.create([BOB], None, data={"other": 1})):
        store.writer.commit(chain.valid(parse(one.body)))
        for _ in range(4):
            store.writer.tidy()
    store.close()
    with closing(open_writer(tmp_path / "data" / "ledger.db")) as connection:
        connection.execute("DROP TRIGGER IF EXISTS transactions_stay")
        assert connection.execute(change).rowcount > 0
    store = Store(tmp_path / "data", generation_rows=1)
    with pytest.raises(StoreDamaged) as raised:
        _ask_all(store, create.id)
    assert raised.value.table == table
    store.close()
