"""An hour of kills and cut links on a network of four validators and a follower: nothing lost, nothing forked, no end.

One of the validators is faulty besides: each fourth of its proposals breaks a rule, and its votes slander.

One fault after the other: a node, its CometBFT, its plugin, or a process of each node are killed, a node is cut
off, a link breaks, the network falls into halves or loses half of its validators. Meanwhile clients post; each fault
lasts until whoever is left has gone on, if that is more than two thirds of the power, and stands still otherwise. After
it all must go on, and all logs must agree as far as they go. At the end each plugin's file is held against the log, and
the log against the promises.
"""

import os
import random
import signal
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from http.client import HTTPException
from itertools import count, cycle
from typing import Final

import msgspec

from bench.load import percentile
from bench.measure import Scale
from bench.report import Figure, at_most
from tests.support.byzantine_node import COIN, HONEST, PROPOSALS, SPENT, Name
from tests.support.byzantine_story import (
    BYZANTINE,
    Orders,
    lines_of,
    make_faulty_network,
    records_of,
    write_events,
)
from tests.support.chains import create
from tests.support.links import Cut, Links, links_between
from tests.support.live_networks import Network
from tests.support.members import Member
from tests.support.processes import children_of, is_helper, kill_a_helper
from tests.support.waiting import until

DURATION_S: Final = 3_600.0
VALIDATOR_COUNT: Final = BYZANTINE + 1
ORDER_COUNT: Final = 5_000
"""Turns to propose and votes of the faulty validator: more than an hour has."""
FAULTY_SHARE: Final = 0.25
VALID: Final = "com.bigchaindb.block.valid.v1"
SLANDER: Final = ("slander_of_decided", "slander_of_nothing", "many_slanders", "slander_beside_truth", HONEST)
"""Without what others refuse: its votes are needed where one validator is away."""
PAUSE_S: Final = 0.25
"""Between two transactions; most of the machine is for starting what was killed."""
FAULT_S_MAX: Final = 8.0
"""How much longer a fault lasts than its check; each time up to it is as likely."""
GRACE_S: Final = 3.0
"""A transaction in flight when too few nodes are left may still be decided."""
PROGRESS_S_MAX: Final = 60.0
"""CometBFT dials a lost peer every five seconds or so, and a node that starts looks for blocks before it votes."""
END_S_MAX: Final = 120.0

Undisturbed = Sequence[Member] | None
"""The nodes that must go on while a fault lasts; None where none may."""


def run(scale: Scale) -> list[Figure]:
    """Cause faults, then compare everything with everything."""
    seed = int(os.environ.get("SEED") or random.randrange(2**32))
    print(f"    the draws of this run: SEED={seed}", file=sys.stderr, flush=True)
    choices = random.Random(seed)
    folder = scale.folder / "chaos"
    folder.mkdir()
    orders = Orders(folder / "orders")
    network = make_faulty_network(folder, orders)
    for member in network:
        write_events(member)
    with links_between(network.members) as links:
        chaos = _Chaos(network, links, orders, choices)
        try:
            network.start()
            network[0].commit(COIN.transaction, SPENT)
            orders.give("proposals", *(_proposal(choices) for _ in range(ORDER_COUNT)))
            orders.give("extensions", *choices.choices(SLANDER, k=4 * ORDER_COUNT))
            chaos.run(DURATION_S * scale.share)
            chaos.finish()
        except BaseException:
            _keep_logs(network)
            raise
        finally:
            network.kill()
    return chaos.figures()


def _proposal(choices: random.Random) -> str:
    return choices.choice([*PROPOSALS]) if choices.random() < FAULTY_SHARE else HONEST


