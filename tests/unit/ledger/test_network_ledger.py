"""The ledger of a network: what blocks change and log, over a model of the store."""

from dataclasses import replace
from hashlib import sha256

import pytest

from bigchaindb.errors import AmountError, DoubleSpend, ImproperVoteError, MalformedJson
from bigchaindb.events import EventTypes
from bigchaindb.ledger import network
from bigchaindb.ledger.block import block_id, block_text
from bigchaindb.ledger.bundle import bundle_of
from bigchaindb.ledger.effects import NO_DIGEST
from bigchaindb.ledger.network_ledger import FRESH_HEIGHTS, OVERHEAD_BYTES, NetworkLedger
from bigchaindb.ledger.rejections import (
    BLOCK_COUNT_MAX,
    BODY_BYTES_MAX,
    BODY_COUNT_MAX,
    EXTENSION_COUNT_MAX,
    VOTES_MARK,
    WAKE_MARK,
    Rejection,
    body_digest,
    decode_extension,
    encode_extension,
    encode_votes,
)
from bigchaindb.ledger.validating import Parsed, ParseResult
from bigchaindb.transaction import Transaction
from tests.support.chains import CAROL, CHILD, PARENT, RIVAL, create
from tests.support.network_proposals import VOTERS, A, B, C, begun, decide, evidence, proposal, reason_of, voted
from tests.support.networks import (
    BODY,
    TIME,
    ModelNetworkStore,
    ModelRejections,
    address,
    network_ledger_over,
    said,
    signed,
    validators,
    votes,
)


def test_what_is_forgotten_is_examined_anew(ledger: NetworkLedger) -> None:
    one = create(1)
    (first,) = ledger.verify([one.body])
    ledger.forget([one.body])
    (anew,) = ledger.verify([one.body])
    assert isinstance(first, Parsed)
    assert isinstance(anew, Parsed)
    assert anew.transaction is not first.transaction


def test_what_this_node_has_found_about_a_document_is_not_found_again(
    ledger: NetworkLedger, store: ModelNetworkStore
) -> None:
    """Its check process has: the voter neither parses nor verifies what a stranger made to be slow."""
    known: dict[bytes, ParseResult] = {
        b"{": AmountError("as it was found"),
        PARENT.body: Parsed(PARENT, signatures_valid=True),
    }
    verdict = ledger.accepts(proposal(store, PARENT.body, b"{"), known)
    assert verdict.fault is not None
    assert (verdict.fault.index, str(verdict.fault.error)) == (1, "as it was found")
    assert ledger.accepts(proposal(store, PARENT.body), known).transactions[0] is PARENT
    assert len(ledger.proven) == 0


# Its state


def test_a_network_begins_with_its_first_block(ledger: NetworkLedger, store: ModelNetworkStore) -> None:
    """Until then the engine tells the validators again: nothing of it may be taken for what was decided."""
    assert [ledger.has_begun, network_ledger_over(store).has_begun] == [False, False]
    assert not network_ledger_over(store).knows_validators
    effects = decide(ledger, store)
    assert effects.network is not None
    assert ledger.has_begun
    again = network_ledger_over(store)
    assert again.has_begun
    assert again.knows_validators
    assert again.state == ledger.state == network.decode(effects.network)


def test_a_state_that_stays_is_not_written_again(ledger: NetworkLedger, store: ModelNetworkStore) -> None:
    decide(ledger, store)
    assert decide(ledger, store).network is None
    assert decide(ledger, store, PARENT).network is None


# Valid blocks


def test_a_block_is_logged_as_clients_know_it(ledger: NetworkLedger, store: ModelNetworkStore) -> None:
    effects = decide(ledger, store, PARENT, CHILD)
    [logged] = effects.logged
    header = logged.block.header
    assert (logged.event.type, logged.event.position, logged.event.height) == (EventTypes.BLOCK_VALID, 1, 1)
    assert (header.node_pubkey, header.voters, header.timestamp) == (B.public_key, VOTERS, TIME)
    assert header.id == block_id(block_text(TIME, [PARENT.body, CHILD.body], B.public_key, VOTERS))
    assert (logged.proof, logged.body_omitted, header.signature) == (b"", False, None)
    assert effects.transactions == (PARENT, CHILD)
    assert (effects.tip.height, effects.tip.block_id, effects.tip.timestamp) == (1, header.id, TIME)
    assert effects.tip.digest == logged.event.digest


