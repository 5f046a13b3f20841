"""Figures that stay flat as the ledger grows, end to end over HTTP: throughput, waits, look-ups, start, memory, bytes.

One node is filled over HTTP with signed transactions, and a copy of its folder is kept at each size. Copies of these
are then measured in turn. All documents are signed while nothing is measured.
"""

import os
import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from bench.against import verify_us
from bench.documents import Documents, Owner, Signed
from bench.load import Plan, Seen, load, per_s, percentile, server_us, write_asks, write_requests
from bench.measure import Scale, alternate, median
from bench.node import Node
from bench.report import Figure, Limit, at_most, ratio_at_least, ratio_at_most
from bigchaindb.transaction.build import create
from bigchaindb.transaction.keys import KeyPair

SIZES: Final = (10_000, 100_000, 1_000_000)
FILL_COUNT: Final = 20_000
"""Documents that are signed, and then posted, at a time."""
OWNER_COUNT: Final = 50_000
"""Different owners: their index must not profit from few keys that come again and again."""
KEPT_PART: Final = 4
"""Each fourth document of a filling is a CREATE that stays unspent; of a measurement each fourth spends one of these,
from all over the ledger."""
CONNECTION_COUNT: Final = 64
COMMIT_CONNECTION_COUNT: Final = 32
RATE_COUNT: Final = 8_000
COMMIT_COUNT: Final = 2_000
"""Both together spend no more than what the smallest ledger keeps unspent."""
LOOK_UP_COUNT: Final = 2_000
SINGLE_COUNT: Final = 200
"""Owners of one output, which are asked for: at every size the answer is the same."""


def run(scale: Scale) -> list[Figure]:
    """Fill a ledger, then measure what it was at each size, in turn."""
    growing = _Growing(scale)
    sizes = [size for size in SIZES if size <= SIZES[-1] * scale.share]
    folders = [growing.kept_at(size) for size in sizes]
    works = [growing.work_at(size) for size in sizes]
    runs = [partial(_measure, scale, folder, work) for folder, work in zip(folders, works, strict=True)]
    found = [_Found(*map(median, zip(*rounds, strict=True))) for rounds in alternate(scale.rounds, runs)]
    return [*_figures(sizes, found), *_bytes(sizes, folders, growing.document_bytes)]


class _Work(NamedTuple):
    """Files of requests for a ledger of one size."""

    rate: Path
    commit: Path
    look_ups: Path
    outputs: Path


class _Found(NamedTuple):
    """Findings at one size, in the units of the table; `verify_us` is the machine's own speed meanwhile."""

    per_s: float
    cpu_us: float
    commit_ms: float
    look_up_us: float
    outputs_us: float
    start_s: float
    memory_mb: float
    verify_us: float
    load: float


