"""What happens on a network with a faulty validator, and what is left of it."""

import random
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bigchaindb.ledger.network import Support
from bigchaindb.ledger.rejections import Rejection
from tests.support import byzantine_node, consensus_wal, scale
from tests.support.byzantine_node import COIN, EXTENSIONS, PROPOSALS, SPENT, Name, Proposed
from tests.support.chains import create
from tests.support.installed import CHECKOUT
from tests.support.live_networks import Network, make_network
from tests.support.members import Member
from tests.support.networks import kept_proof
from tests.support.processes import kill_a_helper
from tests.support.waiting import until, whole_lines

BYZANTINE: Final = 3
KILLED: Final = 1
WIPED: Final = 2
ATTEMPTS: Final = 8
IDLE_COUNT: Final = 4
EVENT_S_MAX: Final = 30.0
"""From a faulty proposal on an idle chain to its event: about half a second on a machine that is not busy."""
SILENCE_S: Final = 1.5
LAST_HEIGHTS: Final = 6
"""So many heights after its last faulty proposal an idle chain is silent at the latest."""


@dataclass(frozen=True)
class Record:
    """An event about an invalid block, and what proves it."""

    position: int
    rejection: Rejection
    support: Sequence[Support]
    encoded: bytes

    @property
    def name(self) -> Name:
        """Which proposal it is about."""
        return self.rejection.height, self.rejection.body


@dataclass(frozen=True)
class Idle:
    """What happened to a faulty proposal on a chain without traffic."""

    proposed: Proposed
    event_s: float
    silent_height: int
    is_lonely: bool


@dataclass(frozen=True)
class Story:
    """All that is left when it is over: every node has stopped."""

    network: Network
    proposed: Sequence[Proposed]
    interrupted: Proposed
    unseen: Proposed
    log: Sequence[bytes]
    records: Sequence[Record]
    proofs: Mapping[int, bytes]
    idle: Sequence[Idle]
    logs_of_consensus: Mapping[int, Sequence[consensus_wal.Seen]]

    def body(self, position: int) -> bytes:
        """Return the body of an event."""
        return bytes(msgspec.json.decode(self.log[position - 1], type=dict[str, msgspec.Raw])["data"])

    @property
    def faults(self) -> Mapping[Name, str]:
        """The fault by the proposal's name."""
        return {one.name: one.fault for one in self.proposed}


