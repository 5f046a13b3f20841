"""A backup of a node of a network is whole, and puts a node back without letting its key sign twice.

Source: docs/how-to/back-up.md; docs/explanation/network.md.
"""

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.engine.cometbft.copying import DATABASES
from tests.support.chains import create
from tests.support.live_networks import Member, Network, running_network

COUNT: Final = 4
BEFORE: Final = 20


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    with running_network(tmp_path / "net", COUNT) as made:
        yield made


@contextmanager
def busy(member: Member, first: int) -> Iterator[None]:
    """Let one client commit one transaction after the other."""
    ended = threading.Event()

    def work() -> None:
        serial = first
        while not ended.is_set():
            member.commit(create(serial))
            serial += 1

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


def restore(member: Member, backup: Path) -> Path:
    """Put a backup in the place of a node's data; give where those are now."""
    old = member.data.with_name("old")
    member.data.rename(old)
    shutil.copytree(backup, member.data)
    member.data.chmod(0o700)
    return old


def signed_height(member: Member) -> int:
    return int(json.loads(member.layout.validator_state.read_text())["height"])


def test_a_restored_node_has_the_same_events_and_signs_nothing_twice(network: Network, tmp_path: Path) -> None:
    """Made while blocks come, restored when the others are further: all that it missed comes again."""
    one, two, *_ = network
    one.commit(*(create(serial) for serial in range(BEFORE)))
    with busy(two, first=1_000):
        backup = backed_up(one, tmp_path / "backup")
        one.commit(create(BEFORE))
        one.kill()
    assert not list(backup.rglob("priv_validator*")), "neither what was signed last, nor a key of CometBFT's"
    assert {path.name for path in (backup / "cometbft/data").iterdir()} == set(DATABASES)
    assert {path.name for path in (backup / "cometbft/config").iterdir()} == {"genesis.json"}
    old = restore(one, backup)

    one.launch()
    assert one.wait() == 1
    assert "priv_validator_state.json` is missing, which says what this validator has signed" in one.log
    doctor = one.run("doctor")
    assert doctor.returncode == 1
    assert "bigchaindb network signed HEIGHT" in doctor.stdout

    shutil.copy(old / "cometbft/data/priv_validator_state.json", one.layout.validator_state)
    assert one.run("doctor").returncode == 0
    before = signed_height(one)
    network.start(one)
    one.commit(create(BEFORE + 1))
    network.until_equal(position=BEFORE + 2)
    assert signed_height(one) > before, "it votes again"


def test_where_what_was_signed_is_lost_a_person_says_from_where_it_may_sign(network: Network, tmp_path: Path) -> None:
    one, two, *_ = network
    one.commit(*(create(serial) for serial in range(BEFORE)))
    backup = backed_up(one, tmp_path / "backup")
    two.commit(create(BEFORE))
    one.kill()
    shutil.rmtree(restore(one, backup))
    height = json.loads(two.run("network", "status", "--json").stdout)["height"] + 1

    assert one.run("network", "signed", str(height)).returncode == 0
    assert signed_height(one) == height
    absurd = one.run("network", "signed", str(10**12))
    assert absurd.returncode == 1
    assert "the chain cannot have reached height 1000000000000" in absurd.stderr
    lower = one.run("network", "signed", str(height - 1))
    assert lower.returncode == 1
    assert f"says height {height}: it is never set back" in lower.stderr

    network.start(one)
    two.commit(create(BEFORE + 1), create(BEFORE + 2))
    network.until_equal(position=BEFORE + 3)


def test_a_new_node_begins_with_a_backup_of_another(network: Network, tmp_path: Path) -> None:
    """It takes from the others only what came since."""
    one, *_ = network
    one.commit(*(create(serial) for serial in range(BEFORE)))
    backup = backed_up(one, tmp_path / "backup", "--without-key")
    new = network.add()
    shutil.rmtree(new.data)
    shutil.copytree(backup, new.data)
    new.data.chmod(0o700)
    assert new.height() > 0
    network.start(new)
    one.commit(create(BEFORE))
    network.until_equal(position=BEFORE + 1)


def test_blocks_that_were_left_out_are_missed(network: Network, tmp_path: Path) -> None:
    """A copy that somebody made of the ledger alone: `doctor` says what to do, before CometBFT ends with a trace."""
    one, *_ = network
    one.commit(create(1))
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
