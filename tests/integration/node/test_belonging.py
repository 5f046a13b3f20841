"""What lies in a data directory belongs together, or the node does not start; and one directory has one node.

Source: docs/decisions/0042; docs/reference/promises.md, E2, P8.
"""

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.key_files import keypair_document, new_keypair
from tests.conftest import StartNode
from tests.support.chains import create
from tests.support.node import START_S, Node

END_S: Final = 60.0
"""A node looks each second; more than that is the machine's."""


@pytest.fixture
def stopped(start_node: StartNode) -> Node:
    """A node with one committed transaction, stopped."""
    node = start_node()
    assert node.post(create(1).body).status == 202
    assert node.stop() == 0
    return node


def refused(node: Node) -> str:
    """Require that it does not start, and that `doctor` has the same sentence; return that."""
    before = len(node.log)
    node.launch()
    assert node.process is not None
    assert node.process.wait(START_S) == 1
    said = node.log[before:].strip().splitlines()[-1]
    assert said.startswith("bigchaindb: "), said
    assert "Listening" not in node.log[before:], "no port was opened"
    sentence = said.removeprefix("bigchaindb: ")
    doctor = node.run("doctor", "--json")
    assert doctor.returncode == 1
    texts = [one["text"] for one in json.loads(doctor.stdout)["findings"] if one["status"] == "fix"]
    assert sentence in texts
    return sentence


def remove_lanes_alone(data: Path) -> None:
    """Leave a lane's page as the only proof."""
    (data / "lanes").mkdir(exist_ok=True)
    (data / "lanes" / "auditor.1").write_bytes(b"page")
    (data / "node.db").unlink()