class _Clients(threading.Thread):
    """Posts transactions to nodes in turn, whether they answer or not.

    Attributes:
        promised: ids that a node has accepted.
        refused_count: posts that were refused, or not answered.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__(name="clients", daemon=True)
        self._members = members
        self._stopping = threading.Event()
        self.promised: list[str] = []
        self.refused_count = 0

    def run(self) -> None:
        for number, member in zip(count(1), cycle(self._members), strict=False):
            if self._stopping.wait(PAUSE_S):
                return
            transaction = create(number)
            try:
                is_accepted = member.post(transaction.body, mode="async").status == 202
            except (OSError, HTTPException):
                is_accepted = False
            if is_accepted:
                self.promised.append(transaction.id)
            else:
                self.refused_count += 1

    def stop(self) -> None:
        self._stopping.set()
        self.join()


class _Chaos:
    """A network, what happens to it, and what was seen."""

    def __init__(self, network: Network, links: Links, orders: Orders, choices: random.Random) -> None:
        self._network = network
        self._orders = orders
        self._validators = network.members[:VALIDATOR_COUNT]
        self._links = links
        self._choices = choices
        self._clients = _Clients(network.members)
        self._next_cometbft = cycle(network.members)
        """In turn: a node gives up a CometBFT that ends too often."""
        self._faults: Counter[str] = Counter()
        self._waits_s: dict[str, list[float]] = {"while a fault lasts": [], "after it": []}
        self._log: Sequence[bytes] = ()
        self._lost: set[str] = set()
        self._records: set[Name] = set()

    def run(self, duration_s: float) -> None:
        """Cause one fault after the other."""
        faults: list[Callable[[], AbstractContextManager[Undisturbed]]] = [
            *(self._killed_node, self._killed_cometbft, self._killed_plugin, self._killed_check_process_or_reader),
            *(self._cut_off, self._broken_link, self._halves, self._killed_half),
        ]
        self._clients.start()
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            fault = self._choices.choice(faults)
            self._faults[fault.__name__.strip("_").replace("_", " ")] += 1
            with fault() as rest:
                if rest is None:
                    self._expect_standstill()
                else:
                    self._expect_progress(rest, "while a fault lasts")
                time.sleep(self._choices.uniform(0, FAULT_S_MAX))
            self._network.until_followed()
            self._expect_progress(self._network.members, "after it")
            self._compare()

    def finish(self) -> None:
        """Wait until the network is at rest, and see what every promise, log and plugin has become of."""
        self._clients.stop()
        kept = set(self._clients.promised)
        until(lambda: kept <= self._committed(), what="all that was accepted to be committed", within_s=END_S_MAX)
        self._log = self._network.until_equal()
        self._lost = kept - _transactions(self._log)
        for member in self._network:
            until(lambda: len(lines_of(member)) >= len(self._log), what="a plugin to get all", within_s=END_S_MAX)  # noqa: B023 it is called here
        self._network.until_same_tip()
        self._records = {record.name for record in records_of(self._network[0])}
        self._network.stop()

    def figures(self) -> list[Figure]:
        files = [lines_of(member) for member in self._network]
        kept = len(self._clients.promised)
        proposed = {one.name for one in self._orders.proposed()}
        waits = [
            figure
            for name, waits_s in self._waits_s.items()
            for figure in (
                Figure(
                    what=f"until all that should went on, {name}, p50", value=percentile(sorted(waits_s), 0.5), unit="s"
                ),
                Figure(what=f"{name}, most", value=max(waits_s), unit="s", limit=at_most(PROGRESS_S_MAX)),
            )
        ]
        return [
            Figure(what="faults", value=self._faults.total(), unit=""),
            *(Figure(what=f"of them: {name}", value=number, unit="") for name, number in sorted(self._faults.items())),
            *waits,
            Figure(what="heights", value=self._network[0].height(), unit=""),
            Figure(what="faulty proposals", value=len(proposed), unit=""),
            Figure(what="of them on record", value=len(self._records & proposed), unit=""),
            Figure(what="records of anything else", value=len(self._records - proposed), unit="", limit=at_most(0)),
            Figure(what="transactions accepted", value=kept, unit=""),
            Figure(what="posts refused or unanswered", value=self._clients.refused_count, unit=""),
            Figure(what="accepted and lost", value=len(self._lost), unit="", limit=at_most(0)),
            Figure(what="events of each node, equal", value=len(self._log), unit=""),
            Figure(
                what="events lost by a plugin",
                value=sum(len(set(self._log) - set(lines)) for lines in files),
                unit="",
                limit=at_most(0),
            ),
            Figure(
                what="plugins' files that are not the log, line by line",
                value=sum(lines != self._log for lines in files),
                unit="",
                limit=at_most(0),
            ),
        ]

    # Faults: each says who must go on while it lasts

    @contextmanager
    def _killed_node(self) -> Iterator[Undisturbed]:
        member = self._choices.choice(self._network.members)
        member.kill()
        yield self._without(member)
        member.launch()

    @contextmanager
    def _killed_cometbft(self) -> Iterator[Undisturbed]:
        member = next(self._next_cometbft)
        member.kill_cometbft()
        yield self._without(member)

    @contextmanager
    def _killed_plugin(self) -> Iterator[Undisturbed]:
        member = self._choices.choice(self._network.members)
        for pid in _plugin_pids(member):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        yield self._network.members

    @contextmanager
    def _killed_check_process_or_reader(self) -> Iterator[Undisturbed]:
        """Kill a check process of each node, the parent of these, or the reader: no vote is for what nobody checked."""
        for member in self._network:
            assert member.process is not None
            kill_a_helper(member.process.pid, self._choices)
        yield self._network.members

    @contextmanager
    def _cut_off(self) -> Iterator[Undisturbed]:
        member = self._choices.choice(self._network.members)
        rest = self._without(member)
        with self._cut([member], rest):
            yield rest

    @contextmanager
    def _broken_link(self) -> Iterator[Undisturbed]:
        one, other = self._choices.sample(self._network.members, 2)
        with self._cut([one], [other]):
            yield self._network.members  # the others pass on what they say

    @contextmanager
    def _halves(self) -> Iterator[Undisturbed]:
        half = self._choices.sample(self._validators, 2)
        with self._cut(half, self._without(*half)):
            yield None

    @contextmanager
    def _killed_half(self) -> Iterator[Undisturbed]:
        half = self._choices.sample(self._validators, 2)
        for member in half:
            member.kill()
        yield None
        for member in half:
            member.launch()

    @contextmanager
    def _cut(self, one: Sequence[Member], others: Sequence[Member]) -> Iterator[None]:
        how: Cut = self._choices.choice(("refused", "silent"))
        self._links.cut(one, others, how)
        try:
            yield
        finally:
            self._links.mend(one, others)

    def _without(self, *members: Member) -> list[Member]:
        return [one for one in self._network if one not in members]

    # What must hold

    def _expect_progress(self, members: Sequence[Member], when: str) -> None:
        """Wait until each of them has committed what nobody had before."""
        begin, last = time.monotonic(), self._height()
        until(
            lambda: all(member.height() > last for member in members),
            what=f"{len(members)} nodes to go beyond {last} {when}; faults so far: {self._faults}",
            within_s=PROGRESS_S_MAX,
        )
        self._waits_s[when].append(time.monotonic() - begin)

    def _expect_standstill(self) -> None:
        """Require that half of the power decides nothing."""
        time.sleep(GRACE_S)
        height = self._height()
        time.sleep(GRACE_S)
        assert self._height() == height, "two of four validators decided something"

    def _compare(self) -> None:
        """Require that all ran on, and that the logs agree where the shortest of them ends."""
        assert all(member.is_running for member in self._network), "a node has ended by itself"
        position = min(member.tip().position for member in self._network)
        digests = {_digest(member, position) for member in self._network}
        assert len(digests) == 1, f"the logs differ at {position}"

    def _height(self) -> int:
        return max(member.height() for member in self._network)

    def _committed(self) -> set[str]:
        return _transactions(self._network[0].events())


class _Event(msgspec.Struct):
    type: str
    data: msgspec.Raw


class _Id(msgspec.Struct):
    id: str


class _Block(msgspec.Struct):
    transactions: list[_Id]


class _Body(msgspec.Struct):
    block: _Block


def _transactions(log: Sequence[bytes]) -> set[str]:
    """Return the ids of all that is committed: an invalid block may hold anything."""
    events = map(msgspec.json.Decoder(_Event).decode, log)
    bodies = map(msgspec.json.Decoder(_Body).decode, (one.data for one in events if one.type == VALID))
    return {one.id for body in bodies for one in body.block.transactions}


def _digest(member: Member, position: int) -> bytes | None:
    with closing(sqlite3.connect(f"file:{member.data}/ledger.db?mode=ro", uri=True)) as connection:
        row = connection.execute("SELECT digest FROM events WHERE position = ?", (position,)).fetchone()
    return None if row is None else row[0]


def _plugin_pids(member: Member) -> list[int]:
    """Return the node's children but for its CometBFT and those that it has for itself."""
    assert member.process is not None
    cometbft = member.cometbft_pid()
    return [child for child in children_of(member.process.pid) if child != cometbft and not is_helper(child)]


def _keep_logs(network: Network) -> None:
    """Print the ends of all logs: the folder is removed."""
    for member in network:
        print(f"--- node {member.folder.name}\n{member.tail()}", file=sys.stderr, flush=True)
