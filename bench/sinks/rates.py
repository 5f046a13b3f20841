"""What the benchmarks of all sinks share: the ledgers, the runs of a plugin, and the two figures of each."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from bench.ledgers import cached
from bench.measure import Scale, alternate, median
from bench.plugins import CHAIN_ID, install, running, until
from bench.processes import cpu_s
from bench.report import Figure, at_most, ratio_at_least
from bigchaindb.config import PluginSettings
from bigchaindb.delivery import Message, transaction_messages
from bigchaindb.events import Event
from bigchaindb.store import Store

BLOCK_SIZE: Final = 100
BLOCK_COUNTS: Final = 1_000, 20_000
"""The latter of one transaction each."""
RATIO_LEAST: Final = 0.8
CPU_US_MOST: Final = 6.0
"""Of a message, beyond the bare client's."""
WITHIN_S: Final = 1_200.0
RUN_COUNT_MAX: Final = 32
"""Runs of one plugin over the ledgers; each needs a lane of its own."""
_runs: Final = count()
S = TypeVar("S")


class Ledger(NamedTuple):
    """A ledger, and what has to arrive of it.

    Attributes:
        size: transactions of a block, each of which is a message.
        folder: of its data.
    """

    size: int
    folder: Path
    events: Sequence[Event]

    @property
    def message_count(self) -> int:
        """How many messages there are."""
        return self.size * len(self.events)

    def messages(self) -> Iterator[Message]:
        """Make the messages, in order, as a bare client has to."""
        return (message for event in self.events for message in transaction_messages(event))


class Passed(NamedTuple):
    """One run: messages a second, and the CPU of one in µs."""

    per_s: float
    cpu_us: float


class Stopwatch:
    """Measures from here on, by a clock of CPU."""

    def __init__(self, cpu: Callable[[], float]) -> None:
        self._cpu = cpu
        self._begin, self._used = time.perf_counter(), cpu()

    def passed(self, message_count: float) -> Passed:
        """Return what passing on so many messages took."""
        taken_s, used_s = time.perf_counter() - self._begin, self._cpu() - self._used
        return Passed(message_count / taken_s, used_s * 1e6 / message_count)


def events_in(folder: Path) -> list[Event]:
    """Return the events of a ledger."""
    with closing(Store(folder)) as store, closing(store.log_reader()) as log:
        found: list[Event] = []
        after, head = 0, log.head()
        while after < head:
            for record in log.records(after, head, count_max=1_000, bytes_max=1 << 24):
                found.append(record.event(CHAIN_ID))
                after = record.position
        return found


def measured(
    scale: Scale,
    sink: str,
    system: str,
    server: S,
    options: Callable[[S], Mapping[str, Any]],
    *others: Callable[[Ledger, S], Passed],
    counts: tuple[int, int] = BLOCK_COUNTS,
) -> Iterator[Figure]:
    """Measure a plugin beside others, in turn, over a ledger of blocks of 100 transactions and one of single ones.

    Args:
        scale: of the whole.
        sink: the plugin, installed under as many names as there are runs.
        system: where to, for people.
        server: that all write to.
        options: makes a place of a run's own; returns those by which the plugin writes there.
        others: what writes in the plugin without its queue if that can be run alone, and the bare client.
        counts: of the blocks of the two ledgers.
    """
    names = (f"{sink}_{number}" for number in range(RUN_COUNT_MAX))
    install(scale.folder / f"bench_{sink}", dict.fromkeys(names, f"bigchaindb.sinks.{sink}:plugin"))
    for size, blocks in zip((BLOCK_SIZE, 1), counts, strict=True):
        folder = cached(scale, size, scale.count(blocks)) / "data"
        ledger = Ledger(size, folder, events_in(folder))
        runs = [partial(_by_the_plugin, ledger, sink, server, options)]
        found = alternate(scale.rounds, [*runs, *(partial(other, ledger, server) for other in others)])
        yield from _compared(f"transactions to {system}, from blocks of {size}", found)


def _by_the_plugin(ledger: Ledger, sink: str, server: S, options: Callable[[S], Mapping[str, Any]]) -> Passed:
    """Run the plugin over all events; measure from its first event in hand to its last acknowledgement."""
    settings = PluginSettings(start="genesis", options={**options(server), "per": "transaction"})

    async def pass_on(store: Store) -> Passed:
        name = f"{sink}_{next(_runs) % RUN_COUNT_MAX}"
        async with running(store, {name: settings}) as node:
            await until(lambda: bool(node.supervisor.status()[0].in_hand), within_s=WITHIN_S)
            (seen,) = node.supervisor.status()
            assert seen.pid is not None
            watch = Stopwatch(partial(cpu_s, seen.pid))
            await until(lambda: node.supervisor.status()[0].lag == 0, within_s=WITHIN_S)
            passed = watch.passed(ledger.message_count * (1 - seen.position / node.hub.head))
            assert node.supervisor.status()[0].parked_count == 0
            return passed

    with closing(Store(ledger.folder)) as store:
        return asyncio.run(pass_on(store))


def _compared(what: str, found: Sequence[Sequence[Passed]]) -> Iterator[Figure]:
    """Yield the rate beside the bare client's, and the CPU beyond it."""
    plugin, writer, bare = found[0], found[-2], found[-1]
    yield Figure(
        what=what,
        value=median(one.per_s for one in plugin),
        unit="/s",
        peer=median(one.per_s for one in bare),
        peer_name="/s by the library alone",
        limit=ratio_at_least(RATIO_LEAST),
    )
    library_us = median(one.cpu_us for one in bare)
    yield Figure(
        what=f"- CPU of a message beyond the library's {library_us:.0f} µs",
        value=median(one.cpu_us for one in writer) - library_us,
        unit="µs",
        limit=at_most(CPU_US_MOST),
    )
