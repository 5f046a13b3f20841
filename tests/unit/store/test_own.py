"""What a node of a network keeps for itself, over the real file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from bigchaindb.ledger.rejections import BODY_BYTES_MAX, Rejection
from bigchaindb.store.node_db import NodeDb
from bigchaindb.store.own import Outbox, Rejections

Open = Callable[[], NodeDb]
BODY = (b'{"a":1}', b"\0\xff no text")
REJECTION = Rejection(
    height=7,
    block="ab" * 32,
    proposer="cd" * 20,
    time=1_700_000_000,
    body="ef" * 32,
    size=19,
    reason="DoubleSpend at transactions[1]",
)


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Open]:
    opened: list[NodeDb] = []

    def reopen() -> NodeDb:
        for db in opened:
            db.close()
        opened.append(NodeDb(tmp_path / "node.db"))
        return opened[-1]

    yield reopen
    for db in opened:
        db.close()


def test_the_outbox_outlives_a_restart_in_the_order_of_acceptance(reopen: Open) -> None:
    """A child must not be sent again before its parent."""
    outbox = Outbox(reopen())
    outbox.put([("ff" * 32, b"parent"), ("00" * 32, b"child")])
    outbox.put([("77" * 32, b"other"), ("ff" * 32, b"parent")])
    outbox = Outbox(reopen())
    assert outbox.all() == [("ff" * 32, b"parent"), ("00" * 32, b"child"), ("77" * 32, b"other")]
    outbox.drop(["00" * 32, "11" * 32])
    assert [body for _, body in Outbox(reopen()).all()] == [b"parent", b"other"]


def test_a_verdict_outlives_a_restart_with_the_body(reopen: Open) -> None:
    Rejections(reopen()).add(REJECTION, BODY)
    own = Rejections(reopen())
    assert own.all() == [REJECTION]
    assert own.body_of(REJECTION) == BODY
    assert own.of(7, bytes.fromhex("ab" * 32)) == REJECTION
    assert own.of(7, bytes(32)) is None
    assert own.of(8, bytes.fromhex("ab" * 32)) is None


def test_a_verdict_never_changes(reopen: Open) -> None:
    own = Rejections(reopen())
    own.add(REJECTION, BODY)
    own.add(REJECTION, BODY)
    assert Rejections(reopen()).all() == [REJECTION]


def test_a_body_too_large_to_be_carried_is_not_kept(reopen: Open) -> None:
    own = Rejections(reopen())
    large = replace(REJECTION, size=BODY_BYTES_MAX + 1)
    own.add(large, (bytes(BODY_BYTES_MAX + 1),))
    assert (own.all(), own.body_of(large)) == ([large], None)
    assert Rejections(reopen()).body_of(large) is None


def test_what_is_too_old_to_be_said_is_forgotten(reopen: Open) -> None:
    own = Rejections(reopen())
    for height in (5, 6, 7):
        own.add(replace(REJECTION, height=height), BODY)
    own.forget(4)
    assert [one.height for one in own.all()] == [5, 6, 7]
    own.forget(6)
    assert [one.height for one in own.all()] == [7]
    assert [one.height for one in Rejections(reopen()).all()] == [7]