def test_an_empty_block_moves_the_height_alone(ledger: NetworkLedger, store: ModelNetworkStore) -> None:
    """A changed app hash makes the engine produce one more block: an idle chain would never be silent."""
    decide(ledger, store, PARENT)
    before = store.tip()
    effects = decide(ledger, store)
    assert effects.tip == replace(before, height=2)
    assert effects.logged == ()


def test_the_first_block_may_be_empty(ledger: NetworkLedger, store: ModelNetworkStore) -> None:
    assert decide(ledger, store).tip.app_hash == NO_DIGEST


def test_the_app_hash_covers_transactions_log_and_state(ledger: NetworkLedger, store: ModelNetworkStore) -> None:
    decide(ledger, store)
    verdicts = [
        ledger.accepts(proposal(store, *transactions))
        for transactions in ([PARENT], [PARENT, CHILD], [voted(said(1), height=1)], [voted(said(1), height=1), PARENT])
    ]
    hashes = [ledger.finalize(verdict).tip.app_hash for verdict in verdicts]
    assert len({store.tip().app_hash, *hashes}) == 5
    other = network_ledger_over(store)
    other.begin(validators(1, 1, 1, 2), 1)
    assert other.finalize(verdicts[0]).tip.app_hash != hashes[0]


def test_who_decides_the_same_holds_the_same(store: ModelNetworkStore) -> None:
    """L3. Votes of 1.x are each node's own."""
    stores = (store, ModelNetworkStore())
    ledgers = (begun(store), network_ledger_over(stores[1], key=B))
    ledgers[1].begin(validators(1, 1, 1, 1), 1)
    for transactions in ([], [PARENT], [voted(said(1), height=2), CHILD], []):
        one, other = (decide(ledger, kept, *transactions) for ledger, kept in zip(ledgers, stores, strict=True))
        assert [replace(logged, vote=b"") for logged in one.logged] == [
            replace(logged, vote=b"") for logged in other.logged
        ]
        assert (one.tip, one.network, one.transactions) == (other.tip, other.network, other.transactions)


# Verdicts


@pytest.mark.parametrize(
    ("transactions", "reason"),
    [
        ([CHILD], "InputDoesNotExist at transactions[0]"),
        ([PARENT, CHILD, RIVAL], "DoubleSpend at transactions[2]"),
        ([PARENT, PARENT], "DuplicateTransaction at transactions[1]"),
        ([PARENT, b"no JSON"], "MalformedJson at transactions[1]"),
        ([PARENT.body + b" "], "MalformedJson at transactions[0]"),
        ([b""], "MalformedJson at transactions[0]"),
        ([WAKE_MARK + b"nonce"], "MalformedJson at transactions[0]"),
        ([PARENT, WAKE_MARK + b"nonce"], "MalformedJson at transactions[1]"),
        ([b"\0anything"], "MalformedJson at transactions[0]"),
        ([VOTES_MARK], "ImproperVoteError at transactions[0]"),
        ([VOTES_MARK + b"{}", b"no JSON"], "ImproperVoteError at transactions[0]"),
        ([voted(said(1), height=1)[:-1]], "ImproperVoteError at transactions[0]"),
        ([voted(said(1), height=2)], "ImproperVoteError at transactions[0]"),
        ([PARENT, voted(said(1), height=1)], "MalformedJson at transactions[1]"),
        ([voted(said(1), height=1)] * 2, "MalformedJson at transactions[1]"),
        ([voted(said(1), height=1), PARENT, CHILD, RIVAL], "DoubleSpend at transactions[3]"),
        ([b"{}"] * (BLOCK_COUNT_MAX + 1), "ValidationError at transactions"),
        ([voted(said(1), height=1), *[b"{}"] * (BLOCK_COUNT_MAX + 1)], "ValidationError at transactions"),
        ([voted(said(1), height=1), *[b"{}"] * BLOCK_COUNT_MAX], "InvalidHash at transactions[1]"),
    ],
)
def test_a_proposal_that_breaks_a_rule_is_rejected(
    ledger: NetworkLedger, store: ModelNetworkStore, transactions: list[Transaction | bytes], reason: str
) -> None:
    decide(ledger, store)
    assert reason_of(ledger, proposal(store, *transactions)) == reason


