"""What stays flat as the ledger grows: start, memory, throughput, look-ups, commits; and what grows: bytes on disk."""

import time
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Final

from bench.ledgers import Growing, Spent, cached
from bench.load import percentile
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
VIEW_SIZE: Final = 128
"""Transactions whose state one checking thread loads at a time."""


def run(scale: Scale) -> list[Figure]:
    """Make ledgers of three sizes, then measure them in turn."""
    folders = {count * BLOCK_SIZE: cached(scale, BLOCK_SIZE, count) for count in _block_counts(scale)}
    figures: list[Figure] = []
    with ExitStack() as stack:
        ledgers = [stack.enter_context(closing(Growing(folder / "data"))) for folder in folders.values()]
        figures += _bytes(ledgers)
        figures += _blocks(scale, ledgers)
        figures += _small_blocks(scale, ledgers)
        figures += _look_ups(scale, ledgers)
    return figures + _starts(scale, folders)


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


def _look_ups(scale: Scale, ledgers: list[Growing]) -> list[Figure]:
    ids = [ledger.some_ids(scale.count(LOOK_UP_COUNT)) for ledger in ledgers]
    pairs = list(zip(ledgers, ids, strict=True))
    runs = [partial(_look_up_us, *pair) for pair in pairs]
    found = [[median(column) for column in zip(*rounds, strict=True)] for rounds in alternate(scale.rounds, runs)]
    return [
        Figure(
            what=f"{what} among {_name(ledger)}, p50",
            value=values[index],
            unit="µs",
            peer=found[0][index],
            peer_name=f"µs among {_name(ledgers[0])}",
            limit=ratio_at_most(1.2) if ledger is ledgers[-1] else None,
        )
        for index, what in enumerate(("get one", f"look up {VIEW_SIZE} to validate, each"))
        for ledger, values in zip(ledgers, found, strict=True)
    ]


def _look_up_us(ledger: Growing, ids: list[str]) -> tuple[float, float]:
    return _get_us(ledger, ids), _view_us(ledger, ids)


def _get_us(ledger: Growing, ids: list[str]) -> float:
    queries, times = ledger.store.queries(), []
    for id_ in ids:
        begin = time.perf_counter()
        assert queries.transaction(id_) is not None
        times.append(time.perf_counter() - begin)
    return median(times) * 1e6


def _view_us(ledger: Growing, ids: list[str]) -> float:
    times = []
    for start in range(0, len(ids), VIEW_SIZE):
        part = frozenset(ids[start : start + VIEW_SIZE])
        begin = time.perf_counter()
        view = ledger.store.writer.view(Needs(part, frozenset()))
        times.append((time.perf_counter() - begin) / len(part))
        assert len(view.present) == len(part)
    return median(times) * 1e6


def _starts(scale: Scale, folders: dict[int, Path]) -> list[Figure]:
    def start(folder: Path) -> tuple[float, float]:
        with Node(folder) as node:
            return node.start_s, node.memory_mb()

    rounds = alternate(scale.rounds, [partial(start, folder) for folder in folders.values()])
    found = [[median(column) for column in zip(*one, strict=True)] for one in rounds]
    last = max(folders)
    return [
        Figure(
            what=f"{what} with {size:,} transactions",
            value=values[index],
            unit=unit,
            peer=found[0][index],
            peer_name=f"{unit} with {min(folders):,}",
            limit=at_most(bound) if size == last else None,
        )
        for index, (what, unit, bound) in enumerate((("start", "s", 2.0), ("memory of a started node", "MB", 300.0)))
        for size, values in zip(folders, found, strict=True)
    ]


def _name(ledger: Growing) -> str:
    """Say how many transactions the ledger began the measurements with."""
    digits = len(str(ledger.transaction_count)) - 1
    return f"{10**digits:,}"
