"""The cost of a filter that one event in 10,000 passes, beside a lane that takes every event of the same log.

Measured from the moment a plugin asks for its first event to the one at which its cursor has passed the head: a lane
whose cursor stays where it last matched would look stalled, and would begin there again after a restart.

This module is a plugin as well: each lane is an entry point that leads to a value of `Lane`.
"""

import asyncio
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import orjson
from msgspec import structs

from bench.documents import Documents, Owner
from bench.ledgers import Growing
from bench.measure import Scale, alternate, median
from bench.plugins import install
from bench.report import Figure, at_least, ratio_at_most
from bigchaindb.config import PluginSettings
from bigchaindb.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers.supervisor import Supervisor
from bigchaindb.transaction.model import OutputRef, Transaction

COUNTS: Final = {1: 100_000, 100: 10_000}
"""Events in the ledgers, by transactions of each."""
SPACING: Final = 10_000
"""Events from one that matches to the next."""
MARKED: Final = Owner.of(bytes(range(1, 33)))
ASSET: Final = "5e" * 32
NOTE: Final = "calibrated at the harbour"
FILTERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "operation": {"operation": "TRANSFER"},
    "asset": {"asset": ASSET},
    "owner": {"owner": MARKED.text},
    "metadata": {"metadata.note": NOTE},
}
RATIO_MAX: Final = {1: 1.0, 100: 1.5}
"""How many times as long as taking every event it may take, by transactions of each. Of large blocks both read and
compare each body as a whole, which is most of either, and a filter then searches it (decision 0068)."""
NAME: Final = "bench_filter"
RUN_COUNT_MAX: Final = 32
"""Runs over one ledger; each needs a plugin of its own."""
LOOK_S: Final = 0.001
"""The interval at which the cursor is read."""
WAIT_S_MAX: Final = 120.0


class Passed(NamedTuple):
    """One way of a lane through the log.

    Attributes:
        us_each: until the cursor had passed the head, for each event of the log.
        step_count: places between two matches at which the cursor was seen.
    """

    us_each: float
    step_count: int


