"""The ledger as an engine sees it, over the real store."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bigchaindb.config import Limits
from bigchaindb.errors import (
    DoubleSpend,
    InputDoesNotExist,
    InvalidHash,
    MalformedJson,
    SchemaValidationError,
    ValidationError,
)
from bigchaindb.events import EventTypes
from bigchaindb.ledger.application import Ledger
from bigchaindb.ledger.block import Block, block_id, block_text
from bigchaindb.ledger.effects import Effects, Tip
from bigchaindb.ledger.ports import LedgerStore
from bigchaindb.ledger.validating import Parsed
from bigchaindb.ledger.view import LoadedView, Needs
from bigchaindb.store.checking import check_directory
from bigchaindb.store.directory import DataDirectory
from bigchaindb.transaction import Transaction, build, parse, reading
from bigchaindb.transaction.conditions import details_of
from tests.support.chains import ALICE, CHILD, PARENT, RIVAL, Coin, create, transfer
from tests.support.ledgers import decide, ledger_over, open_store, propose


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LedgerStore]:
    with open_store(tmp_path / "data") as opened:
        yield opened.writer


@pytest.fixture
def ledger(store: LedgerStore) -> Ledger:
    return ledger_over(store, limits=Limits(block_count_max=5))


def badly_signed(transaction: Transaction) -> bytes:
    """Return a document whose structure and id hold, signed by nobody: 1.0 ids do not cover signatures."""
    other = create(99, version="1.0")
    assert transaction.version == other.version == "1.0"
    mark = b'"fulfillment":"'
    start, end = transaction.body.index(mark), transaction.body.index(b'"', transaction.body.index(mark) + len(mark))
    other_start = other.body.index(mark)
    other_end = other.body.index(b'"', other_start + len(mark))
    return transaction.body[:start] + other.body[other_start:other_end] + transaction.body[end:]


def test_examine_tells_for_each_document_what_it_is_worth(ledger: Ledger) -> None:
    forged = badly_signed(create(5, version="1.0"))
    good, bad_signature, no_json, wrong_id = ledger.verify(
        [PARENT.body, forged, b"{", PARENT.body.replace(PARENT.id.encode(), CHILD.id.encode())]
    )
    assert good == Parsed(PARENT, signatures_valid=True)
    assert isinstance(bad_signature, Parsed)
    assert not bad_signature.signatures_valid
    assert isinstance(no_json, MalformedJson)
    assert isinstance(wrong_id, InvalidHash)


def test_what_is_forgotten_is_examined_anew(ledger: Ledger) -> None:
    """A refused document of a stranger must not stay in memory."""
    one = create(1)
    (first,) = ledger.verify([one.body])
    (again,) = ledger.verify([one.body])
    ledger.forget([one.body, b"unknown"])
    (anew,) = ledger.verify([one.body])
    assert isinstance(first, Parsed)
    assert isinstance(again, Parsed)
    assert isinstance(anew, Parsed)
    assert again.transaction is first.transaction
    assert anew.transaction == first.transaction
    assert anew.transaction is not first.transaction


def test_only_what_was_proven_is_remembered(ledger: Ledger) -> None:
    """A remembered failure could refuse a good document, a remembered verdict on state accept a bad one."""
    forged = badly_signed(create(5, version="1.0"))
    first, again = ledger.verify([PARENT.body])[0], ledger.verify([PARENT.body])[0]
    assert isinstance(first, Parsed)
    assert isinstance(again, Parsed)
    assert again.transaction is first.transaction
    for _ in range(2):
        [parsed] = ledger.verify([forged])
        assert isinstance(parsed, Parsed)
        assert not parsed.signatures_valid


def test_a_transaction_that_no_block_can_hold_is_refused(store: LedgerStore) -> None:
    size = len(PARENT.body)
    small = ledger_over(store, limits=Limits(block_bytes_max=size, body_bytes_max=size))
    fits, refused = small.verify([PARENT.body, create(1, amounts=(2, 3, 4)).body])
    assert isinstance(fits, Parsed)
    assert type(refused) is ValidationError
    assert str(refused).endswith(f"limits.block_bytes_max is {size}")


def test_a_good_block_is_accepted_and_committed(ledger: Ledger, store: LedgerStore) -> None:
    effects = decide(ledger, propose(store, PARENT, CHILD))
    assert effects.last.event.type == EventTypes.BLOCK_VALID
    assert effects.transactions == (PARENT, CHILD)
    assert store.tip() == effects.tip
    verdict = ledger.accepts(propose(store, RIVAL))
    assert verdict.fault is not None
    assert isinstance(verdict.fault.error, DoubleSpend)


def test_committed_documents_leave_the_memory(ledger: Ledger, store: LedgerStore) -> None:
    [before] = ledger.verify([PARENT.body])
    decide(ledger, propose(store, PARENT))
    [after] = ledger.verify([PARENT.body])
    assert isinstance(before, Parsed)
    assert isinstance(after, Parsed)
    assert after.transaction is not before.transaction


@pytest.mark.parametrize(
    ("bodies", "reason"),
    [
        ([CHILD.body], "InputDoesNotExist at transactions[0]"),
        ([PARENT.body, CHILD.body, RIVAL.body], "DoubleSpend at transactions[2]"),
        ([PARENT.body, PARENT.body], "DuplicateTransaction at transactions[1]"),
        ([PARENT.body, badly_signed(create(5, version="1.0"))], "InvalidSignature at transactions[1]"),
        ([PARENT.body, b"no JSON"], "MalformedJson at transactions[1]"),
        ([PARENT.body, b'{"id":1}'], "InvalidHash at transactions[1]"),
        ([PARENT.body + b" "], "MalformedJson at transactions[0]"),
        ([], "ValidationError at transactions"),
        ([create(serial).body for serial in range(6)], "ValidationError at transactions"),
        ([b"x" * (4 * 1024 * 1024 + 1)], "ValidationError at transactions"),
    ],
)
def test_a_block_with_a_bad_transaction_is_voted_invalid(
    ledger: Ledger, store: LedgerStore, bodies: list[bytes], reason: str
) -> None:
    effects = decide(ledger, propose(store, *bodies))
    assert (effects.last.event.type, effects.last.event.reason) == (EventTypes.BLOCK_INVALID, reason)
    assert effects.transactions == ()
    assert (store.tip().height, store.tip().position) == (0, 1)
    assert effects.last.event.height == 1


def test_the_state_is_judged_again_for_what_was_proven(ledger: Ledger, store: LedgerStore) -> None:
    """The memory of signatures must not become a memory of validity."""
    ledger.verify([RIVAL.body])
    decide(ledger, propose(store, PARENT, CHILD))
    assert decide(ledger, propose(store, RIVAL)).last.event.reason == "DoubleSpend at transactions[0]"


def test_what_is_committed_over_the_bound_of_values_stays_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older program has committed it; its outputs are spent as ever, and the same is refused to anybody now."""
    payments = [build.Payment(details_of([ALICE.public_key]))]
    body = build.create([ALICE], payments, data={"readings": [0] * reading.VALUE_COUNT_MAX}).body
    with open_store(tmp_path / "data") as opened, monkeypatch.context() as older:
        older.setattr(reading, "VALUE_COUNT_MAX", 2 * reading.VALUE_COUNT_MAX)
        large = parse(body)
        decide(ledger_over(opened.writer), propose(opened.writer, large))
    with open_store(tmp_path / "data") as opened:
        ledger = ledger_over(opened.writer)
        [refused] = ledger.verify([body])
        assert isinstance(refused, SchemaValidationError)
        assert parse(body, committed=True) == large
        spend = transfer(Coin(large))
        assert decide(ledger, propose(opened.writer, spend)).last.event.type == EventTypes.BLOCK_VALID
        assert opened.queries().transaction(large.id) == body
        verdict = ledger.accepts(propose(opened.writer, body))
        assert verdict.fault is not None
        assert verdict.fault.reason == "SchemaValidationError at transactions[0]"
    assert check_directory(DataDirectory(tmp_path / "data"), lambda _, __: None).damages == ()


