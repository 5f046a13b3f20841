"""A node's memory and its commits do not depend on who follows them. Source: promises P9 and P10; invariant S1."""

import asyncio
import itertools
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from bigchaindb.transaction.build import Signed, create
from bigchaindb.transaction.keys import KeyPair
from tests.conftest import StartNode
from tests.integration.node.conftest import LongLedger
from tests.integration.node.stalled import ask, post, unread_stream
from tests.support import scale
from tests.support.node import Node
from tests.support.raw import wire

ALICE: Final = KeyPair.from_seed(b"a" * 32)
MIB: Final = 2**20
CONNECTION_COUNT: Final = 8
NUMBERS: Final = list(range(10**14, 10**14 + 11_000))
"""176 KB as JSON."""
GROWTH_BYTES_MAX: Final = 24 * MIB
"""A third of what would be held if what the streams do not take were kept, or the bodies of the events."""
LOAD_COUNT_MAX: Final = 3
"""What is kept grows with each load; what the allocator takes in addition on a busy machine grows once."""
COMMIT_S_MAX: Final = 20.0

SETTINGS: Final = {
    "events_plugins": ["sleeper"],
    "limits": {
        # Small bounds, so that what may grow has grown before it is measured.
        "stream_buffer_bytes_max": 16 * 1024,
        "pool_bytes_max": 8 * MIB,
        "admission_bytes_max": 8 * MIB,
    },
}


async def test_stalled_subscribers_cost_neither_memory_nor_time(
    start_node: StartNode, plugins: Mapping[str, str], long_ledger: LongLedger
) -> None:
    """A plugin that hangs and a hundred clients that do not read their stream, while megabytes of events go by."""
    node = start_node(settings={**SETTINGS, **long_ledger()}, environment=plugins)
    serials = itertools.count()
    async with AsyncExitStack() as clients:
        for _ in range(scale.STREAMS):
            await clients.enter_async_context(unread_stream(node))
        # This fills the caches, which have bounds of their own.
        await load(node, serials, large_count=2 * scale.LARGE_TRANSACTIONS)
        growths: list[int] = []
        while not growths or (growths[-1] >= GROWTH_BYTES_MAX and len(growths) < LOAD_COUNT_MAX):
            before = resident_bytes(node)
            await load(node, serials)
            growths.append(resident_bytes(node) - before)
            print(f"{before / MIB:.0f} MiB, then {growths[-1] / MIB:+.1f}")
        assert growths[-1] < GROWTH_BYTES_MAX
        assert await longest_commit_s(node, serials) < COMMIT_S_MAX


async def load(node: Node, serials: Iterator[int], *, large_count: int = scale.LARGE_TRANSACTIONS) -> None:
    """Commit many small transactions, for the streams, and some large ones, for what holds bodies."""
    small = (made(next(serials)) for _ in range(scale.SMALL_TRANSACTIONS))
    large = (made(next(serials), NUMBERS) for _ in range(large_count))
    await asyncio.gather(*(post(node, group) for group in [small] * (CONNECTION_COUNT - 2) + [large] * 2))


async def longest_commit_s(node: Node, serials: Iterator[int]) -> float:
    taken_s = []
    async with wire(node.port) as connection:
        for _ in range(200):
            begun = time.perf_counter()
            assert await ask(connection, made(next(serials)), "commit") == 202
            taken_s.append(time.perf_counter() - begun)
    return max(taken_s)


def made(serial: int, numbers: list[int] | None = None) -> Signed:
    """Make a transaction; what makes it large are numbers, which no text index takes."""
    return create([ALICE], data={"serial": serial}, metadata={"numbers": numbers})


def resident_bytes(node: Node) -> int:
    assert node.process is not None
    pages = Path(f"/proc/{node.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