def test_a_good_proposal_is_accepted(ledger: NetworkLedger, store: ModelNetworkStore) -> None:
    decide(ledger, store)
    for transactions in ([], [PARENT, CHILD], [voted(said(1), height=1)], [voted(said(1), height=1), PARENT]):
        assert reason_of(ledger, proposal(store, *transactions)) is None


def test_what_is_said_of_a_proposal(ledger: NetworkLedger, store: ModelNetworkStore, own: ModelRejections) -> None:
    bad = proposal(store, PARENT, b"no JSON")
    said_of_it = ledger.accepts(bad).rejection
    assert said_of_it == Rejection(
        height=1,
        block=bad.hash.hex(),
        proposer=address(B),
        time=TIME,
        body=sha256(sha256(PARENT.body).digest() + sha256(b"no JSON").digest()).hexdigest(),
        size=len(PARENT.body) + 8 + len(b"no JSON") + 8,
        reason="MalformedJson at transactions[1]",
    )
    own.add(said_of_it, bad.transactions)
    assert decode_extension(ledger.attest()) == (said_of_it,)


@pytest.mark.parametrize(("count", "size"), [(200_000, 200_000 * 8), (BODY_COUNT_MAX + 1, BODY_BYTES_MAX + 1)])
def test_what_is_too_large_to_carry_is_not_hashed_either(
    ledger: NetworkLedger, store: ModelNetworkStore, count: int, size: int
) -> None:
    """Two million empty transactions would keep each validator busy for seconds; the block's hash names them."""
    said_of_it = ledger.accepts(proposal(store, *[b""] * count)).rejection
    assert (said_of_it.size, said_of_it.body) == (size, sha256().hexdigest())


def test_a_full_block_with_votes_is_carried(ledger: NetworkLedger, store: ModelNetworkStore) -> None:
    decide(ledger, store)
    bad = proposal(store, voted(said(1), height=1), *[b"{}"] * BLOCK_COUNT_MAX)
    assert len(bad.transactions) == BODY_COUNT_MAX
    assert ledger.accepts(bad).rejection.body == body_digest(bad.transactions)


def test_too_many_transactions_are_the_first_fault_and_nothing_of_them_is_read(
    ledger: NetworkLedger, store: ModelNetworkStore
) -> None:
    assert reason_of(ledger, proposal(store, VOTES_MARK, *[b""] * BLOCK_COUNT_MAX)) == (
        "ImproperVoteError at transactions[0]"
    )
    found = reason_of(ledger, proposal(store, VOTES_MARK, *[b""] * (BLOCK_COUNT_MAX + 1)))
    assert found == "ValidationError at transactions"


# Proposals


def test_votes_come_first_and_what_cannot_be_decided_is_told(
    ledger: NetworkLedger, store: ModelNetworkStore, own: ModelRejections
) -> None:
    decide(ledger, store)
    own.add(said(1), BODY)
    candidates = [PARENT.body, CHILD.body, b"{", RIVAL.body]
    selection = ledger.propose(candidates, evidence(said(1), height=1), bytes_max=100_000)
    assert selection.transactions == (voted(said(1), height=1), bundle_of([PARENT.body, CHILD.body]))
    assert [(index, type(error)) for index, error in selection.rejected] == [(2, MalformedJson), (3, DoubleSpend)]
    assert reason_of(ledger, proposal(store, *selection.transactions)) is None


