"""From verdict to effects: the same chain of decisions gives the same bytes everywhere (L3)."""

import json
from hashlib import sha256

from bigchaindb.events import EventTypes
from bigchaindb.ledger.block import NO_BLOCK_ID
from bigchaindb.ledger.effects import log_digest
from tests.support.decided_chains import CREATES, chain


def test_a_valid_block_moves_the_chain_and_the_log() -> None:
    [effects] = chain([(2, True)])
    header = effects.last.block.header
    assert (effects.tip.height, effects.tip.block_id, effects.tip.timestamp) == (1, header.id, header.timestamp)
    assert (effects.last.event.type, effects.last.event.position, effects.last.event.height) == (
        EventTypes.BLOCK_VALID,
        1,
        1,
    )
    assert effects.last.event.reason is None
    assert effects.transactions == tuple(CREATES[:2])


def test_an_invalid_block_moves_the_log_alone() -> None:
    """The next proposal is for the same height."""
    valid, invalid = chain([(2, True), (3, False)])
    assert (invalid.tip.height, invalid.tip.block_id) == (valid.tip.height, valid.tip.block_id)
    assert invalid.tip.timestamp == valid.tip.timestamp
    assert (invalid.last.event.type, invalid.last.event.position, invalid.last.event.height) == (
        EventTypes.BLOCK_INVALID,
        2,
        2,
    )
    assert invalid.last.event.reason == "DoubleSpend at transactions[0]"
    assert invalid.transactions == ()
    assert invalid.last.block.transactions == tuple(one.body for one in CREATES[:3])


def test_a_vote_names_the_last_valid_block_as_the_one_before() -> None:
    made = chain([(1, True), (2, False), (3, True)])
    votes = [json.loads(effects.last.vote)["vote"] for effects in made]
    first = made[0].tip.block_id
    assert [one["previous_block"] for one in votes] == [NO_BLOCK_ID, first, first]
    assert [one["is_block_valid"] for one in votes] == [True, False, True]
    assert [one["voting_for_block"] for one in votes] == [effects.last.event.block_id for effects in made]
    assert votes[1]["invalid_reason"] == "DoubleSpend at transactions[0]"


def test_the_hash_of_the_state_can_be_computed_by_hand() -> None:
    """What a node signs must be a rule that another implementation can follow."""
    [effects] = chain([(2, True)])
    digest = log_digest(bytes(32), 1, 1, effects.last.event.block_id)
    ids = b"".join(bytes.fromhex(one.id) for one in CREATES[:2])
    expected = sha256(bytes(32) + sha256(digest + (1).to_bytes(8, "big") + ids).digest()).digest()
    assert (effects.last.event.digest, effects.tip.digest) == (digest, digest)
    assert effects.tip.app_hash == expected