def with_id(block: Block) -> Block:
    header = block.header
    text = block_text(header.timestamp, block.transactions, header.node_pubkey, header.voters)
    return replace(block, header=replace(header, id=block_id(text)))


Change = Callable[[Block], Block]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda block: replace(block, header=replace(block.header, height=9)), "ValidationError at height"),
        (lambda block: replace(block, header=replace(block.header, timestamp=1)), "ValidationError at timestamp"),
        (lambda block: replace(block, header=replace(block.header, timestamp=10**10)), "ValidationError at timestamp"),
        (lambda block: replace(block, header=replace(block.header, voters=())), "SybilError at voters"),
        (lambda block: replace(block, header=replace(block.header, id="f" * 64)), "InvalidHash at id"),
        (
            lambda block: with_id(replace(block, header=replace(block.header, node_pubkey=ALICE.public_key))),
            "SybilError at node_pubkey",
        ),
        (lambda block: replace(block, header=replace(block.header, signature=None)), "InvalidSignature at signature"),
    ],
)
def test_a_block_that_claims_what_is_not_so_is_voted_invalid(
    ledger: Ledger, store: LedgerStore, change: Change, reason: str
) -> None:
    decide(ledger, propose(store, create(7)))
    height = store.tip().height
    effects = decide(ledger, change(propose(store, PARENT)))
    assert effects.last.event.reason == reason
    assert effects.last.event.height == height + 1
    assert store.tip().height == height


