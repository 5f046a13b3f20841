"""Summaries: the same bytes from whatever they are made of."""

import json
from collections.abc import Sequence

import pytest

from bigchaindb.ledger.block import Block, Header, event_body
from bigchaindb.ledger.effects import Logged, LoggedEvent
from bigchaindb.ledger.summaries import (
    LISTED_COUNT_MAX,
    summary_of_envelope,
    summary_of_event,
    summary_of_logged,
    summary_of_transaction,
)
from bigchaindb.transaction import KeyPair, build
from bigchaindb.transaction.conditions import details_of
from tests.support.chains import ALICE, Coin, create, transfer

HEADER = Header("ab" * 32, 7, 1_700_000_000, "node", ("node", "other"), None)
REASON = "AmountError at transactions[1]"


def logged(transactions: Sequence[bytes], reason: str | None = None, *, body_omitted: bool = False) -> Logged:
    event = LoggedEvent(9, 1, 7, HEADER.id, reason, bytes(32))
    return Logged(event, Block(HEADER, tuple(transactions)), b"{}", body_omitted=body_omitted)


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize(("reason", "body_omitted"), [(None, False), (REASON, False), (REASON, True)])
def test_a_block_is_summed_up_alike_from_its_body_and_from_its_decision(
    count: int, reason: str | None, *, body_omitted: bool
) -> None:
    one = logged([create(serial).body for serial in range(count)], reason, body_omitted=body_omitted)
    body = event_body(one.block, reason, body_omitted=body_omitted)
    assert summary_of_logged(one) == summary_of_event(body)
    assert json.loads(summary_of_event(body)) == {
        "bytes": len(body),
        "height": 7,
        "id": HEADER.id,
        "node_pubkey": "node",
        "reason": reason,
        "timestamp": 1_700_000_000,
        "transaction_count": count,
    }


def test_a_block_is_summed_up_without_its_transactions() -> None:
    one = logged([create(serial).body for serial in range(3)])
    body, envelope = event_body(one.block), event_body(Block(HEADER, ()))
    assert summary_of_envelope(envelope, 3, len(body)) == summary_of_event(body)


def test_a_transaction_is_summed_up_with_what_its_outputs_are_worth() -> None:
    made = create(1, amounts=(5, 2))
    passed = transfer(Coin(made), amounts=(3, 2))
    key = [ALICE.public_key]
    for one, amounts in ((made, ("5", "2")), (passed, ("3", "2"))):
        summary = json.loads(summary_of_transaction(one.body))
        keys = [output["public_keys"] for output in summary["outputs"]]
        assert keys == [output["public_keys"] for output in json.loads(one.body)["outputs"]]
        assert [output["amount"] for output in summary["outputs"]] == list(amounts)
        del summary["outputs"]
        assert summary == {
            "asset_id": made.id,
            "bytes": len(one.body),
            "id": one.id,
            "operation": one.operation,
            "output_count": 2,
        }
    assert json.loads(summary_of_transaction(made.body))["outputs"][0]["public_keys"] == key


def test_what_a_summary_lists_is_bounded_and_counted() -> None:
    """A stranger's transaction of a thousand keys must not fill a page that shows fifty transactions."""
    keys = [KeyPair.from_seed(bytes([number]) * 32) for number in range(12)]
    shared = build.Payment(details_of([key.public_key for key in keys]), 1)
    one = build.create([ALICE], [shared] * 11, data={})
    summary = json.loads(summary_of_transaction(one.body))
    assert (len(summary["outputs"]), summary["output_count"]) == (LISTED_COUNT_MAX, 11)
    first = summary["outputs"][0]
    assert (len(first["public_keys"]), first["public_key_count"]) == (LISTED_COUNT_MAX, 12)


def test_an_output_that_names_nobody_is_summed_up() -> None:
    """The ledger takes `null` there from anybody: a list must not end at such a transaction."""
    document = json.loads(create(1).body)
    document["outputs"][0]["public_keys"] = None
    [output] = json.loads(summary_of_transaction(json.dumps(document).encode()))["outputs"]
    assert (output["public_keys"], output["public_key_count"]) == ([], 0)
