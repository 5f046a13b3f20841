"""What every user of a driver does first: look at the node, own something, find it again.

Source: docs/reference/contract/driver-expectations.md, section 3, checks 1 to 4, 6 and 15.
"""

import pytest

from tests.support.clients import Client, Recipient, RefusedError, Spend
from tests.support.node import Node


def test_1_the_node_says_what_it_is_and_where_its_resources_are(python_client: Client) -> None:
    about = python_client.call("info")
    assert about["software"] == "BigchainDB"
    assert {"api", "docs", "version"} <= about.keys()
    resources = python_client.call("api_info")
    assert "docs" in resources
    for name in ("assets", "outputs", "transactions"):
        assert resources[name] == f"/{name}/"


@pytest.mark.parametrize("mode", ["async", "sync", "commit"])
def test_2_the_node_answers_with_the_document_that_was_sent(client: Client, mode: str) -> None:
    transaction = client.create(client.keys(), data={"mode": mode, "é": [1, 2.5, None, "𝄞"]}, metadata={"n": 1})
    assert client.post(transaction, mode) == transaction


def test_3_what_is_committed_can_be_read_at_once(client: Client) -> None:
    alice, bob = client.keys(), client.keys()
    created = client.commit(client.create(alice, data={"bicycle": "red"}))
    height = client.height(created["id"])
    assert height  # never 0: the published acceptance test takes that for "no block"
    assert created in client.block(height)["transactions"]
    assert client.retrieve(created["id"]) == created
    assert client.transactions(created["id"]) == [created]
    assert client.outputs(alice) == client.outputs(alice, spent=False) == [(created["id"], 0)]

    moved = client.commit(client.transfer([Spend(created, 0, (alice,))], [Recipient((bob,))], metadata={"to": "bob"}))
    assert client.retrieve(moved["id"]) == moved
    assert client.outputs(alice, spent=True) == [(created["id"], 0)]
    assert client.outputs(alice, spent=False) == []
    assert client.outputs(bob, spent=False) == [(moved["id"], 0)]
    assert moved["asset"] == {"id": created["id"]}


def test_4_the_transactions_of_an_asset_can_be_listed_by_operation(client: Client) -> None:
    alice, bob, carol = client.keys(), client.keys(), client.keys()
    car = client.commit(client.create(alice, data={"car": "fast"}))
    to_bob = client.commit(client.transfer([Spend(car, 0, (alice,))], [Recipient((bob,))]))
    to_carol = client.commit(client.transfer([Spend(to_bob, 0, (bob,))], [Recipient((carol,))]))
    assert client.transactions(car["id"]) == [car, to_bob, to_carol]
    assert client.transactions(car["id"], "CREATE") == [car]
    assert client.transactions(car["id"], "TRANSFER") == [to_bob, to_carol]
    assert client.transactions("a" * 64) == []


def test_6_what_nobody_made_is_not_found(client: Client) -> None:
    for missing in ("f" * 64, "dummy_id"):
        with pytest.raises(RefusedError) as refused:
            client.retrieve(missing)
        assert refused.value.status == 404
        assert refused.value.kind in {"NotFoundError", "ResponseError"}
    assert client.height("f" * 64) is None


def test_6_a_block_that_does_not_exist_yet_is_not_found(client: Client) -> None:
    with pytest.raises(RefusedError) as refused:
        client.block(10**9)
    assert refused.value.status == 404


def test_15_an_error_in_any_mode_is_answered_and_the_driver_goes_on(client: Client, node: Node) -> None:
    """Both drivers send a POST again when the connection closes without an answer: the user then sees a wrong error."""
    broken = {**client.create(client.keys()), "id": "0" * 64}
    for mode in ("async", "sync", "commit"):
        with pytest.raises(RefusedError) as refused:
            client.post(broken, mode)
        assert refused.value.status == 400
        assert not client.reads_error_bodies or "InvalidHash" in refused.value.text
    client.commit(client.create(client.keys()))
    assert node.get("").status == 200
