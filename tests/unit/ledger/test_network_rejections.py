"""The ledger of a network: invalid blocks, and the votes that decide on them, over a model of the store."""

import json
from dataclasses import replace

from bigchaindb.events import EventTypes
from bigchaindb.ledger import network
from bigchaindb.ledger.block import block_id, block_text, event_body
from bigchaindb.ledger.network_ledger import NetworkLedger
from bigchaindb.ledger.rejections import BODY_BYTES_MAX, VOTES_MARK, decode_votes, encode_votes
from tests.support.chains import CHILD, PARENT
from tests.support.network_proposals import VOTERS, B, C, D, decide, evidence, voted
from tests.support.networks import (
    BODY,
    KEYS,
    ModelNetworkStore,
    ModelRejections,
    kept_proof,
    network_ledger_over,
    raw,
    said,
    signed,
    validators,
    votes,
)

# Invalid blocks


def test_invalid_blocks_are_logged_before_the_block_that_brings_the_votes(
    ledger: NetworkLedger, store: ModelNetworkStore
) -> None:
    decide(ledger, store, PARENT)
    pair = said(1), said(1, name="other")
    effects = decide(ledger, store, voted(*pair, height=1), CHILD)
    events = [one.event for one in effects.logged]
    assert [one.type for one in events] == [EventTypes.BLOCK_INVALID] * 2 + [EventTypes.BLOCK_VALID]
    assert [one.position for one in events] == [2, 3, 4]
    assert [one.height for one in events] == [1, 1, 2]
    assert [one.reason for one in events] == [*(one.reason for one in sorted(pair)), None]
    assert effects.tip.position == 4
    assert effects.tip.digest == events[-1].digest
    assert [json.loads(one.vote)["vote"]["is_block_valid"] for one in effects.logged] == [False, False, True]
    proven = kept_proof(effects.logged[0].proof)
    assert proven.rejection == min(pair)
    assert len(proven.support) == 3


def test_a_block_of_votes_alone_logs_no_block_of_its_own(ledger: NetworkLedger, store: ModelNetworkStore) -> None:
    before = decide(ledger, store, PARENT).tip
    effects = decide(ledger, store, voted(said(1), height=1))
    assert [one.event.type for one in effects.logged] == [EventTypes.BLOCK_INVALID]
    assert effects.transactions == ()
    assert (effects.tip.height, effects.tip.position) == (2, 2)
    assert (effects.tip.block_id, effects.tip.timestamp) == (before.block_id, before.timestamp)
    assert effects.tip.app_hash != before.app_hash


def test_votes_that_decide_nothing_are_remembered_and_not_logged(
    ledger: NetworkLedger, store: ModelNetworkStore
) -> None:
    before = decide(ledger, store).tip
    pair = votes(*(signed(key, said(1), height=1) for key in (B, C)), height=1, bodies=())
    effects = decide(ledger, store, encode_votes(pair))
    assert effects.logged == ()
    assert effects.network is not None
    assert effects.tip.app_hash != before.app_hash
    assert [one.rejection for one in ledger.state.open] == [said(1)]


def test_the_id_of_an_invalid_block_is_that_of_what_its_event_shows(
    ledger: NetworkLedger, store: ModelNetworkStore
) -> None:
    body = (PARENT.body, b'{"id":1}')
    decide(ledger, store)
    effects = decide(ledger, store, voted(said(1, body=body, proposer=D), height=1, bodies=[body]))
    [logged] = effects.logged
    assert not logged.body_omitted
    assert logged.block.transactions == (PARENT.body, b'{"id":1}')
    shown = json.loads(event_body(logged.block, logged.event.reason))
    text = block_text(int(shown["block"]["timestamp"]), logged.block.transactions, D.public_key, VOTERS)
    assert shown["id"] == block_id(text) == logged.event.block_id
    assert (shown["block"]["node_pubkey"], shown["block"]["voters"]) == (D.public_key, list(VOTERS))
    assert shown["signature"] is None


def test_an_invalid_block_that_its_event_shows_in_part_has_the_engines_hash(
    ledger: NetworkLedger, store: ModelNetworkStore
) -> None:
    """A faulty proposer foresees an honest one's block, and proposes it in its name with something besides: what is
    left of that has the content of the valid block, and must not have its id."""
    valid = decide(ledger, store, PARENT).tip.block_id
    body = (b"no JSON", PARENT.body)
    [logged] = decide(ledger, store, voted(said(1, body=body, proposer=B), height=1, bodies=[body])).logged
    assert logged.body_omitted
    assert logged.block.transactions == (PARENT.body,)
    assert logged.block.header.id == logged.event.block_id == said(1).block != valid


def test_an_invalid_block_too_large_to_carry_has_the_engines_hash(
    ledger: NetworkLedger, store: ModelNetworkStore
) -> None:
    large = said(1, size=BODY_BYTES_MAX + 1)
    decide(ledger, store)
    [logged] = decide(ledger, store, voted(large, height=1, bodies=())).logged
    assert logged.body_omitted
    assert logged.block.transactions == ()
    assert logged.block.header.id == logged.event.block_id == large.block


def test_the_voters_of_an_invalid_block_are_those_of_its_height(store: ModelNetworkStore) -> None:
    changed = network.NetworkState.begin(validators(1, 1, 1, 1), 1).elect({raw(KEYS[4]): 1}, 1)
    store.kept = network.encode(changed)
    store.last = replace(store.last, height=2)
    ledger = network_ledger_over(store)
    [invalid, valid] = decide(ledger, store, voted(said(2), height=2), PARENT).logged
    assert invalid.block.header.voters == VOTERS
    assert valid.block.header.voters == tuple(sorted((*VOTERS, KEYS[4].public_key)))


def test_old_rejections_leave_the_state(ledger: NetworkLedger, store: ModelNetworkStore) -> None:
    decide(ledger, store)
    decide(ledger, store, voted(said(1), height=1))
    app_hash = store.tip().app_hash
    settled = []
    for _ in range(99):
        settled.append(len(ledger.state.settled))
        decide(ledger, store)
    assert [*settled, len(ledger.state.settled)] == [1] * 99 + [0]
    assert store.tip().app_hash == app_hash  # by empty blocks: no further block may follow from it


def test_a_proposer_carries_the_transactions_of_what_it_has_rejected(
    ledger: NetworkLedger, store: ModelNetworkStore, own: ModelRejections
) -> None:
    """What a proposer makes of evidence is what the others count, whatever order the engine gives it in."""
    decide(ledger, store)
    own.add(said(1), BODY)
    [first, *_] = ledger.propose([], evidence(said(1), height=1)[::-1], bytes_max=100_000).transactions
    assert first.startswith(VOTES_MARK)
    assert decode_votes(first).bodies == (BODY,)
