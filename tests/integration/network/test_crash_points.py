"""A network of one, whose node or CometBFT dies at every point where something is half done.

One validator decides alone, so nobody else can help it: what it has after a restart is what its own files say.

Source: docs/explanation/network.md; invariants E1, E2, L3, L5.
"""

import http.client
import itertools
import json
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.store.own import Outbox
from bigchaindb.store.store import Store
from bigchaindb.transaction import Transaction
from tests.support import scale
from tests.support.altered_node import DEATH, altered
from tests.support.chains import Coin, create, transfer
from tests.support.cometbft import require_cometbft
from tests.support.live_networks import Network, make_network
from tests.support.members import Member
from tests.support.node import COMMAND
from tests.support.small_disk import small_disk
from tests.support.waiting import until

POINTS: Final = ("die before finalize", "die after finalize", "die before commit", "die after commit")
FAILURE_POINTS: Final = range(9)
"""Of CometBFT v0.38 in the course of a block, in the order in which it comes by them."""
STOP_S_MAX: Final = 30.0
DISK_BYTES: Final = 128 << 20
DISK_ROOM: Final = 40 << 20

FAILING: Final = """\
#!/bin/sh
# The next start dies at the failure point that the file names; the one after it is a usual one.
if [ "$1" = start ] && [ -f {point} ]; then
    FAIL_TEST_INDEX=$(cat {point})
    export FAIL_TEST_INDEX
    rm {point}
fi
exec {program} "$@"
"""
DEAF: Final = """\
#!/bin/sh
if [ "$1" = start ]; then
    trap "" TERM
    {program} "$@" &
    while :; do sleep 1; done
fi
exec {program} "$@"
"""


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """One validator, whose plugin writes every event to a file; not started."""
    made = make_network(tmp_path, 1)
    made[0].write_events()
    try:
        yield made
    finally:
        made.kill()


def use_program(member: Member, text: str, **values: object) -> None:
    """Start another program in the place of CometBFT, which leads to it in the end."""
    program = member.folder / "cometbft.sh"
    program.write_text(text.format(program=require_cometbft(), **values))
    program.chmod(0o700)
    member.settings["network"]["cometbft"] = str(program)


def post_until_death(member: Member, transactions: Iterator[Transaction]) -> list[Transaction]:
    """Post one after the other until the node has died; return those that it has accepted, committed or not."""
    accepted: list[Transaction] = []
    for transaction, mode in zip(transactions, itertools.cycle(("commit", "async")), strict=False):
        if not member.is_running:
            break
        with suppress(OSError, http.client.HTTPException):
            if member.post(transaction.body, mode=mode).status == http.client.ACCEPTED:
                accepted.append(transaction)
    return accepted


def assert_log_is_whole(member: Member, transactions: Sequence[Transaction]) -> None:
    """Require the log to have no gap and each transaction once, and the plugin to have got just that."""
    until(lambda: member.has(*transactions), what="what was accepted to be committed")
    events = member.events()
    documents = [json.loads(event) for event in events]
    assert [int(one["sequence"]) for one in documents] == list(range(1, len(events) + 1))
    logged = [one["id"] for document in documents for one in document["data"]["block"]["transactions"]]
    assert len(set(logged)) == len(logged)
    assert {one.id for one in transactions} <= set(logged)
    member.until_written(events)


@pytest.mark.parametrize("point", POINTS)
def test_what_was_accepted_is_logged_once_wherever_the_node_dies(network: Network, point: str) -> None:
    (member,) = network
    serials = map(create, itertools.count())
    member.command = altered(point, 4)
    network.start()
    accepted = post_until_death(member, serials)
    assert member.wait() == DEATH
    assert accepted
    member.command = COMMAND
    network.start()
    more = next(serials)
    member.commit(more)
    assert_log_is_whole(member, [*accepted, more])
    network.stop()


def test_what_was_accepted_is_logged_once_wherever_cometbft_dies(network: Network) -> None:
    """The node lives on, starts it again, and no client notices.

    Between two deaths there is a block: CometBFT that dies twice in a row may have lost what it needs to sign again,
    and a validator that is alone then waits for ever.
    """
    (member,) = network
    serials = map(create, itertools.count())
    point = member.folder / "failure-point"
    use_program(member, FAILING, point=point)
    accepted: list[Transaction] = []
    for index in FAILURE_POINTS:
        deaths = member.log.count(f"fail-test {index}")
        point.write_text(f"{index}\n")
        network.start()
        while member.log.count(f"fail-test {index}") == deaths:
            accepted.append(next(serials))
            member.commit(accepted[-1])
        accepted.append(next(serials))
        member.commit(accepted[-1])
        network.stop()
        assert not point.exists()
    network.start()
    assert_log_is_whole(member, accepted)