class Orders:
    """What the faulty validator is told to do, and what it did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def give(self, name: str, *lines: str) -> None:
        fresh = self.folder / "fresh"
        fresh.write_text("".join(f"{line}\n" for line in lines))
        fresh.rename(self.folder / name)

    def are_carried_out(self) -> bool:
        return not (self.folder / "proposals").read_text()

    def proposed(self) -> list[Proposed]:
        path = self.folder / "proposed"
        return [msgspec.json.decode(line, type=Proposed) for line in whole_lines(path)]


def records_of(member: Member) -> list[Record]:
    """Read the proofs of invalid blocks in a node's ledger."""
    with closing(sqlite3.connect(f"file:{member.data}/ledger.db?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT position, body FROM proofs ORDER BY position").fetchall()
    proofs = [(position, kept_proof(body), body) for position, body in rows]
    return [Record(position, proof.rejection, proof.support, body) for position, proof, body in proofs]


def faults_on_record(member: Member, orders: Orders) -> Counter[str]:
    faults = {one.name: one.fault for one in orders.proposed()}
    return Counter(faults[record.name] for record in records_of(member))


def trade(member: Member, numbers: Iterator[int]) -> None:
    member.commit(create(next(numbers)))
    time.sleep(0.05)


def break_each_rule(network: Network, orders: Orders, numbers: Iterator[int]) -> None:
    """Put each fault to the vote until each is on record: one that came too late to be judged is not.

    Meanwhile who votes loses check processes, of which no vote comes and none is changed.
    """
    choices = random.Random(scale.seed())
    for _ in range(ATTEMPTS):
        missing = sorted(PROPOSALS.keys() - faults_on_record(network[0], orders).keys())
        orders.give("proposals", *missing)
        orders.give("extensions", *EXTENSIONS, *EXTENSIONS)
        while not orders.are_carried_out():
            trade(network[0], numbers)
            victim = choices.choice(network.members[:BYZANTINE]).process
            assert victim is not None
            kill_a_helper(victim.pid, choices)
        until_silent(network[0])
        if faults_on_record(network[0], orders).keys() == PROPOSALS.keys():
            return
    raise AssertionError(f"not on record: {missing}")


def go_on_without_one(network: Network, orders: Orders, numbers: Iterator[int]) -> tuple[Proposed, Proposed]:
    """Kill an honest validator at a faulty proposal and restart it; return that proposal, and one that it missed."""
    orders.give("proposals", "malformed", "bad_signature", "votes_without_news", "double_spend_within", "not_canonical")
    orders.give("extensions")
    interrupted = trade_until_next(orders, network[0], numbers)
    network[KILLED].kill()
    unseen = trade_until_next(orders, network[0], numbers)
    while network[0].height() <= unseen.name[0]:
        trade(network[0], numbers)
    network.start(network[KILLED])
    while not orders.are_carried_out():
        trade(network[KILLED], numbers)
    return interrupted, unseen


def trade_until_next(orders: Orders, member: Member, numbers: Iterator[int]) -> Proposed:
    known = len(orders.proposed())
    while not (fresh := orders.proposed()[known:]):
        trade(member, numbers)
    return fresh[-1]


def until_silent(member: Member) -> int:
    """Wait until no height follows for a while; return the last."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < SILENCE_S:
        if (height := member.height()) != last:
            last, since = height, time.monotonic()
        time.sleep(0.05)
    return last


def fail_on_idle_chain(network: Network, orders: Orders, numbers: Iterator[int]) -> Idle:
    """Spoil the proposal of a transaction's block, or of the empty one after it; nothing comes after that."""
    until_silent(network[0])
    known = len(records_of(network[0]))
    proposed = propose_on_idle_chain(network[0], orders, numbers)
    begin = time.monotonic()
    until(lambda: len(records_of(network[0])) > known, what="the event", every_s=0.02)
    event_s = time.monotonic() - begin
    silent_height = until_silent(network[0])
    is_lonely = not network[0].get(f"blocks/{proposed.name[0]}").json()["transactions"]
    return Idle(proposed, event_s, silent_height, is_lonely)


def propose_on_idle_chain(member: Member, orders: Orders, numbers: Iterator[int]) -> Proposed:
    """Commit single transactions until one of the two blocks that each brings was the faulty validator's turn."""
    orders.give("proposals", "double_spend_of_committed")
    known = len(orders.proposed())
    while True:
        member.post(create(next(numbers)).body, mode="async")
        end = time.monotonic() + SILENCE_S
        while time.monotonic() < end:
            if fresh := orders.proposed()[known:]:
                return fresh[0]
            time.sleep(0.01)


def make_faulty_network(folder: Path, orders: Orders) -> Network:
    """Make a network of four validators, the last of them faulty, and a node that only follows; start nothing."""
    command = (sys.executable, "-m", "tests.support.byzantine_node")
    network = make_network(folder / "nodes", BYZANTINE + 1, commands={BYZANTINE: command})
    network[BYZANTINE].environment = {"PYTHONPATH": str(CHECKOUT), byzantine_node.FOLDER: str(orders.folder)}
    network.add()
    return network


def tell(network: Network, orders: Orders, numbers: Iterator[int]) -> Story:
    network.start()
    network[0].commit(COIN.transaction, SPENT)
    break_each_rule(network, orders, numbers)
    interrupted, unseen = go_on_without_one(network, orders, numbers)
    idle = [fail_on_idle_chain(network, orders, numbers) for _ in range(IDLE_COUNT)]
    joined = network.add()
    write_events(joined)
    network.start(joined)
    network.stop(network[WIPED])
    logs_of_consensus = {WIPED: wal_of(network[WIPED])}
    network[WIPED].wipe()
    network.start(network[WIPED])
    log = network.until_equal(position=len(network[0].events()))
    for member in network:
        until(lambda member=member: len(lines_of(member)) == len(log), what="all events in the plugin's file")  # type: ignore[misc]
    network.until_same_tip()
    records = records_of(network[0])
    proofs = {one.position: network[0].get(f"events/{one.position}/proof").body for one in records}
    network.stop()
    logs_of_consensus |= {number: wal_of(network[number]) for number in range(5) if number != WIPED}
    return Story(network, orders.proposed(), interrupted, unseen, log, records, proofs, idle, logs_of_consensus)


def write_events(member: Member) -> None:
    """Write all events of a node into a file, by the plugin `file`."""
    options = {"path": str(member.folder / "events.jsonl")}
    member.settings = {**member.settings, "events_plugins": {"file": {"start": "genesis", "options": options}}}


def lines_of(member: Member) -> list[bytes]:
    path = member.folder / "events.jsonl"
    return path.read_bytes().splitlines() if path.exists() else []


def wal_of(member: Member) -> list[consensus_wal.Seen]:
    return consensus_wal.read(member.layout.wal)
