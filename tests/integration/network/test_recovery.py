"""Four nodes that die, stay away, lose their files and come back, while clients go on.

Source: docs/explanation/network.md; invariants E1, E2, L5.
"""

import http.client
import itertools
import json
import random
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.transaction import Transaction
from tests.support import scale
from tests.support.altered_node import altered
from tests.support.chains import Coin, create, transfer
from tests.support.live_networks import Network, running_network
from tests.support.members import PROGRESS_S, Member
from tests.support.node import COMMAND
from tests.support.processes import CHECKS_ENDED, kill_a_helper
from tests.support.small_disk import small_disk
from tests.support.waiting import until

COUNT: Final = 4
PAUSE_S: Final = 0.02
STALLED: Final = "nothing is decided: nodes of more than two thirds of the power must be connected"
STOP_S_MAX: Final = 30.0
COMMIT_COUNT_MAX: Final = 50
"""Commits until which a node that cannot go on must have noticed."""
DISK_BYTES: Final = 64 << 20
MEMPOOL_COUNT: Final = 10
SERIALS: Final = itertools.count()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Four validators, each with a plugin that writes every event to a file. Each test leaves all of them running."""
    with running_network(tmp_path_factory.mktemp("net"), COUNT, is_recorded=True) as made:
        yield made


def fresh() -> Transaction:
    """Make a transaction that no other test makes."""
    return create(next(SERIALS))


@dataclass
class Load:
    """Clients, one a node, who post as fast as they may and note what was accepted."""

    accepted: list[Transaction] = field(default_factory=list)

    @contextmanager
    def on(self, *members: Member) -> Iterator[None]:
        """Post until the end of the block."""
        ended = threading.Event()

        def post_to(member: Member) -> None:
            while not ended.wait(PAUSE_S):
                transaction = fresh()
                with suppress(OSError, http.client.HTTPException):
                    if member.post(transaction.body, mode="async").status == http.client.ACCEPTED:
                        self.accepted.append(transaction)

        threads = [threading.Thread(target=post_to, args=(member,)) for member in members]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def assert_all_have(network: Network, *transactions: Transaction) -> None:
    """Require transactions on all nodes, equal logs and ledgers, and plugins that got each event once."""
    network.until_everywhere(*transactions)
    network.until_same_tip()
    events = network.until_equal()
    for member in network:
        member.until_written(events)


@pytest.mark.timeout(120 + 20 * scale.NETWORK_KILLS)
def test_nothing_is_lost_whichever_node_is_killed_under_load(network: Network) -> None:
    """A node and its CometBFT at once, as a power cut ends them: what its client was told stays true.

    Meanwhile others lose check processes: they go on, and nobody hears of it.
    """
    seed = scale.seed()
    print(f"repeat it with: SEED={seed} pytest {__file__} -k under_load")
    chance = random.Random(seed)
    load = Load()
    marks = [len(member.log) for member in network]
    with load.on(*network):
        for _ in range(scale.NETWORK_KILLS):
            victim, *others = chance.sample(network.members, COUNT)
            for other in others:
                time.sleep(chance.uniform(0, 0.3))
                assert other.process is not None
                kill_a_helper(other.process.pid, chance)
            time.sleep(chance.uniform(0.1, 1.0))
            victim.kill()
            time.sleep(chance.uniform(0, 0.5))
            victim.launch()
            until(victim.answers, what="its ports")
    network.until_followed()
    assert len(load.accepted) > COUNT * scale.NETWORK_KILLS
    assert_all_have(network, *load.accepted)
    logs = [member.log[mark:] for member, mark in zip(network, marks, strict=True)]
    assert sum(len(CHECKS_ENDED.findall(log)) for log in logs) > scale.NETWORK_KILLS
    assert not any("critical" in log for log in logs)


def test_a_node_whose_cometbft_is_killed_serves_on_and_follows_again(network: Network) -> None:
    member = network[1]
    made = fresh()
    member.commit(made)
    pid = member.kill_cometbft()
    assert member.has(made)
    until(lambda: member.cometbft_pid() not in {None, pid}, what="another CometBFT")
    network.until_followed(member)
    made = fresh()
    member.commit(made)
    assert_all_have(network, made)


def test_a_node_that_was_away_gets_what_it_missed(network: Network) -> None:
    away = network[2]
    network.stop(away)
    made = [fresh() for _ in range(8)]
    for number, transaction in enumerate(made):
        network[(0, 1, 3)[number % 3]].commit(transaction)
    network.start(away)
    assert_all_have(network, *made)


def test_a_late_joiner_has_everything_and_takes_transactions(network: Network) -> None:
    """Also when it dies while it catches up; and it proves what was decided before it was there."""
    network[0].commit(fresh())
    with network.guest() as joiner:
        joiner.launch()
        until(partial(has_begun, joiner), what="the joiner to have a block")
        joiner.kill()
        network.start(joiner)
        made = fresh()
        joiner.commit(made)
        assert_all_have(network, made)
        assert joiner.rpc("status")["validator_info"]["voting_power"] == "0"
        first = json.loads(joiner.events()[0])["data"]["height"]
        assert joiner.get(f"blocks/{first}/proof").status == http.client.OK
        network.stop(joiner)


def has_begun(member: Member) -> bool:
    with suppress(sqlite3.OperationalError):  # its ledger is being made
        return member.height() > 0
    return False


def test_a_node_whose_disk_is_full_stops_and_goes_on_once_there_is_room(network: Network, tmp_path: Path) -> None:
    limits = {"disk_free_bytes_min": 1 << 20, "disk_free_bytes_warn": 2 << 20}
    with small_disk(tmp_path / "disk", size_bytes=DISK_BYTES) as disk:
        settings = {"database": {"path": str(disk.path / "data")}, "limits": limits}
        with network.guest(settings) as member:
            network.start(member)
            disk.fill()
            made: list[Transaction] = []
            while member.is_running:
                made.append(fresh())
                network[0].commit(made[-1])
                assert len(made) < COMMIT_COUNT_MAX, member.tail()
            assert member.wait() == 1
            last = member.log.splitlines()[-1]
            assert "the engine stopped" in last
            assert re.search("no space left|disk is full", last), last
            disk.make_room()
            network.start(member)
            assert_all_have(network, *made)
            network.stop(member)


def test_a_deleted_ledger_is_made_anew_byte_for_byte(network: Network) -> None:
    network[0].commit(fresh())
    events = network.until_equal()
    victim = network[3]
    network.stop(victim)
    victim.wipe()
    victim.written.unlink()
    network.start(victim)
    assert network.until_equal() == events
    assert_all_have(network)


def test_with_half_of_the_power_nothing_is_decided_and_nothing_accepted_is_lost(network: Network) -> None:
    """Reads go on; what is accepted now survives even the death of the only nodes that know of it."""
    known = fresh()
    network[0].commit(known)
    network.until_everywhere(known)
    network[2].kill()
    network[3].kill()
    waiting = [fresh() for _ in range(5)]
    for transaction in waiting:
        assert network[0].send(transaction, mode="async").status == http.client.ACCEPTED
    network[0].until_logged(STALLED)
    assert network[0].has(known)
    assert not any(member.has(one) for one in waiting for member in network.members[:2])
    assert network[0].get("statuses", transaction_id=waiting[0].id).json()["status"] in {"backlog", "undecided"}
    network[0].kill()
    network[1].kill()
    network.start()
    assert_all_have(network, *waiting)


def test_a_child_survives_its_node_though_its_parent_was_accepted_by_another(network: Network) -> None:
    """After the restart its node does not know the parent: neither from its ledger nor from its own clients."""
    network[2].kill()
    network[3].kill()
    parent = fresh()
    child = transfer(Coin(parent))
    assert network[0].send(parent, mode="async").status == http.client.ACCEPTED
    until(partial(is_taken, network[1], child), what="the other node to know the parent")
    network[0].kill()
    network[1].kill()
    network.start()
    assert_all_have(network, parent, child)


def is_taken(member: Member, transaction: Transaction) -> bool:
    return member.post(transaction.body, mode="async").status == http.client.ACCEPTED


def test_a_stop_is_quick_while_the_others_are_away(network: Network) -> None:
    network.stop(*network.members[1:])
    alone = network[0]
    assert alone.send(fresh(), mode="async").status == http.client.ACCEPTED
    began = time.monotonic()
    assert alone.stop() == 0
    assert time.monotonic() - began < STOP_S_MAX
    alone.launch()
    until(alone.answers, what="its ports")
    began = time.monotonic()
    assert alone.stop() == 0
    assert time.monotonic() - began < STOP_S_MAX
    network.start()


def test_a_node_that_computes_something_else_stops_and_says_where(network: Network) -> None:
    """The others go on without it; made anew from an empty ledger it is one of them again."""
    wrong = network[3]
    network.stop(wrong)
    wrong.command = altered("compute wrongly", 2)
    network.start(wrong)
    before = len(wrong.log)
    made: list[Transaction] = []
    while wrong.is_running:
        made.append(fresh())
        network[0].commit(made[-1])
        assert len(made) < COMMIT_COUNT_MAX, "it goes on"
    assert wrong.wait() == 1
    height = wrong.height()
    said = re.search(
        r"the engine stopped: CometBFT no longer takes part in consensus at height (\d+)", wrong.log[before:]
    )
    assert said, wrong.tail()
    assert int(said[1]) == height + 1, "the first whose header shows what it computed"
    network.until_equal(*network.members[:3])
    wrong.command = COMMAND
    wrong.wipe()
    wrong.written.unlink()
    network.start(wrong)
    assert_all_have(network, *made)


def test_a_full_mempool_loses_nothing_that_was_accepted(network: Network) -> None:
    network.stop()
    for member in network:
        member.command = altered("small mempool", MEMPOOL_COUNT)
    network.start()
    load = Load()
    with load.on(*network.members * 3):
        until(lambda: len(load.accepted) > 40 * MEMPOOL_COUNT, what="enough to be accepted", within_s=PROGRESS_S)
    assert_all_have(network, *load.accepted)
    until(lambda: any("mempool is full" in member.log for member in network), what="a mempool to be full")
    for member in network:
        member.command = COMMAND
