"""The envelope and the routing key: what other systems get of an event. Source: docs/reference/http-events.md."""

import json
from typing import Any

import pytest

from bigchaindb.delivery import Per, block_message, messages_of, transaction_messages
from bigchaindb.errors import EventError
from bigchaindb.events import Event, EventTypes
from bigchaindb.ledger.block import Block, Header, event_body
from tests.support.chains import Coin, create, transfer

CHAIN = "solo-0123456789abcdef0123456789abcdef"
CREATED = create(1)
PASSED = transfer(Coin(CREATED))
BLOCK_ID = "ab" * 32


def logged(*bodies: bytes, event_type: int = EventTypes.BLOCK_VALID) -> Event:
    """Make the event of a block at position 42."""
    header = Header(BLOCK_ID, 7, 1_769_860_800, "key", ("key",), None)
    body = event_body(Block(header, bodies))
    return Event(event_type, body=body, chain_id=CHAIN, position=42, height=7, time=header.timestamp)


def test_a_block_is_one_cloudevent() -> None:
    """Whoever has a CloudEvents library reads our events without code of its own."""
    event = logged(CREATED.body, PASSED.body)
    envelope: dict[str, Any] = json.loads(block_message(event).envelope)
    assert json.loads(event.body) == envelope.pop("data")
    assert envelope == {
        "specversion": "1.0",
        "type": "com.bigchaindb.block.valid.v1",
        "source": f"urn:bigchaindb:{CHAIN}",
        "id": f"{CHAIN}:00000000000000000042",
        "subject": BLOCK_ID,
        "sequence": "00000000000000000042",
        "time": "2026-01-31T12:00:00Z",
        "datacontenttype": "application/json",
    }


def test_a_rejected_block_has_a_type_of_its_own() -> None:
    """It must never be taken for a valid one."""
    envelope = json.loads(block_message(logged(CREATED.body, event_type=EventTypes.BLOCK_INVALID)).envelope)
    assert envelope["type"] == "com.bigchaindb.block.invalid.v1"


def test_a_transaction_is_one_cloudevent_keyed_by_its_asset() -> None:
    """With the asset as partition key, what happens to one asset stays in order on every broker."""
    event = logged(CREATED.body, PASSED.body)
    created, passed = transaction_messages(event)
    assert json.loads(created.envelope)["partitionkey"] == CREATED.id
    envelope: dict[str, Any] = json.loads(passed.envelope)
    assert envelope.pop("data") == json.loads(PASSED.body)
    assert envelope == {
        "specversion": "1.0",
        "type": "com.bigchaindb.transaction.valid.v1",
        "source": f"urn:bigchaindb:{CHAIN}",
        "id": f"{CHAIN}:00000000000000000042:1",
        "subject": PASSED.id,
        "sequence": "00000000000000000042:0000000001",
        "partitionkey": CREATED.id,
        "time": "2026-01-31T12:00:00Z",
        "datacontenttype": "application/json",
    }


def test_data_keeps_its_bytes() -> None:
    """Written again, numbers and key order could differ between nodes, and hashes of documents with them (P5)."""
    odd = b'{"asset":{"data":{"n":9007199254740993,"x":1e2}},"id":"%b","operation":"CREATE"}' % (b"cd" * 32)
    event = logged(odd)
    (message,) = transaction_messages(event)
    assert message.data == odd
    assert message.envelope.endswith(b',"data":%b}' % odd)
    assert block_message(event).envelope.endswith(b',"data":%b}' % event.body)


def test_the_transactions_of_a_rejected_block_are_not_passed_on_one_by_one() -> None:
    """They may yet become valid; and what a faulty proposer sent need not look like a transaction."""
    event = logged(b'{"no":"transaction"}', event_type=EventTypes.BLOCK_INVALID)
    assert transaction_messages(event) == []
    assert messages_of(event, Per.TRANSACTION) == [block_message(event)]


def test_a_message_stands_for_a_block_or_for_a_transaction() -> None:
    event = logged(CREATED.body, PASSED.body)
    assert messages_of(event, Per.BLOCK) == [block_message(event)]
    assert [(one.index, one.subject) for one in messages_of(event, Per.TRANSACTION)] == [
        (0, CREATED.id),
        (1, PASSED.id),
    ]


def test_routing_keys_let_a_broker_choose_by_kind_operation_and_asset() -> None:
    event = logged(CREATED.body, PASSED.body)
    assert block_message(event).routing_key == f"v1.{CHAIN}.block.valid"
    assert block_message(logged(event_type=EventTypes.BLOCK_INVALID)).routing_key == f"v1.{CHAIN}.block.invalid"
    first, second = transaction_messages(event)
    assert first.routing_key == f"v1.{CHAIN}.transaction.valid.CREATE.{CREATED.id}"
    assert second.routing_key == f"v1.{CHAIN}.transaction.valid.TRANSFER.{CREATED.id}"


def test_an_event_made_by_hand_has_no_envelope() -> None:
    with pytest.raises(EventError):
        block_message(Event(EventTypes.BLOCK_VALID, {"id": "x"}))
