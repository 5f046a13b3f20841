"""Founding and joining a network on the command line: the files that a node starts with, before any node starts."""

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.identity import read_chain_id
from bigchaindb.store.directory import DataDirectory, DirectoryLock
from tests.support.node import COMMAND


@dataclass
class Machine:
    """A home with a configuration file and a data directory."""

    home: Path

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def configuration(self) -> Any:
        return json.loads((self.home / ".bigchaindb").read_text())

    @property
    def genesis(self) -> Path:
        return self.data / "cometbft/config/genesis.json"

    def run(self, *arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("BIGCHAINDB_", "PYTHON"))}
        return subprocess.run(
            [*COMMAND, *arguments],
            env={**inherited, "HOME": str(self.home), **environ},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def done(self, *arguments: str | Path, **environ: str) -> str:
        result = self.run(*arguments, **environ)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def refused(self, *arguments: str | Path, **environ: str) -> str:
        result = self.run(*arguments, **environ)
        assert result.returncode == 1, result.stdout
        return result.stderr


@pytest.fixture
def machines(tmp_path: Path) -> list[Machine]:
    return new_machines(tmp_path)


def new_machines(folder: Path) -> list[Machine]:
    made = [Machine(folder / name) for name in ("one", "two", "three")]
    for machine in made:
        machine.home.mkdir()
        (machine.home / ".bigchaindb").write_text(json.dumps({"database": {"path": str(machine.data)}}))
    return made


@pytest.fixture(scope="module")
def founded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of three machines, the first of which has founded a network of itself and the second."""
    folder = tmp_path_factory.mktemp("founded")
    one, two, _ = new_machines(folder)
    lines = [
        machine.done("network", "id", BIGCHAINDB_NETWORK_EXTERNAL_ADDRESS=f"node-{number}.example:26656")
        for number, machine in enumerate((one, two))
    ]
    (one.home / "validators").write_text("".join(lines))
    one.done("network", "init", "--validators", "validators")
    return folder


@pytest.fixture
def founded(founded_once: Path, tmp_path: Path) -> list[Machine]:
    """Copies of these machines."""
    shutil.copytree(founded_once, tmp_path, dirs_exist_ok=True)
    made = [Machine(tmp_path / name) for name in ("one", "two", "three")]
    for machine in made:
        file = machine.home / ".bigchaindb"
        file.write_text(file.read_text().replace(str(founded_once), str(tmp_path)))
    return made


def test_the_line_of_a_node_is_the_same_every_time_and_holds_no_secret(machines: list[Machine]) -> None:
    one = machines[0]
    line = one.done("network", "id", "--name", "ä", "--power", "3")
    assert len(line.splitlines()) == 1
    document = json.loads(one.done("network", "id", "--name", "ä", "--power", "3", "--json"))
    assert document == json.loads(line)
    assert document["public_key"] == one.done("export-my-pubkey").strip()
    assert json.loads((one.data / "keypair.json").read_text())["private"] not in line
    assert "peer" not in document


def test_a_network_of_new_nodes(founded: list[Machine]) -> None:
    one, two, three = founded
    content = one.genesis.read_bytes()
    ids = [json.loads(machine.done("network", "id"))["node_id"] for machine in (one, two)]
    assert one.configuration["network"]["peers"] == [f"{ids[1]}@node-1.example:26656"]
    joined = json.loads(two.done("network", "join", one.genesis, "--peers", f"{ids[0]}@node-0.example:26656", "--json"))
    assert joined["genesis_hash"] == hashlib.sha256(content).hexdigest()
    assert two.genesis.read_bytes() == content
    assert two.configuration["network"]["peers"] == [f"{ids[0]}@node-0.example:26656"]
    assert (joined["validators"], joined["power"]) == (2, 10)
    assert "votes    power 10 of 20\n" in two.done("network", "join", one.genesis)
    follower = three.run("network", "join", one.genesis)
    assert "votes    no: the key is not among the validators\n" in follower.stdout
    assert "it follows without a vote" in follower.stderr
    assert json.loads(three.done("network", "join", one.genesis, "--json"))["power"] == 0
    assert {read_chain_id(machine.data) for machine in (one, two, three)} == {joined["chain_id"]}
    one.done("init")
    assert read_chain_id(one.data) == joined["chain_id"], "the ledger is made for the network"


def test_joining_again_changes_settings_alone_and_another_network_is_refused(founded: list[Machine]) -> None:
    one, two, three = founded
    two.done("network", "join", one.genesis)
    two.done("network", "join", one.genesis, "--external-address", "me.example:1")
    assert two.configuration["network"] == {"external_address": "me.example:1"}
    (three.home / "validators").write_text(three.done("network", "id"))
    three.done("network", "init", "--validators", "validators", "--chain-id", "other")
    assert "is already part of the network network-" in two.refused("network", "join", three.genesis)
    assert "is already part of the network other" in three.refused("network", "init", "--validators", "validators")


def test_a_ledger_that_a_node_made_alone_becomes_the_networks(machines: list[Machine]) -> None:
    one, two, three = machines
    one.done("init")
    chain_id = read_chain_id(one.data)
    (one.home / "validators").write_text(one.done("network", "id"))
    assert "so it cannot be 'x'" in one.refused("network", "init", "--validators", "validators", "--chain-id", "x")
    one.done("network", "init", "--validators", "validators")
    assert json.loads(one.genesis.read_text())["chain_id"] == chain_id == read_chain_id(one.data)
    two.done("init")
    complaint = two.refused("network", "join", one.genesis)
    assert f"the network is {chain_id}; if its blocks are not needed run `bigchaindb drop`" in complaint
    assert not two.genesis.exists()
    two.done("-y", "drop")
    two.done("network", "join", one.genesis)
    assert read_chain_id(two.data) == chain_id
    assert three.run("network", "join", "nowhere.json").returncode == 1


def test_a_node_that_joins_without_peers_is_told_what_to_do(founded: list[Machine]) -> None:
    one, two, _ = founded
    peer = f"{'0a' * 20}@node-0.example:26656"
    said = two.run("network", "join", one.genesis)
    assert said.returncode == 0
    assert "WARNING: this node knows no other node" in said.stderr
    assert "--peers ID@HOST:PORT" in said.stderr
    named = two.run("network", "join", one.genesis, BIGCHAINDB_NETWORK_PEERS=peer)
    given = two.run("network", "join", one.genesis, "--peers", peer)
    kept = two.run("network", "join", one.genesis)
    assert "WARNING" not in named.stderr + given.stderr + kept.stderr
    assert "WARNING" in two.run("network", "join", one.genesis, "--peers", "").stderr


def test_what_is_refused_changes_nothing(founded: list[Machine]) -> None:
    one, two, _ = founded
    before = two.configuration
    assert "network.peers: must be ID@HOST:PORT" in two.refused("network", "join", one.genesis, "--peers", "one")
    environ = {"BIGCHAINDB_NETWORK_PEERS": ""}
    refused = two.refused("network", "join", one.genesis, "--peers", f"{'0a' * 20}@a.example:1", **environ)
    assert "the environment variable BIGCHAINDB_NETWORK_PEERS sets it" in refused
    assert "genesis: " in two.refused("network", "join", one.home / "validators")
    lock = DirectoryLock(DataDirectory(two.data))
    assert "is in use by process" in two.refused("network", "join", one.genesis)
    lock.close()
    assert (two.configuration, two.genesis.exists()) == (before, False)


def test_a_node_that_only_follows_is_told_so(machines: list[Machine]) -> None:
    one, two, _ = machines
    (one.home / "validators").write_text(two.done("network", "id"))
    assert "it follows without a vote" in one.run("network", "init", "--validators", "validators").stderr


def test_each_node_is_told_whom_it_should_name(founded: list[Machine]) -> None:
    """Files of lines, and this node itself; a node that nobody could reach is refused with what to do."""
    one, two, three = founded
    ids = [json.loads(machine.done("network", "id"))["node_id"] for machine in (one, two, three)]
    addresses = [f"{id_}@node-{number}.example:26656" for number, id_ in enumerate(ids)]
    place = {"BIGCHAINDB_NETWORK_EXTERNAL_ADDRESS": "node-2.example:26656"}
    three.done("network", "join", one.genesis)
    found = json.loads(three.done("network", "peers", one.home / "validators", "--json", **place))
    assert {one["node_id"]: set(one["peers"]) for one in found} == {
        id_: set(addresses) - {addresses[number]} for number, id_ in enumerate(ids)
    }
    told = three.run("network", "peers", one.home / "validators", **place)
    assert f"  {addresses[0]},{addresses[1]}\n" in told.stdout
    assert f"This node's network.peers lacks {addresses[0]}, {addresses[1]}." in told.stderr
    three.done("network", "join", one.genesis, "--peers", ",".join(addresses))
    assert "lacks" not in three.run("network", "peers", one.home / "validators", **place).stderr
    assert "network.external_address is not set" in three.run("network", "peers", one.home / "validators").stderr
    (one.home / "unreachable").write_text(one.done("network", "id", "--name", "far"))
    assert "far has no `peer`, so nobody can name it" in one.refused("network", "peers", "unreachable")


def test_a_dropped_node_keeps_its_place_and_what_it_has_signed(founded: list[Machine]) -> None:
    """Without the state of its signer a validator would sign twice."""
    one, *_ = founded
    one.done("init")
    state = one.data / "cometbft/data/priv_validator_state.json"
    state.write_text("signed")
    (state.parent / "blockstore.db").mkdir()
    genesis, chain_id = one.genesis.read_bytes(), read_chain_id(one.data)
    one.done("-y", "drop")
    assert not (one.data / "ledger.db").exists()
    assert [path.name for path in state.parent.iterdir()] == [state.name]
    assert (state.read_text(), one.genesis.read_bytes(), read_chain_id(one.data)) == ("signed", genesis, chain_id)


def test_a_node_that_has_left_a_network_cannot_vote_on_the_next_by_the_same_memory(founded: list[Machine]) -> None:
    """It would sign nothing up to the height that the old one had, and that network would decide nothing."""
    one, *_ = founded
    one.done("network", "signed", "50")
    genesis = one.genesis.read_bytes()
    one.done("-y", "drop")
    one.genesis.unlink()
    told = one.refused("network", "init", "--validators", "validators")
    assert "up to height 50" in told
    assert not one.genesis.exists()
    (one.home / "genesis.json").write_bytes(genesis)
    proven = one.data / "cometbft/misbehavior.json"
    proven.write_text("[]")
    one.done("network", "join", "genesis.json")  # to come back is no change of chain
    assert proven.exists()
    one.genesis.unlink()
    (one.data / "cometbft/data/priv_validator_state.json").rename(one.home / "kept")
    one.done("network", "init", "--validators", "validators")
    assert not proven.exists(), "what the old chain proves would hide what the new one does"


def test_a_network_of_other_rules_is_refused_by_both_numbers(founded: list[Machine]) -> None:
    """When it is joined, and when a node of it is started by a later program; what can only read goes on."""
    one, two, _ = founded
    other = json.loads(one.genesis.read_bytes())
    other["consensus_params"]["version"]["app"] = "1"
    one.genesis.write_text(json.dumps(other))
    told = f"its network has rules 1, and this program has rules {RULES_VERSION} (2: "
    for complaint in (two.refused("network", "join", one.genesis), one.refused("start")):
        assert told in complaint
        assert "run the release that has rules 1" in complaint
    assert not two.genesis.exists()
    one.done("backup", "--without-key", one.home / "copy")
