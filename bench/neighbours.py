"""The cost of plugins to the commits beside them: two bad ones in time for each, eight good ones in throughput (P9)."""

import logging
import time
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from os import sched_getaffinity
from typing import Final, NamedTuple

import uvloop

from bench.ledgers import Growing
from bench.load import percentile
from bench.measure import Scale, alternate, median
from bench.plugins import commit_all, install, running, until
from bench.processes import cpu_s
from bench.report import Figure, at_least, ratio_at_most
from bigchaindb.config import PluginSettings
from bigchaindb.subscribers.lane_status import LaneStatus

BLOCK_SIZE: Final = 100
BLOCK_COUNT: Final = 400
WARM_COUNT: Final = 50
FURTHER_ROUND_COUNT: Final = 2
"""More rounds than other benchmarks have: the limits are close to 1."""
READER_COUNT: Final = 8
P50_RATIO_MOST: Final = 1.1
P99_RATIO_MOST: Final = 1.5
HANGING, CRASHING = "bench_hanging", "bench_crashing"
READERS: Final = tuple(f"bench_reading_{number}" for number in range(READER_COUNT))
TARGETS: Final = {
    HANGING: "bench.delivery_plugins:hanging",
    CRASHING: "bench.delivery_plugins:crashing",
    **dict.fromkeys(READERS, "bench.delivery_plugins:reading"),
}
WAIT_S_MAX: Final = 60.0


class _Run(NamedTuple):
    """One run: commits one after the other.

    Attributes:
        commits_s: each until durable, sorted.
        per_s: transactions.
        cpu_ms: of the committing process for each block, all its threads.
        plugins_share: of the machine's cores that the plugins used.
    """

    commits_s: list[float]
    per_s: float
    cpu_ms: float
    plugins_share: float


def run(scale: Scale) -> list[Figure]:
    """Commit without plugins, beside bad ones, and beside readers, in turn."""
    install(scale.folder / "neighbours-site", TARGETS)
    logging.getLogger("bigchaindb").addHandler(logging.NullHandler())  # or each crash would be said on the console
    count = scale.count(BLOCK_COUNT)
    with closing(Growing(scale.folder / "neighbours" / "data")) as ledger:
        for block in ledger.blocks(BLOCK_SIZE, WARM_COUNT):
            ledger.add(block)
        sets: list[tuple[str, ...]] = [(), (HANGING, CRASHING), READERS]
        runs = [partial(_commit, ledger, count, names) for names in sets]
        alone, bad, reading = alternate(scale.rounds + FURTHER_ROUND_COUNT, runs)
    share = median(one.plugins_share for one in reading)
    return [
        *_commits(alone, bad),
        _cpu("a plugin that hangs and one that crashes", bad, alone),
        Figure(
            what=f"stored beside {READER_COUNT} plugins that read all as dicts",
            value=median(one.per_s for one in reading) / median(one.per_s for one in alone),
            unit="of the rate",
            limit=at_least(1 - share),
        ),
        Figure(what=f"CPU that the {READER_COUNT} used", value=share, unit="of all cores"),
        _cpu(f"the {READER_COUNT}", reading, alone),
    ]


def _commits(alone: list[_Run], bad: list[_Run]) -> list[Figure]:
    def at(share: float, runs: list[_Run]) -> float:
        return median(percentile(one.commits_s, share) * 1e3 for one in runs)

    return [
        Figure(
            what=f"commit of {BLOCK_SIZE} beside a plugin that hangs and one that crashes, {name}",
            value=at(share, bad),
            unit="ms",
            peer=at(share, alone),
            peer_name="ms without plugins",
            limit=ratio_at_most(bound),
        )
        for name, share, bound in (("p50", 0.5, P50_RATIO_MOST), ("p99", 0.99, P99_RATIO_MOST))
    ]


def _cpu(beside: str, found: list[_Run], alone: list[_Run]) -> Figure:
    """Return the plugins' cost to the node itself: of all figures here the one that other work disturbs least."""
    return Figure(
        what=f"CPU of the committing process for each block beside {beside}",
        value=median(one.cpu_ms for one in found),
        unit="ms",
        peer=median(one.cpu_ms for one in alone),
        peer_name="ms without plugins",
    )


def _commit(ledger: Growing, count: int, names: tuple[str, ...]) -> _Run:
    plugins: Mapping[str, PluginSettings] = {name: PluginSettings(start="genesis") for name in names}
    first, *blocks = ledger.blocks(BLOCK_SIZE, 1 + count)

    async def commit() -> _Run:
        async with running(ledger.store, plugins) as node:
            await commit_all(ledger, node.hub, [first])
            await until(lambda: all(map(_is_itself, node.supervisor.status())), within_s=WAIT_S_MAX)
            pids = [status.pid for status in node.supervisor.status() if status.pid is not None and names is READERS]
            used, own_s, begin = sum(map(cpu_s, pids)), time.process_time(), time.perf_counter()
            committed = await commit_all(ledger, node.hub, blocks)
            duration_s, own_s = time.perf_counter() - begin, time.process_time() - own_s
            used = sum(map(cpu_s, pids)) - used
        return _Run(
            sorted(one.spent.commit_s for one in committed),
            count * BLOCK_SIZE / duration_s,
            own_s * 1e3 / count,
            used / duration_s / len(sched_getaffinity(0)),
        )

    return uvloop.run(commit())


def _is_itself(status: LaneStatus) -> bool:
    """Whether a plugin does what it is there for: hangs, crashes, or has read all that there was."""
    if status.name == HANGING:
        return bool(status.in_hand) and status.pid is not None
    if status.name == CRASHING:
        return status.failure_count > 0
    return status.lag <= 1  # the last event is in hand until there is another
