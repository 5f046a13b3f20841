"""`events proof` and `verify`: from a node to a person who trusts only its key. Source: docs/reference/proofs.md."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import StartNode
from tests.support.chains import NODE
from tests.support.node import COMMAND, Node
from tests.support.proofs import CHAIN_ID, HEIGHT, KEYS, POWERS, Decided, Rejected, raw, set_of


def verify(folder: Path, proof: bytes, trusted: object, *more: str) -> subprocess.CompletedProcess[str]:
    """Verify a proof on a machine that has no node and no configuration."""
    (folder / "proof.json").write_bytes(proof)
    (folder / "validators.json").write_text(json.dumps(trusted))
    line = [*COMMAND, "verify", "proof.json", "--validators", "validators.json", *more]
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def trusted(*, chain_id: str = CHAIN_ID) -> dict[str, object]:
    """Return the genesis of the network whose keys the tests have."""
    keys = [base64.b64encode(raw(key)).decode() for key in KEYS]
    listed = [{"pub_key": {"value": key}, "power": str(one)} for key, one in zip(keys, POWERS, strict=True)]
    return {"chain_id": chain_id, "validators": listed}


@pytest.fixture
def committed(start_node: StartNode) -> Node:
    node = start_node()
    assert node.run("keys", "new", "--output", str(node.folder / "alice.json")).returncode == 0
    made = node.run("transactions", "create", f"--key-file={node.folder}/alice.json", "--asset", '{"n": 1.5e-7}')
    assert made.returncode == 0, made.stderr
    return node


def test_a_proof_taken_from_a_node_is_checked_without_it(committed: Node, tmp_path: Path) -> None:
    validators = committed.get("validators").json()
    taken = committed.run("events", "proof", "1")
    assert taken.returncode == 0, taken.stderr
    shown = committed.run("events", "show", "1", "--json").stdout
    assert committed.run("events", "proof", json.loads(shown)["id"]).stdout == taken.stdout
    assert committed.stop() == 0

    checked = verify(tmp_path, taken.stdout.encode(), validators)
    assert checked.returncode == 0, checked.stderr
    lines = dict(line.split(maxsplit=1) for line in checked.stdout.splitlines())
    assert lines["proven"] == "BLOCK_VALID"
    assert lines["id"] == json.loads(shown)["id"]
    assert lines["height"] == "1, from the file: a node on its own does not sign it"
    assert lines["signed_by"] == "trusted validators with power 1 of 1"
    assert verify(tmp_path, taken.stdout.encode(), validators, "--json").stdout == shown

    forged = taken.stdout.replace("1.5e-07", "2.5e-07")
    assert forged != taken.stdout
    refused = verify(tmp_path, forged.encode(), validators)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("bigchaindb: not proven by `proof.json`: event.id: found")

    missing = committed.run("events", "proof", "1")
    assert missing.returncode == 1
    assert "is the node running" in missing.stderr


def test_a_block_that_is_not_there_has_no_proof(committed: Node) -> None:
    refused = committed.run("events", "proof", "2")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "answered 404: Not found; that node's log has no event for '2'" in refused.stderr
    assert "`bigchaindb events tail`" in refused.stderr


def test_what_a_network_decided_is_told(tmp_path: Path) -> None:
    valid = verify(tmp_path, Decided().document(), trusted())
    assert valid.returncode == 0, valid.stderr
    assert valid.stdout.splitlines()[0] == "proven             BLOCK_VALID"
    assert f"chain_id           {CHAIN_ID}" in valid.stdout
    assert "signed_by          trusted validators with power 20 of 27" in valid.stdout
    invalid = verify(tmp_path, Rejected().document(), trusted())
    assert invalid.returncode == 0, invalid.stderr
    assert invalid.stdout.splitlines()[:2] == [
        "proven             BLOCK_INVALID",
        'reason             "DoubleSpend at transactions[1]"',
    ]


def test_a_file_of_another_height_does_not_prove_an_invalid_block(tmp_path: Path) -> None:
    """Under its voters the event would have another id: `verify` says whose file is needed."""
    changed = set_of((*KEYS, NODE), (*POWERS, 1))
    listed = [{"public_key": _key(key), "voting_power": power} for key, power in changed.powers.items()]
    refused = verify(tmp_path, Rejected().document(), listed)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"not the validators of height {HEIGHT}, whose file is needed: " in refused.stderr
    assert f"/api/v1/validators?height={HEIGHT}" in refused.stderr


def test_a_kept_proof_of_an_invalid_block_proves_neither_its_id_nor_its_voters(tmp_path: Path) -> None:
    kept = Rejected().bare_document()
    told = verify(tmp_path, kept, trusted())
    assert told.returncode == 0, told.stderr
    lines = dict(line.split(maxsplit=1) for line in told.stdout.splitlines())
    assert (lines["proven"], lines["height"]) == ("BLOCK_INVALID", str(HEIGHT))
    assert lines["id"] == lines["voters"]
    assert lines["id"].startswith("not proven: ")
    proven = json.loads(verify(tmp_path, kept, trusted(), "--json").stdout)
    assert "id" not in proven
    assert "voters" not in proven["block"]
    assert proven["reason"] == "DoubleSpend at transactions[1]"


def _key(key: bytes) -> dict[str, str]:
    return {"type": "ed25519-base64", "value": base64.b64encode(key).decode()}


def test_what_is_not_proven_has_exit_code_1_and_a_reason(tmp_path: Path) -> None:
    other = verify(tmp_path, Decided().document(), trusted(chain_id="other"))
    assert other.returncode == 1
    assert other.stderr == "bigchaindb: not proven by `proof.json`: chain_id: found 'proven', but trusted is 'other'\n"
    mighty = verify(tmp_path, Decided(flags=(1, 2, 2, 2), powers=(1, 7, 7, 3)).document(), trusted())
    assert "17 of the 27 that are trusted signed it; more than 2/3 are needed" in mighty.stderr
    nobody = verify(tmp_path, Decided().document(), [])
    assert nobody.returncode == 1
    assert nobody.stderr.startswith("bigchaindb: --validators: `validators.json`: lists no validator")
    assert verify(tmp_path, b"{}", trusted()).stderr.startswith("bigchaindb: not proven by `proof.json`: no proof")


def test_whom_to_trust_must_be_said(tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_bytes(Decided().document())
    line = [*COMMAND, "verify", str(tmp_path / "proof.json")]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "--validators" in ended.stderr
