"""Rows for tables: what a block says of owners, amounts and assets."""

import json
from typing import Any

import pytest

from bigchaindb.delivery.rows import BlockRow, InputRow, OutputRow, OwnerRow, TransactionRow, rows_of
from bigchaindb.errors import EventError
from bigchaindb.events import Event, EventTypes
from bigchaindb.testing import MakeEvents

ANN, BOB, CAT = "ann", "bob", "cat"
SEQ = 5 << 20


def key(name: str) -> dict[str, Any]:
    return {"type": "ed25519-sha-256", "public_key": name}


def threshold(*members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "threshold-sha-256", "threshold": 1, "subconditions": [*members]}


def output(details: dict[str, Any], named: list[str] | None, amount: str = "1") -> dict[str, Any]:
    return {"amount": amount, "condition": {"details": details, "uri": "ni:///"}, "public_keys": named}


def event_of(*transactions: Any, event_type: int = EventTypes.BLOCK_VALID, **more: Any) -> Event:
    block = {"node_pubkey": "node", "timestamp": "7", "transactions": [*transactions], "voters": []}
    body = json.dumps({"id": "block", "block": block, "signature": None, "height": 4, **more}).encode()
    return Event(event_type, body=body, chain_id="chain", position=5, height=4, time=7)


def create(*outputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = {"id": "a", "operation": "CREATE", "version": "2.0", "asset": {"data": None}, "metadata": None}
    input_ = {"owners_before": [ANN], "fulfillment": "", "fulfills": None}
    return {**made, "inputs": [input_], "outputs": [*outputs], **more}


def test_a_create_and_a_transfer() -> None:
    passed = create(
        output(key(BOB), [BOB], "9000000000000000000"),
        id="b",
        operation="TRANSFER",
        asset={"id": "a"},
        metadata={"n": 1},
        inputs=[
            {"owners_before": [ANN, BOB], "fulfillment": "", "fulfills": {"transaction_id": "a", "output_index": 3}}
        ],
    )
    rows = rows_of(event_of(create(asset={"data": {"b": [1.0, "ü"]}}), passed))
    assert rows.block == BlockRow(5, 4, "block", 7, "node", 2, None)
    assert rows.transactions == [
        TransactionRow(SEQ, "a", "CREATE", "a", 5, None, '{"b": [1.0, "\\u00fc"]}'),
        TransactionRow(SEQ + 1, "b", "TRANSFER", "a", 5, '{"n": 1}', None),
    ]
    assert rows.inputs == [
        InputRow(SEQ, 0, None, None, '["ann"]'),
        InputRow(SEQ + 1, 0, "a", 3, '["ann","bob"]'),
    ]
    assert rows.outputs == [OutputRow(SEQ + 1, 0, 9 * 10**18)]
    assert rows.owners == [OwnerRow(SEQ + 1, 0, BOB, 1)]


@pytest.mark.parametrize(
    ("details", "named", "owners"),
    [
        (key(ANN), [ANN], [(ANN, 1)]),
        (key(ANN), [BOB, ANN, ANN], [(ANN, 1)]),
        (key(ANN), [BOB], []),
        (key(ANN), None, []),
        (key(ANN), [], []),
        (threshold(key(ANN)), [ANN], [(ANN, 0)]),
        (threshold(key(ANN), threshold(key(BOB), key(CAT))), [CAT, ANN, CAT, "dan"], [(CAT, 0), (ANN, 0)]),
    ],
)
def test_an_owner_is_named_by_the_output_and_by_its_condition(
    details: dict[str, Any], named: list[str] | None, owners: list[tuple[str, int]]
) -> None:
    """Who is only named may not spend it, and who may spend it without being named does not find it."""
    rows = rows_of(event_of(create(output(details, named))))
    assert [(row.public_key, row.is_alone) for row in rows.owners] == owners


def test_an_invalid_block_is_one_row_whatever_was_proposed() -> None:
    event = event_of(1, {"id": None}, event_type=EventTypes.BLOCK_INVALID, reason="DoubleSpend", body_omitted=True)
    assert rows_of(event) == (BlockRow(5, 4, "block", 7, "node", 2, "DoubleSpend"), [], [], [], [])


def test_an_event_made_by_hand_has_no_rows() -> None:
    with pytest.raises(EventError, match="made from data alone"):
        rows_of(Event(EventTypes.BLOCK_VALID, {"transactions": []}))


def test_numbers_ascend_as_the_log_does(make_events: MakeEvents) -> None:
    rows = [rows_of(event) for event in make_events(6, transactions=4)]
    numbers = [row.seq for one in rows for row in one.transactions]
    assert numbers == sorted({*numbers})
    assert [row.position for one in rows for row in one.transactions] == [number >> 20 for number in numbers]