def lose_ledger(member: Member) -> None:
    """Delete ledger.db alone: node.db, lanes and CometBFT's blocks stay."""
    for path in member.data.glob("ledger.db*"):
        path.unlink()


@pytest.mark.parametrize("dies", [False, True], ids=["at once", "killed meanwhile"])
def test_e5_a_ledger_that_is_lost_is_made_again_from_the_blocks(network: Network, *, dies: bool) -> None:
    """The same events at the same positions, so that plugins go on where they were; but only if a person says so."""
    (member,) = network
    network.start()
    member.commit(*map(create, range(20)))
    events, tip = member.events(), member.tip()
    member.until_written(events)
    network.stop()
    lose_ledger(member)
    member.launch()
    assert member.wait() == 1
    assert "`bigchaindb start --replay` makes it again from CometBFT's blocks" in member.log[member.log_start :]
    assert not (member.data / "ledger.db").exists()

    member.launch("--replay")
    if dies:
        member.until_logged("the ledger is made again", since=member.log_start)
        member.kill()
        member.launch()  # it goes on with it, unasked
    network.until_followed()
    member.until_logged("the ledger is whole again", since=member.log_start)
    assert member.events() == events
    assert (member.tip().app_hash, member.tip().digest) == (tip.app_hash, tip.digest)
    member.commit(create(20))
    member.until_written(member.events())  # each event once: nothing came again
    network.stop()
    member.launch("--replay")  # where no ledger is lost it is a usual start
    network.until_followed()
    network.stop()


def test_p8_a_ledger_made_again_lets_no_plugin_begin_anew_by_itself(network: Network) -> None:
    """Where node.db is lost, too, nobody knows where the plugins were."""
    (member,) = network
    network.start()
    member.commit(*map(create, range(5)))
    events = member.events()
    network.stop()
    member.forget_ledger()
    member.written.unlink()
    member.launch("--replay")
    network.until_followed()
    assert member.events() == events
    member.until_logged(re.compile("not started.* plugin=file state=GAPPED"), since=member.log_start)
    assert member.run("plugins", "seek", "file", "genesis").returncode == 0
    member.until_written(events)
    network.stop()


def test_a_ledger_is_not_made_again_where_it_would_sign_twice(network: Network) -> None:
    (member,) = network
    network.start()
    member.commit(create(1))
    network.stop()
    lose_ledger(member)
    member.layout.validator_state.unlink()
    member.launch("--replay")
    assert member.wait() == 1
    assert "`bigchaindb network signed HEIGHT`" in member.log[member.log_start :]
    assert member.run("network", "signed", "2").returncode == 0
    member.launch("--replay")
    member.until_logged("the ledger is whole again", since=member.log_start)
    member.kill()

    lose_ledger(member)
    dropped = member.run("-y", "drop")
    assert dropped.returncode == 0
    assert "ledger.db is missing; the rest of it is deleted" in dropped.stderr
    assert "CometBFT's blocks are deleted, too" in dropped.stderr
    assert not (member.layout.blocks / "blockstore.db").exists()
    assert member.layout.validator_state.exists(), "what was signed stays"


def test_a_start_on_a_full_disk_serves_reads_until_there_is_room(tmp_path: Path) -> None:
    """CometBFT ends where it finds no room, and its node would with it, again and again."""
    with small_disk(tmp_path / "disk", size_bytes=DISK_BYTES) as disk:
        network = make_network(disk.path / "net", 1)
        (member,) = network
        try:
            member.settings = {**member.settings, "limits": {"disk_free_bytes_min": DISK_ROOM}}
            network.start()
            made = create(1)
            member.commit(made)
            network.stop()
            disk.fill()
            member.launch()
            until(member.answers, what="a node on a full disk to answer")
            member.until_logged("the disk is full, CometBFT waits for room to start", since=member.log_start)
            assert member.has(made)
            refused = member.post(create(2).body)
            assert refused.status == http.client.SERVICE_UNAVAILABLE
            assert "the disk is full: " in refused.json()["message"]
            disk.make_room()
            network.until_followed()
            member.commit(create(2))
            network.stop()
        finally:
            network.kill()


