from bigchaindb.ledger.block import event_body
from bigchaindb.store.rows import Counts, envelope, rows_of
from bigchaindb.transaction.model import OutputRef
from tests.support.chains import ALICE
from tests.support.decisions import Chain, made
from tests.support.elections import election, vote

NOTHING = Counts(0, 0, 0, 0)


def test_an_envelope_with_its_transactions_is_the_body() -> None:
    effects = Chain().valid(made(1), made(2))
    head, tail = envelope(effects.last)
    assert head + b",".join(effects.last.block.transactions) + tail == event_body(effects.last.block)


def test_the_envelope_of_a_rejected_proposal_is_the_body() -> None:
    effects = Chain().invalid(made(1), reason="InvalidHash at transactions[0]")
    assert envelope(effects.last) == (event_body(effects.last.block, effects.last.event.reason), b"")


def test_counts_go_on_from_the_block_before() -> None:
    chain = Chain()
    first = chain.valid(made(1, owners=[("a",), ("b",)]), made(2))
    counts = rows_of(first, NOTHING, {}).counts
    assert counts == Counts(1, 2, 3, len(event_body(first.last.block)))
    rejected = chain.invalid(made(3))
    rows = rows_of(rejected, counts, {})
    assert rows.counts[:3] == (1, 2, 3)
    assert rows.counts.log_bytes == counts.log_bytes + len(event_body(rejected.last.block, rejected.last.event.reason))


def test_only_documents_with_values_are_searched() -> None:
    coin = made(1, data={})
    plain = made(2)
    spender = made(3, spends=[OutputRef(coin.id, 0)], asset_id=coin.id, metadata={"m": "x"})
    rows = rows_of(Chain().valid(coin, plain, spender), NOTHING, {})
    assert [seq for seq, _ in rows.asset_texts] == [1]
    assert [seq for seq, _ in rows.metadata_texts] == [3]


def test_an_election_is_no_asset_that_is_searched_for() -> None:
    """Source: docs/reference/contract/transactions.md, section 7."""
    proposed = election()
    rows = rows_of(Chain().valid(proposed, vote(proposed, ALICE)), NOTHING, {})
    assert rows.asset_texts == []
    assert [asset for _, _, asset, *_ in rows.transactions] == [None, bytes.fromhex(proposed.id)]
