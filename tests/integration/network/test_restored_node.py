"""A backup of a node of a network is whole, and puts a node back without letting its key sign twice.

Source: docs/how-to/back-up.md; docs/explanation/network.md.
"""

import itertools
import json
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.engine.cometbft.copying import DATABASES
from bigchaindb.transaction import Transaction
from tests.support.chains import create
from tests.support.live_networks import Network, make_network, running_network
from tests.support.members import Member
from tests.support.servers import running
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)
COUNT: Final = 4
BEFORE: Final = 20
SERIALS: Final = itertools.count()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Four validators. Each test leaves all of them running, but for the last."""
    with running_network(tmp_path_factory.mktemp("net"), COUNT) as made:
        yield made


def fresh(count: int) -> list[Transaction]:
    """Make transactions that no other test makes."""
    return [create(serial) for serial in itertools.islice(SERIALS, count)]


def assert_all_have(network: Network, *transactions: Transaction) -> None:
    network.until_everywhere(*transactions)
    network.until_equal()


@contextmanager
def busy(member: Member) -> Iterator[None]:
    """Commit one transaction after the other until the end."""
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            member.commit(*fresh(1))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def backed_up(member: Member, target: Path, *options: str) -> Path:
    done = member.run("backup", str(target), *options)
    assert done.returncode == 0, done
    return target


def restore(member: Member, backup: Path) -> str:
    """Put a backup in the place of a node's data; return the command's output."""
    done = member.run("restore", str(backup))
    assert done.returncode == 0, done
    return done.stdout


def signed_height(member: Member) -> int:
    return int(json.loads(member.layout.validator_state.read_text())["height"])


def test_a_restored_node_has_the_same_events_and_signs_nothing_twice(network: Network, tmp_path: Path) -> None:
    """Made while blocks come, restored when the others are further: all that it missed comes again."""
    one, two, *_ = network
    one.commit(*fresh(BEFORE))
    with busy(two):
        backup = backed_up(one, tmp_path / "backup")
        (missed,) = fresh(1)
        one.commit(missed)
        one.kill()
    assert not list(backup.rglob("priv_validator*")), "neither what was signed last, nor a key of CometBFT's"
    assert {path.name for path in (backup / "cometbft/data").iterdir()} == set(DATABASES)
    assert {path.name for path in (backup / "cometbft/config").iterdir()} == {"genesis.json"}
    before = signed_height(one)
    assert "The record of what this node's key has signed was taken over" in restore(one, backup)
    assert signed_height(one) == before
    fine = one.run("doctor")
    assert fine.returncode == 0, fine.stdout
    network.start(one)
    (newest,) = fresh(1)
    one.commit(newest)
    assert_all_have(network, missed, newest)
    assert signed_height(one) > before, "it votes again"


def test_where_what_was_signed_is_lost_a_person_says_from_where_it_may_sign(network: Network, tmp_path: Path) -> None:
    two, one, *_ = network
    one.commit(*fresh(BEFORE))
    backup = backed_up(one, tmp_path / "backup")
    missed = fresh(1)
    two.commit(*missed)
    one.kill()
    shutil.rmtree(one.data)
    assert "`bigchaindb network signed HEIGHT`" in restore(one, backup)
    one.launch()
    assert one.wait() == 1
    assert "priv_validator_state.json` is missing, the record of this validator's last signature" in one.log
    doctor = one.run("doctor")
    assert doctor.returncode == 1
    assert "bigchaindb network signed HEIGHT" in doctor.stdout
    height = json.loads(two.run("network", "status", "--json").stdout)["height"] + 1

    assert one.run("network", "signed", str(height)).returncode == 0
    assert signed_height(one) == height
    absurd = one.run("network", "signed", str(10**12))
    assert absurd.returncode == 1
    assert "the chain cannot have reached height 1000000000000" in absurd.stderr
    lower = one.run("network", "signed", str(height - 1))
    assert lower.returncode == 1
    assert f"has height {height}, and it is never set back" in lower.stderr

    network.start(one)
    newest = fresh(2)
    two.commit(*newest)
    assert_all_have(network, *missed, *newest)


def test_a_new_node_begins_with_a_backup_of_another(network: Network, tmp_path: Path) -> None:
    """It takes from the others only what came since."""
    one, *_ = network
    one.commit(*fresh(BEFORE))
    backup = backed_up(one, tmp_path / "backup", "--without-key")
    with network.guest() as new:
        shutil.rmtree(new.data)
        new.configuration.write_text(json.dumps(new.settings))
        restore(new, backup)
        assert new.height() > 0
        network.start(new)
        newest = fresh(1)
        one.commit(*newest)
        assert_all_have(network, *newest)


def test_blocks_that_were_left_out_are_missed(network: Network, tmp_path: Path) -> None:
    """A copy that somebody made of the ledger alone: `doctor` says what to do, before CometBFT ends with a trace."""
    one, *_ = network
    one.commit(*fresh(1))
    network.stop(one)
    for name in DATABASES:
        shutil.rmtree(one.layout.blocks / name)
    doctor = one.run("doctor")
    assert doctor.returncode == 1
    assert "CometBFT's blocks are missing" in doctor.stdout
    assert one.run("backup", str(tmp_path / "copy")).returncode == 0
    assert one.run("-y", "drop").returncode == 0
    network.start(one)
    network.until_equal()


def lose_disk(member: Member, network: Network) -> None:
    """Keep its key and its configuration, and join anew as its operator does."""
    member.kill()
    shutil.rmtree(member.data)
    genesis = network.folder / "genesis.json"
    genesis.write_bytes(network.genesis.encode())
    joined = member.run("network", "join", str(genesis))
    assert joined.returncode == 0, joined


def has_blocks(member: Member) -> bool:
    with suppress(sqlite3.OperationalError):  # the file is not there yet, or its tables are not
        return member.height() > 1
    return False


def test_a_validator_that_lost_its_disk_does_not_vote_before_a_person_has_looked(network: Network) -> None:
    """It may have voted on the very next height. No moment of a kill lets its key sign."""
    two, _, one, _ = network
    two.commit(*fresh(BEFORE))
    lose_disk(one, network)
    for _ in range(2):  # killed as soon as it has blocks, and while it starts anew
        one.launch()
        until(partial(has_blocks, one), what="it to catch up", within_s=60)
        one.kill()
        key = one.layout.validator_key.read_text()
        assert one.address.upper() not in key, "CometBFT never had the key"
    one.launch()
    assert one.wait() == 1
    said = re.search(r"key has signed block (\d+) of this chain, .*`bigchaindb network signed (\d+)`", one.log)
    assert said is not None, one.tail()
    signed, height = int(said[1]), int(said[2])
    assert signed <= height - 1 == one.height()
    one.launch()
    assert one.wait() == 1
    assert "priv_validator_state.json` is missing, the record of this validator's last signature" in one.log
    assert one.run("doctor").returncode == 1

    assert one.run("network", "signed", str(height)).returncode == 0
    network.start(one)
    newest = fresh(3)
    two.commit(*newest)
    assert_all_have(network, *newest)
    until(lambda: signed_height(one) > height, what="it to vote again")


def test_whoever_founded_the_network_alone_is_no_exception(tmp_path: Path) -> None:
    """Others follow it, and may have been elected since: they have the chain that its lost disk had."""
    made = make_network(tmp_path / "net", 1)
    one, two = made[0], made.add()
    one.settings["network"]["peers"] = [two.peer]
    with running(made):
        one.commit(*fresh(BEFORE))
        made.until_equal(position=BEFORE)
        lose_disk(one, made)
        one.launch()
        assert one.wait() == 1
        assert "this validator's key has signed block" in one.log, one.tail()


def test_an_older_record_of_what_was_signed_is_found_out(network: Network) -> None:
    """The how-to forbids it, and a snapshot of a disk does it all the same."""
    two, *_, one = network
    one.commit(*fresh(1))
    network.stop(one)
    older = one.layout.validator_state.read_bytes()
    network.start(one)
    one.commit(*fresh(BEFORE))
    network.stop(one)
    one.layout.validator_state.write_bytes(older)
    one.forget_ledger()
    one.forget_blocks()
    one.launch()
    assert one.wait() == 1
    assert "the chain has a signature of this node's key at height" in one.log
    assert one.layout.validator_state.read_bytes() == older, "it has signed nothing meanwhile"
    assert two.get("").status == 200
