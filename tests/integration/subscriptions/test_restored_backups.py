"""An older backup is restored under an application that consumes: it is told in words, and nothing goes on by itself.

Source: docs/reference/subscriptions.md, "If something ends"; promise P8.
"""

import asyncio
from pathlib import Path

from bigchaindb.simulated.chain import Recipe, write_data
from bigchaindb.transaction.build import create
from bigchaindb.transaction.keys import KeyPair
from tests.support.http import request
from tests.support.node import running_node
from tests.support.subscriber import Consumer, connected

OWNER = KeyPair.from_seed(bytes(range(32)))


async def test_p8_who_consumes_learns_that_the_log_is_another(tmp_path: Path) -> None:
    """What it acknowledged is gone; under the same places it would get other events, or pass them over."""
    write_data(tmp_path / "data", Recipe(blocks=6, transactions=2))
    keypair = {"public": OWNER.public_key, "private": OWNER.private_key}
    with running_node(tmp_path, settings={"keypair": keypair}) as node:
        path = f"{node.url}/api/v1/subscriptions/one"
        assert request("PUT", path, {"start": "genesis", "order": "none"}).status == 201
        async with connected(node.url, "one") as client:
            consumer = Consumer(client)
            events = await consumer.events(6)
            await consumer.say(type="ack", through=events[-1]["tag"], ref=1)
            await consumer.next("done")
            assert (await asyncio.to_thread(node.run, "backup", str(tmp_path / "copy"))).returncode == 0
            assert (await asyncio.to_thread(node.post, create([OWNER], data={"n": 1}).body)).status == 202
            [event] = await consumer.events(1)
            await consumer.say(type="ack", tags=[event["tag"]], ref=2)
            await consumer.next("done")
            assert await asyncio.to_thread(node.stop) == 0
            assert (await consumer.closed()).code == 1001
        assert node.run("restore", str(tmp_path / "copy")).returncode == 0
        await asyncio.to_thread(node.start)
        async with connected(node.url, "one") as client:
            consumer = Consumer(client)
            assert (await consumer.next("attached"))["state"] == "GAPPED"
            pulled = await asyncio.to_thread(request, "POST", f"{path}/pull", {"count": 1})
            assert pulled.status == 410
            refusal = pulled.json()
            assert refusal["state"] == "GAPPED"
            assert "restored from a backup" in refusal["message"]
            assert "plugins seek one position:7" in refusal["message"]
            assert (await asyncio.to_thread(request, "GET", path)).json()["state"] == "GAPPED"
            assert (await asyncio.to_thread(request, "POST", f"{path}/seek", {"place": "position:6"})).status == 200
            [again] = await consumer.events(1)
            assert again["event"]["id"] == events[-1]["event"]["id"]
