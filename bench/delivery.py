"""The delay from a durable block to its plugin, and the cost of plugins to the commits beside them.

The committing side is the node's without engine and HTTP: one writer thread, a loop that announces, the supervisor.
Both sides read the machine's monotonic clock, which is the same in all processes.
"""

import json
import multiprocessing
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NamedTuple

import uvloop

from bench import neighbours
from bench.latency import HALF_PER_S
from bench.ledgers import Growing
from bench.load import percentile
from bench.measure import Scale, alternate, median
from bench.plugins import Running, commit_all, install, running, until
from bench.report import Figure, at_most
from bigchaindb.config import PluginSettings

BLOCK_SIZE: Final = 100
BLOCK_COUNT: Final = 500
WARM_COUNT: Final = 50
WAYS: Final = {"data": "as dicts", "body": "as bytes"}
P50_MS_MOST: Final = 2.0
P99_MS_MOST: Final = 10.0
RUN_COUNT_MAX: Final = 16
WAIT_S_MAX: Final = 60.0
_POSITION: Final = struct.Struct("!Q")
_FORK: Final = multiprocessing.get_context("fork")


class Delays(NamedTuple):
    """Seconds from durable, sorted: until the plugin had the block, until a bare socket had woken a process."""

    plugin: list[float]
    wake_up: list[float]


def run(scale: Scale) -> list[Figure]:
    """Commit at a fixed pace and see when the plugin has each block; then measure the neighbours."""
    names = {f"bench_stamping_{number}": "bench.delivery_plugins:stamping" for number in range(RUN_COUNT_MAX)}
    install(scale.folder / "delivery-site", names)
    count = scale.count(BLOCK_COUNT)
    left = list(names)
    with closing(Growing(scale.folder / "delivery" / "data")) as ledger:
        for block in ledger.blocks(BLOCK_SIZE, WARM_COUNT):
            ledger.add(block)
        runs = [lambda read=read: _deliver(scale.folder, ledger, count, left.pop(), read) for read in WAYS]
        found = alternate(scale.rounds, runs)
    figures = [figure for way, delays in zip(WAYS.values(), found, strict=True) for figure in _figures(way, delays)]
    return figures + neighbours.run(scale)


def _figures(way: str, found: Sequence[Delays]) -> list[Figure]:
    def at(share: float, sides: Sequence[list[float]]) -> float:
        return median(percentile(side, share) * 1e3 for side in sides)

    return [
        Figure(
            what=f"block of {BLOCK_SIZE} durable until a plugin has it {way}, {HALF_PER_S:,.0f}/s, {name}",
            value=at(share, [one.plugin for one in found]),
            unit="ms",
            peer=at(share, [one.wake_up for one in found]),
            peer_name="ms to wake a process by a bare socket",
            limit=at_most(bound),
        )
        for name, share, bound in (("p50", 0.5, P50_MS_MOST), ("p99", 0.99, P99_MS_MOST))
    ]


def _deliver(folder: Path, ledger: Growing, count: int, name: str, read: str) -> Delays:
    result = folder / f"{name}.json"
    plugins = {name: PluginSettings(options={"count": count, "read": read, "result": str(result)})}
    blocks = ledger.blocks(BLOCK_SIZE, count)
    ours, theirs = socket.socketpair()
    receiving, sending = _FORK.Pipe(duplex=False)
    with ours, theirs:
        peer = _FORK.Process(target=_stamp_wake_ups, args=(theirs, count, sending))
        peer.start()

        async def deliver() -> dict[int, float]:
            async with running(ledger.store, plugins) as node:
                _wake_too(node, ours)
                committed = await commit_all(ledger, node.hub, blocks, every_s=BLOCK_SIZE / HALF_PER_S)
                await until(result.exists, within_s=WAIT_S_MAX)
            return {one.position: one.at_s for one in committed}

        durable = uvloop.run(deliver())
        woken: dict[int, float] = receiving.recv()
        peer.join()
    stamps = {int(position): at for position, at in json.loads(result.read_bytes()).items()}
    assert stamps.keys() == durable.keys() == woken.keys()
    return Delays(*(sorted(side[position] - at for position, at in durable.items()) for side in (stamps, woken)))


def _wake_too(node: Running, ours: socket.socket) -> None:
    """Wake the peer as well: in the same moment and on the same machine, so that its noise is in both."""
    node.hub.listen(lambda position: ours.sendall(_POSITION.pack(position)))


def _stamp_wake_ups(theirs: socket.socket, count: int, sending: Connection) -> None:
    stamps = {}
    for _ in range(count):
        (position,) = _POSITION.unpack(theirs.recv(_POSITION.size, socket.MSG_WAITALL))
        stamps[position] = time.monotonic()
    sending.send(stamps)
