"""The reader process of a real node: killed at any moment, hung, and left by its node."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException

import pytest

from bigchaindb.transaction.build import Payment, create
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.keys import KeyPair
from tests.conftest import StartNode
from tests.support import scale
from tests.support.node import Node
from tests.support.processes import children_of, is_gone, is_reader, kill
from tests.support.raw import until

KEY = KeyPair.from_seed(bytes(range(32)))
OUTPUT_COUNT = 1_500
SEARCH_S_MAX = 3.0
"""A search takes milliseconds; a busy machine may let it wait for a second."""
SETTINGS = {"limits": {"page_count_max": 20, "search_s_max": SEARCH_S_MAX}}
"""A list of so many outputs has 75 pieces."""


@pytest.fixture
def node(start_node: StartNode) -> Iterator[Node]:
    node = start_node(settings=SETTINGS)
    payments = OUTPUT_COUNT * [Payment(details_of([KEY.public_key]))]
    assert node.post(create([KEY], payments, data={"text": "bicycle"}).body).status == 202
    yield node
    assert "Traceback" not in node.log, node.tail()


def readers_of(node: Node) -> list[int]:
    """Return the id of the reader process, if it runs."""
    assert node.process is not None
    return [pid for pid in children_of(node.process.pid) if is_reader(pid)]


def search(node: Node) -> int:
    """Search; return how many rows are found, -1 where the search is refused."""
    answer = node.get("assets", search="bicycle")
    return len(answer.json()) if answer.status == 200 else -1


def listed(node: Node) -> int:
    """List outputs; return how many, -1 where the answer breaks off."""
    try:
        return len(node.get("outputs", public_key=KEY.public_key).json())
    except (HTTPException, ConnectionError):
        return -1


async def test_kills_of_the_reader_break_answers_off_and_never_shorten_one(node: Node) -> None:
    """A list goes on behind the piece that it has, or its connection ends: none looks complete that is not."""
    choices = random.Random(scale.seed())
    assert search(node) == 1
    for _ in range(scale.CHECK_KILLS):
        listing = asyncio.create_task(asyncio.to_thread(listed, node))
        searching = asyncio.create_task(asyncio.to_thread(search, node))
        await asyncio.sleep(choices.choice([0, 0.02, 0.1, 0.3, 1]) * choices.random())
        for pid in readers_of(node):
            kill(pid)
        assert await listing in (OUTPUT_COUNT, -1)
        assert await searching in (1, -1)
        await until(lambda: listed(node) == OUTPUT_COUNT, "a list that is whole again")
    assert search(node) == 1
    assert node.stop() == 0, node.tail()


async def test_a_hung_reader_is_replaced_and_ends_with_its_node(node: Node) -> None:
    assert search(node) == 1
    [pid] = readers_of(node)
    os.kill(pid, signal.SIGSTOP)
    begin_s = time.monotonic()
    answer = await asyncio.to_thread(node.get, "assets", search="bicycle")
    assert time.monotonic() - begin_s >= 2 * SEARCH_S_MAX
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "limits.search_s_max" in answer.json()["message"]
    assert await asyncio.to_thread(search, node) == 1
    await until(lambda: is_gone(pid), "the end of the hung one")

    [pid] = readers_of(node)
    node.kill()
    await until(lambda: is_gone(pid), "the end of the reader")


async def test_a_search_that_runs_holds_up_no_stop(node: Node) -> None:
    assert search(node) == 1
    [pid] = readers_of(node)
    os.kill(pid, signal.SIGSTOP)
    asked = asyncio.create_task(asyncio.to_thread(search, node))
    await asyncio.sleep(0.05)
    assert node.stop() == 0, node.tail()
    with suppress(HTTPException, OSError):
        assert await asked == -1
    await until(lambda: is_gone(pid), "the end of the reader")
