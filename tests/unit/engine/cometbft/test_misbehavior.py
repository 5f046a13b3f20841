"""What the chain proves against validators reaches a person once, and is kept."""

import logging

import pytest

from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.files import Layout
from bigchaindb.engine.cometbft.misbehavior import Misbehaviors
from bigchaindb.transaction import KeyPair
from tests.support.networks import KEYS, address, validators

OWN, OTHER, STRANGER = KEYS[0], KEYS[1], KEYS[5]


def kept(layout: Layout) -> Misbehaviors:
    return Misbehaviors(layout, bytes.fromhex(address(OWN)), lambda _: validators(10, 10))


def proof(key: KeyPair, height: int, kind: pb.MisbehaviorType.ValueType = pb.DUPLICATE_VOTE) -> pb.Misbehavior:
    return pb.Misbehavior(type=kind, validator=pb.Validator(address=bytes.fromhex(address(key))), height=height)


def test_each_proof_counts_once_though_its_block_comes_again(layout: Layout, caplog: pytest.LogCaptureFixture) -> None:
    """CometBFT says a block again after a crash, and all blocks after the loss of a ledger."""
    found = kept(layout)
    found.take([], 7)
    assert (found.all, layout.misbehaviors.exists()) == ((), False)
    for _ in range(2):
        found.take([proof(OTHER, 5), proof(OTHER, 6)], 8)
    found.take([proof(OTHER, 4)], 3)
    (one,) = found.all
    assert (one.address, one.public_key) == (address(OTHER).upper(), OTHER.public_key)
    assert (one.kind, one.count, one.height, one.shown_height) == ("double signing", 2, 6, 8)
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL], "one line for a block"
    assert "by an election" in vars(caplog.records[0])["what_to_do"]
    again = kept(layout)
    assert again.all == found.all
    again.take([proof(OTHER, 9), proof(OWN, 9), proof(STRANGER, 9, pb.LIGHT_CLIENT_ATTACK)], 11)
    assert {(one.address, one.kind, one.count) for one in again.all} == {
        (address(OTHER).upper(), "double signing", 3),
        (address(OWN).upper(), "double signing", 1),
        (address(STRANGER).upper(), "light client attack", 1),
    }
    assert [one.public_key for one in again.all if one.address == address(STRANGER).upper()] == [None]
    assert any("this node's own key misbehaved" in message for message in caplog.messages)


@pytest.mark.parametrize("content", [b"", b"{}", b"[{}]", b"\xff"])
def test_a_file_that_cannot_be_read_is_begun_anew(
    layout: Layout, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    layout.misbehaviors.write_bytes(content)
    found = kept(layout)
    assert found.all == ()
    assert caplog.messages == ["what the chain proved of validators cannot be read"]
    found.take([proof(OTHER, 5)], 8)
    assert kept(layout).all == found.all


def test_where_the_file_cannot_be_written_the_chain_goes_on(layout: Layout, caplog: pytest.LogCaptureFixture) -> None:
    layout.misbehaviors.mkdir()
    (layout.misbehaviors / "in the way").touch()
    found = kept(layout)
    found.take([proof(OTHER, 5)], 8)
    assert len(found.all) == 1
    assert "what the chain proves of validators is not kept over a restart" in caplog.messages
