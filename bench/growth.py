"""Figures that stay flat as the ledger grows: start, memory, throughput, look-ups, commits; and bytes on disk."""

import time
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from bench.ledgers import Growing, Spent, cached
from bench.load import Plan, load, percentile, write_look_ups
from bench.measure import Scale, alternate, median
from bench.node import Node
from bench.report import Figure, at_most, ratio_at_least, ratio_at_most
from bigchaindb.ledger.view import Needs

BLOCK_SIZE: Final = 1_000
BLOCK_COUNTS: Final = (10, 100, 1_000)
MEASURED_COUNT: Final = 10
SMALL_SIZE: Final = 100
SMALL_COUNT: Final = 100
LOOK_UP_COUNT: Final = 2_000
VIEW_SIZE: Final = 64
"""Documents of a batch, whose state is loaded at a time."""


def run(scale: Scale) -> list[Figure]:
    """Make ledgers of three sizes, then measure them in turn."""
    folders = {count * BLOCK_SIZE: cached(scale, BLOCK_SIZE, count) for count in _block_counts(scale)}
    look_ups: dict[int, Path] = {}
    figures: list[Figure] = []
    with ExitStack() as stack:
        ledgers = [stack.enter_context(closing(Growing(folder / "data"))) for folder in folders.values()]
        for size, ledger in zip(folders, ledgers, strict=True):
            ids = ledger.some_ids(scale.count(LOOK_UP_COUNT))
            look_ups[size] = write_look_ups(scale.folder / f"look-ups-{size}", ids)
        figures += _bytes(ledgers)
        figures += _blocks(scale, ledgers)
        figures += _small_blocks(scale, ledgers)
        figures += _views(scale, ledgers)
    return figures + _nodes(scale, folders, look_ups)


def _block_counts(scale: Scale) -> list[int]:
    return [count for count in BLOCK_COUNTS if count <= BLOCK_COUNTS[-1] * scale.share]


def _bytes(ledgers: list[Growing]) -> list[Figure]:
    figures = []
    for ledger in ledgers:
        found = ledger.store.queries().statistics()
        figures.append(
            Figure(
                what=f"bytes on disk of each of {_name(ledger)}",
                value=found["ledger_bytes"] / found["transactions"],
                unit="B",
                peer=found["event_bytes"] / found["transactions"],
                peer_name="B: its own canonical bytes",
            )
        )
    return figures


def _blocks(scale: Scale, ledgers: list[Growing]) -> list[Figure]:
    found = _added(scale, ledgers, BLOCK_SIZE, MEASURED_COUNT)
    first = _per_s(found[0])
    return [
        Figure(
            what=f"stored with {_name(ledger)} there, blocks of {BLOCK_SIZE:,}",
            value=_per_s(spent),
            unit="/s",
            peer=first,
            peer_name=f"/s with {_name(ledgers[0])}",
            limit=ratio_at_least(0.8) if ledger is ledgers[-1] else None,
        )
        for ledger, spent in zip(ledgers, found, strict=True)
    ] + [
        Figure(
            what=f"CPU to store each, with {_name(ledger)}",
            value=median(one.cpu_s for one in spent) * 1e6 / BLOCK_SIZE,
            unit="µs",
        )
        for ledger, spent in zip(ledgers, found, strict=True)
    ]


def _per_s(spent: list[Spent]) -> float:
    return BLOCK_SIZE * len(spent) / sum(one.whole_s for one in spent)


def _small_blocks(scale: Scale, ledgers: list[Growing]) -> list[Figure]:
    found = _added(scale, ledgers, SMALL_SIZE, scale.count(SMALL_COUNT))
    return [
        Figure(
            what=f"commit of {SMALL_SIZE} with {_name(ledger)}, {name}",
            value=percentile(sorted(one.commit_s for one in spent), share) * 1e3,
            unit="ms",
            limit=at_most(10) if name == "p99" and ledger is ledgers[-1] else None,
        )
        for ledger, spent in zip(ledgers, found, strict=True)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ]


def _added(scale: Scale, ledgers: list[Growing], size: int, count: int) -> list[list[Spent]]:
    def add(ledger: Growing) -> list[Spent]:
        return [ledger.add(block) for block in ledger.blocks(size, count)]

    rounds = alternate(scale.rounds, [partial(add, ledger) for ledger in ledgers])
    return [[spent for one in found for spent in one] for found in rounds]


def _views(scale: Scale, ledgers: list[Growing]) -> list[Figure]:
    pairs = [(ledger, ledger.some_ids(scale.count(LOOK_UP_COUNT))) for ledger in ledgers]
    found = [median(times) for times in alternate(scale.rounds, [partial(_view_us, *pair) for pair in pairs])]
    return [
        Figure(
            what=f"look up {VIEW_SIZE} of {_name(ledger)} to validate, each",
            value=value,
            unit="µs",
            peer=found[0],
            peer_name=f"µs of {_name(ledgers[0])}, which memory holds",
        )
        for ledger, value in zip(ledgers, found, strict=True)
    ]


def _view_us(ledger: Growing, ids: list[str]) -> float:
    times = []
    for start in range(0, len(ids), VIEW_SIZE):
        part = frozenset(ids[start : start + VIEW_SIZE])
        begin = time.perf_counter()
        view = ledger.store.writer.view(Needs(part, frozenset()))
        times.append((time.perf_counter() - begin) / len(part))
        assert len(view.present) == len(part)
    return median(times) * 1e6


class _Node(NamedTuple):
    """Measurements of a running node."""

    get_us: float
    start_s: float
    memory_mb: float


def _nodes(scale: Scale, folders: dict[int, Path], look_ups: dict[int, Path]) -> list[Figure]:
    runs = [partial(_at_a_node, folders[size], look_ups[size]) for size in folders]
    found = [_Node(*map(median, zip(*rounds, strict=True))) for rounds in alternate(scale.rounds, runs)]
    first, last = min(folders), max(folders)
    whats = (
        ("GET one by id, p50,", "µs", ratio_at_most(1.2)),
        ("start", "s", at_most(2.0)),
        ("memory, after start and look-ups,", "MB", at_most(300.0)),
    )
    return [
        Figure(
            what=f"{what} with {size:,} transactions",
            value=node[index],
            unit=unit,
            peer=found[0][index],
            peer_name=f"{unit} with {first:,}",
            limit=limit if size == last else None,
        )
        for index, (what, unit, limit) in enumerate(whats)
        for size, node in zip(folders, found, strict=True)
    ]


def _at_a_node(folder: Path, look_ups: Path) -> _Node:
    with Node(folder) as node:
        seen = load(node, Plan(port=node.port, requests=str(look_ups), connection_count=1))
        assert set(seen.statuses) == {"200"}, (seen.statuses, seen.refusals)
        return _Node(percentile(seen.latencies, 0.5) * 1e6, node.start_s, node.memory_mb())


def _name(ledger: Growing) -> str:
    """Return how many transactions the ledger began the measurements with."""
    digits = len(str(ledger.transaction_count)) - 1
    return f"{10**digits:,}"
