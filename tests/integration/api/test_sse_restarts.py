"""A client of Server-Sent Events through stops and kills of a real node. Source: promises P1, P3, P4 and P15."""

import asyncio
import itertools
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from bigchaindb.transaction.build import create
from tests.conftest import StartNode
from tests.support import scale
from tests.support.node import Node
from tests.support.raw import until
from tests.support.served import KEY
from tests.support.sse import listening


class Client:
    """Does what a browser does: comes back with the last id until it is told to leave."""

    def __init__(self, node: Node, query: str) -> None:
        self.port = urlsplit(node.url).port or 0
        self.query = query
        self.seen: list[dict[str, Any]] = []
        self.connected = asyncio.Event()

    async def follow(self) -> None:
        last_id: str | None = None
        while True:
            with suppress(OSError, EOFError, asyncio.IncompleteReadError):
                async with listening(self.port, self.query, last_event_id=last_id) as source:
                    assert source.status == 200, source
                    last_id = source.last_id
                    self.connected.set()
                    while (event := await source.event()) is not None:
                        self.seen.append(event)
                        last_id = source.last_id
            await asyncio.sleep(0.05)


async def post(node: Node, enough: asyncio.Event) -> None:
    for number in itertools.count():
        if enough.is_set():
            return
        try:
            await asyncio.to_thread(node.post, create([KEY], data={"n": number}).body, mode="async")
        except OSError:  # it is down
            await asyncio.sleep(0.05)


async def grown(client: Client, count: int) -> None:
    enough = len(client.seen) + count
    await until(lambda: len(client.seen) >= enough, f"{count} more events")


@pytest.mark.timeout(180 + 10 * scale.SSE_RESTARTS)
async def test_each_event_comes_once_and_in_order_whatever_happens_to_the_node(start_node: StartNode) -> None:
    """A stop may end between two transactions of a block for the client; a kill anywhere."""
    node = start_node()
    clients = [Client(node, query) for query in ("", "?granularity=transaction", "?metadata.never=here")]
    following = [asyncio.create_task(client.follow()) for client in clients]
    for client in clients:
        await client.connected.wait()
    enough = asyncio.Event()
    posting = asyncio.create_task(post(node, enough))
    for number in range(scale.SSE_RESTARTS):
        await grown(clients[0], 5)
        await asyncio.to_thread(node.kill if number % 2 else node.stop)
        await asyncio.to_thread(node.start)
    await grown(clients[0], 5)
    enough.set()
    await posting
    assert (await asyncio.to_thread(node.post, create([KEY], data={"last": True}).body)).status == 202
    for client in clients[:2]:
        expected = await asyncio.to_thread(everything, node, client.query)
        await until(lambda seen=client.seen, expected=expected: len(seen) >= len(expected), "the rest")  # type: ignore[misc]
        assert client.seen == expected
    assert clients[2].seen == []
    assert not [task for task in following if task.done()]
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)


def everything(node: Node, query: str) -> list[dict[str, Any]]:
    arguments = dict([query[1:].split("=")] if query else [])
    taken: list[dict[str, Any]] = []
    while True:
        page = node.get("events", **arguments).json()
        taken += page["events"]
        if page["head"]:
            return taken
        arguments["after"] = page["next"]