def test_a_ledger_ahead_of_the_blocks_is_refused_with_the_reason(network: Network) -> None:
    """As when only CometBFT's folder was restored from a backup."""
    (member,) = network
    network.start()
    member.commit(create(1))
    network.stop()
    blocks = member.layout.validator_state.parent
    shutil.copytree(blocks, member.folder / "old")
    network.start()
    member.commit(create(2), create(3))
    network.stop()
    signed = member.layout.validator_state.read_bytes()
    shutil.rmtree(blocks)
    shutil.copytree(member.folder / "old", blocks)
    member.layout.validator_state.write_bytes(signed)
    assert_refuses_to_run(member, "is higher than core")


def test_a_ledger_without_blocks_is_refused_with_the_reason(network: Network) -> None:
    (member,) = network
    network.start()
    member.commit(create(1), create(2))
    network.stop()
    member.forget_blocks()
    assert_refuses_to_run(member, "AppHash does not match AppHash after replay. Got [0-9A-F]{64}, expected ")


def assert_refuses_to_run(member: Member, reason: str) -> None:
    before = len(member.log)
    member.launch()
    assert member.wait() == 1
    said = [line for line in member.log[before:].splitlines() if "the engine stopped" in line]
    assert said, member.tail()
    assert re.search(reason, said[-1]), said
    assert "do not belong together" in said[-1], said
    assert len(re.findall("CometBFT started", member.log[before:])) == 1, "each further start would end the same way"


def test_a_stop_is_quick_while_cometbft_starts(network: Network) -> None:
    (member,) = network
    network.start()
    network.stop()
    for _ in range(3):
        member.launch()
        until(member.answers, what="the ports")
        assert_stops_soon(member)


def accept_unseen(member: Member, *transactions: Transaction) -> None:
    """Put transactions where a node that died left those that it had accepted."""
    with closing(Store(member.data)) as store:
        Outbox(store.node).put([(one.id, one.body) for one in transactions])


def outbox(member: Member) -> list[str]:
    with closing(Store(member.data)) as store:
        return [id_ for id_, _ in Outbox(store.node).all()]


def said_of(member: Member, transaction: Transaction) -> str:
    return str(member.get("statuses", transaction_id=transaction.id).json())


def test_a_child_whose_parent_never_comes_is_given_up(network: Network) -> None:
    """Nobody can commit it; kept for ever it would be submitted for ever."""
    (member,) = network
    network.start()
    network.stop()
    parent = create(1)
    child, late = transfer(Coin(create(2))), transfer(Coin(parent))
    accept_unseen(member, child, late)
    member.command = altered("give up soon", 1)
    network.start()
    member.commit(parent)
    until(lambda: member.has(late), what="the child whose parent came to be committed")
    until(lambda: "rejected (InputDoesNotExist)" in said_of(member, child), what="the other to be given up")
    assert not member.has(child)
    for end in (network.kill, network.stop):  # P21: whatever ends it then, it is told once
        end()
        assert outbox(member) == []
        network.start()
        assert [event["subject"] for event in member.get("rejected").json()["events"]] == [child.id]


def test_a_stop_is_quick_while_what_was_accepted_is_checked_again(network: Network) -> None:
    """It is no failure, and what is left waits for the next start."""
    (member,) = network
    network.start()
    network.stop()
    waiting = [create(number) for number in range(scale.OUTBOX_TRANSACTIONS)]
    accept_unseen(member, *waiting)
    member.launch()
    until(member.answers, what="the ports")
    assert_stops_soon(member)
    assert len(outbox(member)) == scale.OUTBOX_TRANSACTIONS
    network.start()
    until(lambda: member.has(*waiting[::100], waiting[-1]), what="all of it to be committed")


def test_a_stop_is_quick_though_cometbft_is_deaf(network: Network) -> None:
    (member,) = network
    use_program(member, DEAF)
    network.start()
    assert_stops_soon(member)
    until(lambda: member.cometbft_pid() is None, what="CometBFT to be gone")


def assert_stops_soon(member: Member) -> None:
    began = time.monotonic()
    assert member.stop() == 0, member.tail()
    assert time.monotonic() - began < STOP_S_MAX