def test_an_event_about_a_bad_block_carries_what_can_be_carried(ledger: Ledger, store: LedgerStore) -> None:
    effects = decide(ledger, propose(store, PARENT, b"no JSON", b'{"id":1}'))
    assert effects.last.block.transactions == (PARENT.body, b'{"id":1}')
    assert effects.last.block.header.signature is None
    assert effects.last.event.block_id == effects.last.block.header.id


def test_a_proposer_puts_in_nothing_that_it_would_vote_against(ledger: Ledger, store: LedgerStore) -> None:
    selection = ledger.propose([PARENT.body, CHILD.body, b"{", RIVAL.body])
    assert selection.transactions == (PARENT.body, CHILD.body)
    assert [(index, type(error)) for index, error in selection.rejected] == [(2, MalformedJson), (3, DoubleSpend)]
    assert ledger.accepts(propose(store, *selection.transactions)).fault is None


@dataclass
class CountingStore:
    """The real store, and how often its state was loaded."""

    store: LedgerStore
    view_count: int = 0

    def tip(self) -> Tip:
        return self.store.tip()

    def view(self, needs: Needs) -> LoadedView:
        self.view_count += 1
        return self.store.view(needs)

    def is_recent(self, transaction_id: str) -> bool:
        return self.store.is_recent(transaction_id)

    def commit(self, effects: Effects) -> None:
        self.store.commit(effects)

    def tidy(self) -> bool:
        return self.store.tidy()


def test_the_voter_takes_the_state_that_the_proposer_has_loaded_at_its_height(store: LedgerStore) -> None:
    counting = CountingStore(store)
    ledger = ledger_over(counting)
    assert ledger.propose([PARENT.body, CHILD.body]).rejected == ()
    decide(ledger, propose(store, PARENT, CHILD))
    assert counting.view_count == 1
    assert [type(error) for _, error in ledger.propose([CHILD.body, RIVAL.body]).rejected] == [DoubleSpend, DoubleSpend]
    assert counting.view_count == 2
    assert ledger.accepts(propose(store, create(7))).fault is None
    assert counting.view_count == 3


def test_children_of_a_bad_candidate_are_bad(ledger: Ledger) -> None:
    bad = transfer(Coin(create(50)))
    child = transfer(Coin(bad, owner=ALICE))
    selection = ledger.propose([bad.body, child.body])
    assert selection.transactions == ()
    assert [type(error) for _, error in selection.rejected] == [InputDoesNotExist, InputDoesNotExist]


def test_a_proposer_stops_at_the_bounds_of_a_block(store: LedgerStore) -> None:
    bodies = [create(serial).body for serial in range(8)]
    by_count = ledger_over(store, limits=Limits(block_count_max=3)).propose(bodies)
    assert by_count.transactions == tuple(bodies[:3])
    room = len(bodies[0]) + len(bodies[1])
    by_bytes = ledger_over(store, limits=Limits(block_bytes_max=room, body_bytes_max=room)).propose(bodies)
    assert by_bytes.transactions == tuple(bodies[:2])


def test_l3_two_nodes_that_decide_the_same_hold_the_same(tmp_path: Path) -> None:
    tips = []
    for name in ("here", "there"):
        with open_store(tmp_path / name) as opened:
            ledger = ledger_over(opened.writer)
            decide(ledger, propose(opened.writer, PARENT))
            decide(ledger, propose(opened.writer, CHILD, RIVAL))
            tips.append(decide(ledger, propose(opened.writer, CHILD)).tip)
    assert tips[0] == tips[1]


def test_the_same_block_again_is_invalid_and_logged_as_such(ledger: Ledger, store: LedgerStore) -> None:
    """Its id is that of the valid block: the log must hold both."""
    block = propose(store, PARENT)
    decide(ledger, block)
    effects = decide(ledger, block)
    assert effects.last.event.reason == "ValidationError at height"
    assert effects.last.event.block_id == block.header.id
    assert store.tip().position == 2


def test_a_bad_signature_of_a_create_is_told_after_a_repeat(ledger: Ledger, store: LedgerStore) -> None:
    """T8 comes before T9."""
    first = create(5, version="1.0")
    decide(ledger, propose(store, first))
    assert (
        decide(ledger, propose(store, badly_signed(first))).last.event.reason
        == "DuplicateTransaction at transactions[0]"
    )