class _Growing:
    """A ledger that grows over HTTP, and what it keeps unspent.

    Attributes:
        document_bytes: of each, on the average.
    """

    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self._folder = scale.folder / "growing"
        self._documents = Documents(owner_count=OWNER_COUNT)
        self._kept: list[tuple[str, Owner]] = []
        self._kept_at: dict[int, int] = {}
        self._singles = [KeyPair.from_seed(number.to_bytes(32)) for number in range(SINGLE_COUNT)]
        self._count = 0
        self._bytes = 0

    @property
    def document_bytes(self) -> float:
        return self._bytes / self._count

    def kept_at(self, size: int) -> Path:
        """Fill it up to a size; return a folder with its data directory as it is then."""
        with Node(self._folder) as node:
            while self._count < size:
                self._post(node, self._filling(min(FILL_COUNT, size - self._count)))
        self._kept_at[size] = len(self._kept)
        kept = self._scale.folder / f"kept-{size}"
        shutil.copytree(self._folder / "data", kept / "data", ignore=shutil.ignore_patterns("*.sock"))
        return kept

    def work_at(self, size: int) -> _Work:
        """Sign what is posted to a ledger of a size, and choose what is asked for."""
        scale = self._scale
        known = self._kept[: self._kept_at[size]]
        choices = random.Random(size)
        choices.shuffle(known)
        spent = iter(known)
        keys = [self._singles[index % SINGLE_COUNT].public_key for index in range(scale.count(LOOK_UP_COUNT))]
        look_ups = [id_ for id_, _ in choices.choices(known, k=scale.count(LOOK_UP_COUNT))]
        return _Work(
            self._write(f"rate-{size}", scale.count(RATE_COUNT), CONNECTION_COUNT, spent, "async"),
            self._write(f"commit-{size}", scale.count(COMMIT_COUNT), COMMIT_CONNECTION_COUNT, spent, "commit"),
            write_asks(scale.folder / f"look-ups-{size}", [f"transactions/{id_}" for id_ in look_ups]),
            write_asks(scale.folder / f"outputs-{size}", [f"outputs?public_key={key}" for key in keys]),
        )

    def _write(self, name: str, count: int, lane_count: int, kept: Iterator[tuple[str, Owner]], mode: str) -> Path:
        spends = [
            self._documents.transfer(Signed((id_, b"")), owner)[0]
            for _, (id_, owner) in zip(range(count // KEPT_PART), kept, strict=False)
        ]
        mixed = _mixed(self._documents.lanes(count - len(spends), lane_count), spends, lane_count)
        return write_requests(self._scale.folder / name, mixed, mode)

    def _filling(self, count: int) -> list[Signed]:
        """Sign the next `count` documents."""
        first: list[Signed] = []
        if not self._count:
            built = [create([key], data={"single": number}) for number, key in enumerate(self._singles)]
            first = [Signed((one.id, one.body)) for one in built]
        made = [self._documents.create() for _ in range(count // KEPT_PART)]
        self._kept += [(one.id, owner) for one, owner in made]
        kept = [one for one, _ in made]
        pairs = self._documents.lanes(count - len(first) - len(kept), CONNECTION_COUNT)
        return [*_mixed(pairs, kept, CONNECTION_COUNT), *first]

    def _post(self, node: Node, documents: Sequence[Signed]) -> None:
        requests = write_requests(self._scale.folder / "filling", documents, "async")
        plan = Plan(port=node.port, requests=str(requests), connection_count=CONNECTION_COUNT, confirm=True)
        seen = _load(node, plan, "202")
        self._count += len(documents)
        self._bytes += sum(len(one.body) for one in documents)
        _say(f"{self._count:,}: {per_s([seen]):,.0f}/s, {server_us([seen]):.0f} µs of CPU each, {_machine()}")


def _mixed(pairs: Sequence[Signed], others: Sequence[Signed], lane_count: int) -> Iterator[Signed]:
    """Put a row of others, one for each connection, behind three rows of pairs: a pair stays on its connection."""
    step = (KEPT_PART - 1) * lane_count
    for row in range(-(-max(len(others) * (KEPT_PART - 1), len(pairs)) // step)):
        yield from pairs[row * step : (row + 1) * step]
        yield from others[row * lane_count : (row + 1) * lane_count]


def _measure(scale: Scale, kept: Path, work: _Work) -> _Found:
    """Measure a copy of what was kept, so that every round finds the same."""
    before_us = verify_us()
    with _copied(scale, kept) as folder, Node(folder) as node:
        look_ups = _ask(node, work.look_ups)  # they warm up what is posted to
        outputs = _ask(node, work.outputs)
        rate = Plan(port=node.port, requests=str(work.rate), connection_count=CONNECTION_COUNT, confirm=True)
        seen = _load(node, rate, "202")
        wait = Plan(port=node.port, requests=str(work.commit), connection_count=COMMIT_CONNECTION_COUNT)
        waits = _load(node, wait, "202").latencies
        found = _Found(
            per_s=per_s([seen]),
            cpu_us=server_us([seen]),
            commit_ms=percentile(waits, 0.5) * 1e3,
            look_up_us=look_ups,
            outputs_us=outputs,
            start_s=node.start_s,
            memory_mb=node.memory_mb(),
            verify_us=(before_us + verify_us()) / 2,
            load=os.getloadavg()[0],
        )
    _say(f"{kept.name}: {found._asdict()}")
    return found


@contextmanager
def _copied(scale: Scale, kept: Path) -> Iterator[Path]:
    folder = scale.folder / "measured"
    shutil.copytree(kept, folder)
    os.sync()  # what the copy left to write would be paid by the first commits
    yield folder
    shutil.rmtree(folder)


def _ask(node: Node, requests: Path) -> float:
    seen = _load(node, Plan(port=node.port, requests=str(requests), connection_count=1), "200")
    return percentile(seen.latencies, 0.5) * 1e6


def _load(node: Node, plan: Plan, status: str) -> Seen:
    seen = load(node, plan)
    assert set(seen.statuses) == {status}, (seen.statuses, seen.refusals)
    return seen


def _figures(sizes: Sequence[int], found: Sequence[_Found]) -> list[Figure]:
    whats: tuple[tuple[str, str, Limit | None], ...] = (
        (f"committed over HTTP, {CONNECTION_COUNT} connections,", "/s", ratio_at_least(0.85)),
        ("CPU of all processes for each", "µs", None),
        (f"mode=commit, {COMMIT_CONNECTION_COUNT} clients, p50,", "ms", None),
        ("GET one by id, p50,", "µs", ratio_at_most(1.2)),
        ("GET an owner's one output, p50,", "µs", ratio_at_most(1.2)),
        ("start", "s", at_most(1.5)),
        ("memory of all processes, after all that,", "MiB", at_most(250.0)),
        ("libsodium's verify meanwhile,", "µs", None),
        ("load of the machine meanwhile,", "", None),
    )
    return [
        Figure(
            what=f"{what} with {size:,} there",
            value=one[index],
            unit=unit,
            peer=found[0][index],
            peer_name=f"{unit} with {sizes[0]:,}",
            limit=limit if size == sizes[-1] else None,
        )
        for index, (what, unit, limit) in enumerate(whats)
        for size, one in zip(sizes, found, strict=True)
    ]


def _bytes(sizes: Sequence[int], folders: Sequence[Path], document_bytes: float) -> list[Figure]:
    return [
        Figure(
            what=f"bytes on disk of each of {size:,}",
            value=sum(file.stat().st_size for file in (folder / "data").rglob("*") if file.is_file()) / size,
            unit="B",
            peer=document_bytes,
            peer_name="B: its own canonical bytes",
        )
        for size, folder in zip(sizes, folders, strict=True)
    ]


def _machine() -> str:
    return f"libsodium's verify {verify_us():.0f} µs, load {os.getloadavg()[0]:.1f}"


def _say(text: str) -> None:
    print(f"    {text}", file=sys.stderr, flush=True)