def test_without_anything_new_a_block_is_the_clients_alone(ledger: NetworkLedger, store: ModelNetworkStore) -> None:
    decide(ledger, store)
    assert ledger.propose([PARENT.body], [signed(A, height=1)], bytes_max=100_000).transactions == (PARENT.body,)


def test_votes_take_half_of_a_block_at_most(
    ledger: NetworkLedger, store: ModelNetworkStore, own: ModelRejections
) -> None:
    """A proposer that breaks rules must not keep clients' transactions from the chain."""
    decide(ledger, store)
    own.add(said(1), BODY)
    made = voted(said(1), height=1)
    twice = 2 * len(made)
    assert ledger.propose([], evidence(said(1), height=1), bytes_max=twice).transactions == (made,)
    assert ledger.propose([], evidence(said(1), height=1), bytes_max=twice - 2).transactions == ()


@pytest.mark.parametrize(("spare", "count"), [(0, 2), (-1, 1)])
def test_votes_and_transactions_share_the_room_of_a_block(
    ledger: NetworkLedger, store: ModelNetworkStore, own: ModelRejections, spare: int, count: int
) -> None:
    """The engine stops for good if a proposal is larger than it asked for."""
    decide(ledger, store)
    own.add(said(1), BODY)
    made = voted(said(1), height=1)
    large = create(2, amounts=(1,) * 20)
    assert len(large.body) > len(made)
    room = len(made) + len(large.body) + 2 * OVERHEAD_BYTES + spare
    assert len(ledger.propose([large.body], evidence(said(1), height=1), bytes_max=room).transactions) == count


# Votes


def test_a_vote_says_what_the_chain_does_not_show(
    ledger: NetworkLedger, store: ModelNetworkStore, own: ModelRejections
) -> None:
    assert ledger.attest() == b""
    assert not ledger.has_fresh()
    own.add(said(1), BODY)
    own.add(said(1, name="other"), BODY)
    assert decode_extension(ledger.attest()) == tuple(own.all())
    assert ledger.has_fresh()
    decide(ledger, store)
    pair = votes(*(signed(key, said(1), height=1) for key in (B, C)), height=1, bodies=())
    decide(ledger, store, encode_votes(pair))
    assert len(decode_extension(ledger.attest())) == 2  # others said it: this node's word is still missing
    mine = votes(signed(A, said(1), height=2), height=2)
    decide(ledger, store, encode_votes(mine))
    assert decode_extension(ledger.attest()) == (said(1, name="other"),)  # logged
    two = votes(*(signed(key, said(1, name="other"), height=3) for key in (A, B)), height=3, bodies=())
    decide(ledger, store, encode_votes(two))
    assert ledger.attest() == b""  # undecided, but said
    assert not ledger.has_fresh()


def test_a_vote_says_the_newest_first(ledger: NetworkLedger, own: ModelRejections) -> None:
    """Proposals that this node alone was shown would delay what all have seen."""
    for height in range(1, EXTENSION_COUNT_MAX + 3):
        own.add(said(height), BODY)
    attested = decode_extension(ledger.attest())
    assert [one.height for one in attested] == list(range(3, EXTENSION_COUNT_MAX + 3))


def test_a_chain_is_woken_for_what_is_fresh(
    ledger: NetworkLedger, store: ModelNetworkStore, own: ModelRejections
) -> None:
    own.add(said(1), BODY)
    fresh = []
    for _ in range(FRESH_HEIGHTS + 2):
        decide(ledger, store)
        fresh.append(ledger.has_fresh())
    assert fresh == [True] * FRESH_HEIGHTS + [False, False]
    assert ledger.attest() != b""


def test_votes_of_others_are_checked_by_their_form_alone(ledger: NetworkLedger) -> None:
    """What this node knows must not matter: a refusal drops the whole vote."""
    ledger.check_attestation(b"")
    ledger.check_attestation(encode_extension([said(2**40, proposer=CAROL)]))
    with pytest.raises(ImproperVoteError):
        ledger.check_attestation(b"[]")
