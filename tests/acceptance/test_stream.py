"""The stream of valid transactions, beside a driver that posts them.

Source: docs/reference/contract/driver-expectations.md, section 3, check 13; websocket-api.md, section 5.
"""

import json
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.clients import Client, Recipient, Spend
from tests.support.http import request
from tests.support.node import Node

ARRIVAL_S = 60.0


def frames(stream: ClientConnection, ids: set[str]) -> list[dict[str, Any]]:
    """Read until a frame for each id came, others aside; more than one for an id is a failure."""
    found: list[dict[str, Any]] = []
    while len(found) < len(ids):
        frame = json.loads(stream.recv(ARRIVAL_S))
        if frame["transaction_id"] in ids:
            found.append(frame)
    assert {frame["transaction_id"] for frame in found} == ids
    return found


def test_13_ten_async_creates_are_ten_messages(client: Client, node: Node) -> None:
    with connect(node.stream_url) as stream:
        made = [client.create(client.keys(), data={"number": number}) for number in range(10)]
        for transaction in made:
            client.post(transaction, "async")
        for frame in frames(stream, {transaction["id"] for transaction in made}):
            assert frame["asset_id"] == frame["transaction_id"]


def test_13_a_message_names_the_block_that_can_be_read_when_it_comes(client: Client, node: Node) -> None:
    alice = client.keys()
    with connect(node.stream_url) as stream:
        made = client.commit(client.create(alice))
        moved = client.commit(client.transfer([Spend(made, 0, (alice,))], [Recipient((alice,))]))
        create, transfer = frames(stream, {made["id"], moved["id"]})
    assert create["asset_id"] == transfer["asset_id"] == made["id"]
    assert create["height"] == client.height(made["id"])
    block = node.get(f"blocks/{create['block_id']}").json()
    assert block["id"] == create["block_id"]
    assert made["id"] in [transaction["id"] for transaction in block["block"]["transactions"]]


def test_13_everybody_gets_everything_though_one_sends_garbage(client: Client, node: Node) -> None:
    with connect(node.stream_url) as noisy, connect(node.stream_url) as one, connect(node.stream_url) as other:
        noisy.send("{not json")
        noisy.send(b"\x00\xff" * 100)
        made = {client.commit(client.create(client.keys()))["id"] for _ in range(3)}
        for stream in (one, other, noisy):
            assert len(frames(stream, made)) == 3


def test_the_root_names_the_address_of_the_stream(node: Node) -> None:
    """Nothing is set but ports that are no defaults: what clients find must lead to the stream all the same."""
    assert node.get("").json()["streams"] == node.stream_url
    root = request("GET", node.url).json()
    assert root["api"]["v1"]["streams"] == node.stream_url
    for host, advertised in (("node.example:1", "node.example"), ("<script>", "127.0.0.1"), ("a b", "127.0.0.1")):
        answer = request("GET", f"{node.url}/api/v1/", headers={"Host": host}).json()
        assert answer["streams"] == node.stream_url.replace("127.0.0.1", advertised)
