"""Applications written for servers of 1.x go on: "1.0" transactions, statuses, block ids, votes.

Source: docs/reference/contract/driver-expectations.md, section 3, check 18; http-api.md, section 10.
"""

import json
from pathlib import Path
from typing import Final

from tests.support.clients import Client, Document, Recipient, Spend
from tests.support.node import Node
from tests.support.waiting import until

VECTORS: Final = Path(__file__).parents[1] / "vectors/data/valid_v1.json"


def committed_by_status(client: Client, made: Document) -> Document:
    """Post as 1.x did, then ask for the status until it is valid; a 404 on the way is what those clients die of."""
    assert client.post(made, "") == made
    until(lambda: client.call("status", id=made["id"]) == "valid", what="status valid")
    assert client.retrieve(made["id"]) == made
    return made


def test_18_a_create_and_a_transfer_become_valid(old_client: Client) -> None:
    alice, bob = old_client.keys(), old_client.keys()
    made = committed_by_status(old_client, old_client.create(alice, data={"year": 2017}, metadata={"n": 1}))
    assert made["version"] == "1.0"
    assert old_client.outputs(alice, spent=False) == [(made["id"], 0)]
    moved = committed_by_status(old_client, old_client.transfer([Spend(made, 0, (alice,))], [Recipient((bob,))]))
    assert old_client.outputs(alice, spent=True) == [(made["id"], 0)]
    assert old_client.outputs(bob) == [(moved["id"], 0)]


def test_18_the_javascript_drivers_own_poll_ends_with_the_transaction(old_javascript_client: Client) -> None:
    made = old_javascript_client.create(old_javascript_client.keys())
    old_javascript_client.post(made)
    assert old_javascript_client.call("poll", id=made["id"]) == made


def test_18_blocks_and_votes_are_found_by_the_ids_of_1x(old_javascript_client: Client) -> None:
    """Only this driver asks for them by status; the Python driver would be given heights, as since 2.0."""
    made = committed_by_status(old_javascript_client, old_javascript_client.create(old_javascript_client.keys()))
    (block_id,) = old_javascript_client.call("block_ids", id=made["id"], status="valid")
    block = old_javascript_client.call("block", height=block_id)
    assert block["id"] == block_id
    assert made in block["block"]["transactions"]
    votes = old_javascript_client.call("votes", block_id=block_id)
    assert [vote["vote"]["voting_for_block"] for vote in votes] == [block_id]
    assert votes[0]["vote"]["is_block_valid"] is True
    assert votes[0]["node_pubkey"] in block["block"]["voters"]


def test_18_a_status_is_known_from_the_202_on(node: Node) -> None:
    """npm driver 3.2.0 polls, rejects at the first 404, and reads the transaction once as soon as it is valid."""
    made = next(record["tx"] for record in json.loads(VECTORS.read_text()) if not record["ledger"])
    answer = node.post(made, mode=None)
    assert answer.status == 202
    assert answer.json() == made
    seen = statuses_until_valid(node, made["id"])
    assert node.get(f"transactions/{made['id']}").status == 200
    assert set(seen) <= {"backlog", "undecided", "valid"}


def statuses_until_valid(node: Node, transaction_id: str) -> list[str]:
    """Ask without a pause, so that the moments between accepted and committed are seen."""
    seen: list[str] = []
    while not seen or seen[-1] != "valid":
        answer = node.get("statuses", transaction_id=transaction_id)
        assert answer.status == 200, answer
        seen.append(answer.json()["status"])
    return seen
