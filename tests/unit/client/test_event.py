"""Events as a client reads them, and what proves them. Source: docs/reference/http-events.md and proofs.md."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.client import event
from bigchaindb.client.event import Event, LogEvent, Messages, proven
from bigchaindb.delivery import block_message, transaction_messages
from bigchaindb.errors import ProofError, RequestFailed
from bigchaindb.events import Event as DeliveredEvent
from bigchaindb.events import EventTypes
from bigchaindb.ledger.proofs.verifying import verify
from tests.support.proofs import CHAIN_ID, HEIGHT, PROOFS

POSITION, TIME = 41, 1_700_000_000


def about(name: str, chain_id: str = CHAIN_ID) -> DeliveredEvent:
    """Return the event of one of the proofs as plugins get it."""
    verified = verify(*PROOFS[name])
    kind = EventTypes.BLOCK_VALID if verified.reason is None else EventTypes.BLOCK_INVALID
    return DeliveredEvent(kind, body=verified.body, chain_id=chain_id, position=POSITION, height=HEIGHT, time=TIME)


def block(name: str, chain_id: str = CHAIN_ID) -> Event:
    return Event(block_message(about(name, chain_id)).envelope)


def each_transaction(name: str) -> list[Event]:
    return [Event(message.envelope) for message in transaction_messages(about(name))]


def beyond(name: str) -> Event:
    """Return a transaction behind the last one of its block."""
    found = each_transaction(name)[0]
    found.index = 99
    return found


def test_a_block() -> None:
    delivered, found = about("commit"), block("commit")
    assert (found.id, found.position, found.index, found.chain_id) == (delivered.id, POSITION, None, CHAIN_ID)
    assert (found.key, found.is_valid, found.subject) == ("", True, delivered.data["id"])
    assert found.time == datetime.fromtimestamp(TIME, UTC)
    assert found.body == delivered.body
    assert found.block == delivered.data
    assert found.transactions == delivered.data["transactions"]
    assert found.id in repr(found)
    with pytest.raises(TypeError, match="this event is a block; ask for granularity='transaction'"):
        found.transaction  # noqa: B018 - it raises


def test_a_transaction() -> None:
    whole = block("commit")
    for index, found in enumerate(each_transaction("commit")):
        assert (found.id, found.position, found.index) == (f"{whole.id}:{index}", POSITION, index)
        assert found.transaction == whole.transactions[index]
        assert found.transactions == [found.transaction]
        assert found.subject == found.transaction["id"]
        assert found.key
    with pytest.raises(TypeError, match="this event is one transaction"):
        found.block  # noqa: B018 - it raises


def test_an_invalid_block() -> None:
    found = block("rejection")
    assert not found.is_valid
    assert found.block["reason"]


@pytest.mark.parametrize("envelope", [b"", b"[]", b"{}", b'{"id":"a","type":"b","source":"c","sequence":"d","data":1}'])
def test_what_is_no_event_is_said(envelope: bytes) -> None:
    with pytest.raises(RequestFailed, match="holds no event of a node"):
        LogEvent(envelope, "1.x")


@pytest.mark.parametrize("name", ["commit", "commit-2", "rejection", "rejection of a large body"])
def test_a_proof_of_a_network(name: str) -> None:
    result = proven(block(name), verify(*PROOFS[name]), PROOFS[name][0])
    assert not result.is_own_word
    assert "signed by validators with power" in str(result)


@pytest.mark.parametrize("name", ["node", "node, invalid"])
def test_a_node_alone_proves_by_its_own_word_and_the_result_says_so(name: str) -> None:
    result = proven(block(name), verify(*PROOFS[name]), PROOFS[name][0])
    assert result.is_own_word
    assert str(result).endswith("signed by one node, alone with power 1 of 1")


def test_a_proof_of_the_block_proves_its_transactions() -> None:
    for found in each_transaction("commit"):
        assert proven(found, verify(*PROOFS["commit"]), b"").event is found


@pytest.mark.parametrize(
    ("found", "name", "error"),
    [
        (block("node"), "commit", "the proof is of another event"),
        (block("commit", "another-chain"), "commit", f"the proof is of the chain {CHAIN_ID}"),
        (block("rejection"), "bare rejection", "the proof has no header of its height"),
        (each_transaction("commit")[0], "rejection", "the proof is of another event"),
        (beyond("commit"), "commit", "the proof is of another event"),
    ],
)
def test_a_proof_of_something_else_proves_nothing(found: Event, name: str, error: str) -> None:
    with pytest.raises(ProofError, match=error):
        proven(found, verify(*PROOFS[name]), b"")


def test_an_altered_transaction_is_found() -> None:
    found = each_transaction("commit")[0]
    found.body = found.body.replace(b"1", b"2", 1)
    with pytest.raises(ProofError, match="do not trust the node that sent it"):
        proven(found, verify(*PROOFS["commit"]), b"")


STREAM = (
    b"retry: 1000\nid: 1.a\n\n: at 3 of 7\nid: 1.b\n\n"
    b'id: 1.c\nevent: x\ndata: {"n":1}\n\n: lone comment\n\nid:1.d\r\ndata:{}\r\n\r\n'
)
READ = [("1.a", None), ("1.b", None), ("1.c", b'{"n":1}'), ("1.d", b"{}")]


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_messages_are_read_in_whatever_pieces_they_come(cuts: list[int]) -> None:
    messages, ends = Messages(), [*sorted(cuts), len(STREAM)]
    pieces = [STREAM[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    assert [message for piece in pieces for message in messages.feed(piece)] == READ


def test_the_rest_of_a_broken_message_is_nothing() -> None:
    assert not list(Messages().feed(b"id: 1.a\ndata: {}\n"))


def test_a_message_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event, "MESSAGE_BYTES_MAX", 100)
    messages = Messages()
    assert not list(messages.feed(b"data: " + b"x" * 90))
    with pytest.raises(RequestFailed, match="a message of the stream has more than 100 bytes"):
        list(messages.feed(b"xxxxx"))
