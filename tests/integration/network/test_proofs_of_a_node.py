"""A node of a network, its CometBFT, and somebody who has nothing but the genesis. Source: docs/reference/proofs.md."""

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from bigchaindb.engine.cometbft import files
from bigchaindb.engine.cometbft.genesis import GenesisValidator, NetworkGenesis
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.identity import read_chain_id
from bigchaindb.key_files import read_keypair
from bigchaindb.transaction.keys import decode_key
from tests.support.chains import create
from tests.support.cometbft import require_cometbft
from tests.support.node import COMMAND, Node, configuration_of
from tests.support.ports import free_ports
from tests.support.waiting import until

WITHIN_S = 60


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A running node that is the only validator of its network."""
    (port,) = free_ports(1)
    network = {"cometbft": str(require_cometbft()), "bind": f"127.0.0.1:{port}"}
    node = Node(tmp_path, configuration_of(tmp_path, {"network": network}), {}, COMMAND)
    node.configuration.write_text(json.dumps(node.settings))
    assert node.run("init").returncode == 0
    key = decode_key(read_keypair(node.data / "keypair.json").public_key)
    genesis = NetworkGenesis(
        chain_id=read_chain_id(node.data),
        genesis_time="2026-01-01T00:00:00Z",
        initial_height=1,
        app_hash=bytes(32),
        validators=(GenesisValidator(key, 10),),
        rules_version=RULES_VERSION,
    )
    layout = files.Layout(node.data)
    files.make_folders(layout)
    files.write_genesis(layout, genesis.encode())
    node.start()
    try:
        yield node
    finally:
        node.kill()


def is_committed(node: Node, transaction: object) -> bool:
    """Post it; a node that does not follow its network yet refuses it."""
    return node.post(transaction).status == 202


def verify(proof: Path, node: Node, *more: str) -> subprocess.CompletedProcess[str]:
    line = [*COMMAND, "verify", str(proof), "--validators", str(files.Layout(node.data).genesis), *more]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


def test_each_block_of_a_network_proves_its_event(node: Node, tmp_path: Path) -> None:
    for serial in range(2):
        commit = partial(is_committed, node, json.loads(create(serial).body))
        until(commit, what="a commit", within_s=WITHIN_S)
    events = node.get("events").json()["events"]
    assert len(events) == 2
    proof = tmp_path / "proof.json"
    for position, event in enumerate(events, 1):
        height = event["data"]["height"]
        taken = node.run("events", "proof", str(height))
        assert taken.returncode == 0, taken.stderr
        proof.write_text(taken.stdout)
        told = verify(proof, node)
        assert told.returncode == 0, told.stderr
        assert f"height             {height}\n" in told.stdout
        assert f"chain_id           {read_chain_id(node.data)}\n" in told.stdout
        assert "signed_by          trusted validators with power 10 of 10" in told.stdout
        assert verify(proof, node, "--json").stdout == node.run("events", "show", str(position), "--json").stdout

    voted = node.get("validators", height=events[0]["data"]["height"])
    assert (voted.status, voted.json()) == (200, node.get("validators").json())
    assert node.get("validators", height=10**6).status == 404

    document = json.loads(proof.read_text())
    document["event"]["block"]["transactions"] = document["event"]["block"]["transactions"][1:]
    proof.write_text(json.dumps(document))
    refused = verify(proof, node)
    assert refused.returncode == 1
    assert "transactions: not those that the header names" in refused.stderr