@dataclass
class Lane:
    """A plugin that takes what passes its filter, as bytes, and notes when it began and which positions it took."""

    select: Mapping[str, Any] | None = None
    _options: dict[str, Any] = field(default_factory=dict)

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take `count`, how many events to take before the file `result` is written."""
        self._options.update(options)

    def run(self, queue: "Queue[Any]") -> None:
        """Take events; each is acknowledged by asking for the next."""
        result, count = Path(self._options["result"]), self._options["count"]
        positions = []
        begin_s = time.monotonic()
        for _ in range(count):
            event = queue.get()
            assert event.body
            positions.append(event.position)
        # Written while the last event is in hand, so that the cursor cannot have passed the head before.
        if self.select is None:
            positions.clear()
        result.with_suffix(".new").write_text(json.dumps({"begin_s": begin_s, "positions": positions}))
        result.with_suffix(".new").rename(result)
        while True:
            queue.get()


every = Lane()
operation, asset, owner, metadata = (Lane(FILTERS[name]) for name in ("operation", "asset", "owner", "metadata"))


def run(scale: Scale) -> list[Figure]:
    """Measure each size of block: every filter in turn with the lane that has none."""
    lanes = [(lane, number) for lane in ("every", *FILTERS) for number in range(RUN_COUNT_MAX)]
    install(scale.folder / "filters-site", {f"{NAME}_{lane}_{n}": f"bench.filters:{lane}" for lane, n in lanes})
    return [figure for size in COUNTS for figure in _of_size(scale, size)]


def _of_size(scale: Scale, size: int) -> list[Figure]:
    count = scale.count(COUNTS[size])
    marked = _marked_positions(count)
    ledger = _build(scale, size, count, marked)
    takes = {"every": count} | dict.fromkeys(FILTERS, len(marked))
    runs = [partial(_through_a_host, ledger, lane, count, take_count) for lane, take_count in takes.items()]
    unfiltered, *filtered = alternate(scale.rounds, runs)
    peer = median(passed.us_each for passed in unfiltered)
    figures = []
    for name, found in zip(FILTERS, filtered, strict=True):
        what = f"events of {size:,}, {len(marked)} of {count:,} by {name}"
        us_each = median(passed.us_each for passed in found)
        figures += [
            Figure(
                what=what,
                value=us_each,
                unit="us/event",
                peer=peer,
                peer_name="us/event without filter, as bytes",
                limit=ratio_at_most(RATIO_MAX[size]),
            ),
            Figure(
                what=f"{what}: places of the cursor between matches",
                value=min(passed.step_count for passed in found),
                unit="seen",
                limit=at_least(1),
            ),
        ]
    return figures


def _through_a_host(ledger: Path, lane: str, event_count: int, take_count: int) -> Passed:
    """Run the lane from the first event on, as the node does, until its cursor has passed the last one."""
    number = len(list(ledger.glob("result-*")))
    result = ledger / f"result-{number}.json"
    settings = PluginSettings(start="genesis", options={"count": take_count, "result": str(result)})
    plugins = {f"{NAME}_{lane}_{number}": settings}  # a name of its own: it begins at the first event
    with closing(Store(ledger)) as store:
        seen = asyncio.run(_follow(store, plugins))
    found = json.loads(result.read_text())
    end_s = seen.pop(event_count)
    between = seen.keys() - {near for position in found["positions"] for near in (position - 1, position)}
    return Passed((end_s - found["begin_s"]) * 1e6 / event_count, len(between))


async def _follow(store: Store, plugins: dict[str, PluginSettings]) -> dict[int, float]:
    """Return the places at which the cursor was seen, each with the time; the last one is the head."""
    head = store.writer.tip().position
    supervisor = Supervisor(hub=Hub(head), store=store, chain_id="solo-bench", plugins=plugins)
    await supervisor.start()
    seen: dict[int, float] = {}
    try:
        async with asyncio.timeout(WAIT_S_MAX):
            while head not in seen:
                (status,) = supervisor.status()
                seen.setdefault(status.position, time.monotonic())
                await asyncio.sleep(LOOK_S)
    finally:
        await supervisor.stop()
    seen.pop(0, None)
    return seen


def _build(scale: Scale, size: int, count: int, marked: range) -> Path:
    """Make a ledger of CREATEs, with one marked TRANSFER in some of its blocks."""
    folder = scale.folder / f"filtered-{size}"
    # Where an event is a commit, what syncs to a disk would take minutes for.
    with TemporaryDirectory(dir="/dev/shm" if size == 1 else scale.folder) as made:
        with closing(Growing(Path(made) / "data")) as ledger:
            for transactions in _blocks(size, count, marked):
                ledger.add(transactions)
        shutil.move(Path(made) / "data", folder)
    os.sync()  # what is left to write would be paid by the first lane
    return folder


def _blocks(size: int, count: int, marked: range) -> Iterator[tuple[Transaction, ...]]:
    documents, spent = Documents(), ""
    for position in range(1, count + 1):
        block = [documents.bare([]) for _ in range(size)]
        if position in marked:
            block[size // 2] = _marked(block[size // 2], spent)
        spent = block[size // 2].id
        yield tuple(block)


def _marked(transaction: Transaction, spent: str) -> Transaction:
    """Make a TRANSFER of `transaction` that passes every filter; it spends the first output of `spent`."""
    document = orjson.loads(transaction.body)
    document["operation"], document["asset"] = "TRANSFER", {"id": ASSET}
    document["metadata"]["note"] = NOTE
    document["inputs"][0]["fulfills"] = {"output_index": 0, "transaction_id": spent}
    document["outputs"] = [orjson.loads(MARKED.output)]
    (output,), (spender,) = transaction.outputs, transaction.inputs
    keys = (MARKED.text,)
    return structs.replace(
        transaction,
        operation="TRANSFER",
        asset_id=ASSET,
        inputs=(structs.replace(spender, fulfills=OutputRef(spent, 0)),),
        outputs=(structs.replace(output, fingerprint=MARKED.fingerprint, public_keys=keys, owners=keys),),
        body=orjson.dumps(document, option=orjson.OPT_SORT_KEYS),
    )


def _marked_positions(count: int) -> range:
    """Spread them: the first has half a spacing before it, the last one behind it."""
    spacing = min(SPACING, count)
    return range(spacing // 2, count + 1, spacing)