def test_e2_a_blank_database_in_the_ledgers_place_is_no_new_ledger(stopped: Node) -> None:
    """It is a sound file of SQLite, so nothing else would find it."""
    ledger = stopped.data / "ledger.db"
    ledger.unlink()
    with closing(sqlite3.connect(ledger)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE t (a); DROP TABLE t")
    sentence = refused(stopped)
    assert "ledger.db` holds no ledger, and `node.db` shows that there was one" in sentence
    assert "bigchaindb restore DIR" in sentence
    assert "bigchaindb drop" in sentence
    assert stopped.run("-y", "drop").returncode == 0
    stopped.start()
    assert stopped.stop() == 0


@pytest.mark.parametrize(
    ("damage", "proof"),
    [(lambda _: None, "`node.db`"), (remove_lanes_alone, "`lanes/auditor.1`")],
    ids=["node.db", "a lane's page"],
)
def test_e2_a_ledger_that_is_lost_is_not_begun_anew(stopped: Node, damage: Callable[[Path], None], proof: str) -> None:
    """An empty history under the old chain id would give new events the ids of those that consumers have seen."""
    chain = (stopped.data / "chain_id").read_text()
    (stopped.data / "ledger.db").unlink()
    damage(stopped.data)
    sentence = refused(stopped)
    assert f"ledger.db` is missing, and {proof} shows that there was a ledger" in sentence
    assert "bigchaindb restore DIR" in sentence
    assert "bigchaindb drop" in sentence
    assert "--replay" not in sentence, "a node that decides alone has nothing to replay"
    assert not (stopped.data / "ledger.db").exists()
    replayed = stopped.run("start", "--replay")
    assert replayed.returncode == 1
    assert "--replay: CometBFT does not have every block of the ledger here" in replayed.stderr
    listed = stopped.run("plugins", "list")
    assert (listed.returncode, listed.stderr.strip().splitlines()[-1]) == (1, f"bigchaindb: {sentence}")
    for command in (["init"], ["network", "init", "--validators", os.devnull]):
        assert stopped.run(*command).returncode == 1
        assert not (stopped.data / "ledger.db").exists()

    dropped = stopped.run("-y", "drop")
    assert dropped.returncode == 0
    assert "ledger.db is missing; the rest of it is deleted" in dropped.stderr
    assert {path.name for path in stopped.data.iterdir()} == {"lock", "keypair.json"}
    assert "does not exist" in stopped.run("-y", "drop").stderr
    stopped.start()
    assert (stopped.data / "chain_id").read_text() != chain
    assert stopped.stop() == 0


def test_an_empty_file_is_no_ledger(stopped: Node) -> None:
    """A copy that was cut short, or a disk that lost what was written, leaves one."""
    os.truncate(stopped.data / "ledger.db", 0)
    assert "`node.db` shows that there was a ledger" in refused(stopped)


def test_a_key_pair_and_a_chain_id_alone_prove_nothing(stopped: Node) -> None:
    """`network id` and `init` make them before there is a ledger, and a crash may come in between."""
    for path in stopped.data.iterdir():
        if path.name not in {"keypair.json", "chain_id", "lock"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    stopped.start()
    assert stopped.stop() == 0


def test_a_ledger_whose_key_is_lost_is_not_signed_by_another(stopped: Node) -> None:
    key = stopped.data / "keypair.json"
    kept = key.read_text()
    key.unlink()
    sentence = refused(stopped)
    assert "keypair.json` is missing" in sentence
    assert "Name the configuration that holds the key with -c" in sentence
    assert not key.exists(), "none is made"

    stopped.settings = {**stopped.settings, "keypair": json.loads(kept)}
    stopped.start()
    assert stopped.stop() == 0
    stopped.settings = {name: value for name, value in stopped.settings.items() if name != "keypair"}

    assert stopped.run("keys", "new", "--output", str(key)).returncode == 0, "the way on that the sentence names"
    stopped.start()
    assert stopped.stop() == 0


@pytest.mark.parametrize("is_there", [True, False], ids=["another", "none"])
def test_e5_a_ledger_keeps_its_chain_id(stopped: Node, *, is_there: bool) -> None:
    """The chain id begins the id of every event."""
    path = stopped.data / "chain_id"
    chain = path.read_text()
    path.unlink()
    if is_there:
        path.write_text("solo-of-another\n")
    assert chain.strip() in refused(stopped)
    path.write_text(chain)
    stopped.start()
    assert stopped.stop() == 0


def remove(lock: Path) -> None:
    lock.unlink()


def replace(lock: Path) -> None:
    """As an editor or a copy over it does."""
    other = lock.with_name("other")
    other.write_text("")
    other.rename(lock)


def move_away(lock: Path) -> None:
    lock.parent.rename(lock.parent.with_name("moved"))


@pytest.mark.parametrize("lose", [remove, replace, move_away])
def test_a_node_whose_lock_is_gone_stops_serving(start_node: StartNode, lose: Callable[[Path], None]) -> None:
    """Whoever comes next would get the directory, and two nodes would write it."""
    node = start_node()
    transaction = create(1)
    assert node.post(transaction.body).status == 202
    lose(node.data / "lock")
    assert node.process is not None
    assert node.process.wait(END_S) == 1
    said = "[critical] the lock of the data directory was removed or replaced while the node ran"
    assert said in node.log or lose is move_away, "where the disk is gone as well others may notice first"
    if lose is move_away:
        node.data.with_name("moved").rename(node.data)
    node.start()
    assert node.get(f"transactions/{transaction.id}").status == 200, "what was committed is safe"
    assert node.stop() == 0


@pytest.mark.parametrize("lose", [remove, replace])
def test_a_directory_whose_lock_is_gone_is_still_its_nodes(start_node: StartNode, lose: Callable[[Path], None]) -> None:
    """A node that is suspended, or about to look, notices nothing: nobody else may get in meanwhile."""
    node = start_node()
    assert node.process is not None
    node.process.send_signal(signal.SIGSTOP)
    lose(node.data / "lock")
    dropped = node.run("-y", "drop")
    assert dropped.returncode == 1
    assert "is in use by a node that answers on control.sock although its lock was removed" in dropped.stderr
    assert (node.data / "ledger.db").exists()
    node.process.send_signal(signal.SIGCONT)
    assert node.process.wait(END_S) == 1


def test_a_configuration_with_a_key_that_others_may_read_starts_unless_strict(start_node: StartNode) -> None:
    """Old releases wrote it so, and their files must start: it is said each time, until somebody closes it."""
    pair = new_keypair()
    node = start_node(settings={"keypair": keypair_document(pair)})
    assert node.stop() == 0
    for mode, warned in ((0o644, 1), (0o600, 0)):
        node.configuration.chmod(mode)
        begun = len(node.log)
        node.start()
        assert node.stop() == 0
        advice = f"run: chmod 600 {node.configuration}"
        warnings = [line for line in node.log[begun:].splitlines() if advice in line]
        assert len(warnings) == warned
        assert all("[warning]" in line for line in warnings)
    assert pair.private_key not in node.log
    node.configuration.chmod(0o644)
    strict = node.run("start", "--strict")
    assert strict.returncode == 1
    assert strict.stderr.strip().endswith(f"{advice} (start --strict)")
