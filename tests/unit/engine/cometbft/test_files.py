"""CometBFT's files: for their owner alone, all from one key pair, and none that must stay is written over."""

import base64
import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.config import Network
from bigchaindb.engine.cometbft import files
from bigchaindb.engine.cometbft.files import Layout, Sizes
from bigchaindb.errors import StartupError
from bigchaindb.transaction.keys import KeyPair, decode_key

KEY = KeyPair.from_seed(bytes(range(32)))
SIZES = Sizes(validator_count=4, pool_count_max=10_000, pool_bytes_max=1 << 26, transaction_bytes_max=1_048_576)
OTHER = f"{'0a' * 20}@node-2.example:26656"


def written(path: Path, settings: Network | None = None) -> Layout:
    layout = Layout(path)
    files.write(layout, key=KEY, settings=settings or Network(), sizes=SIZES)
    return layout


def config_of(layout: Layout) -> Any:
    return tomllib.loads(layout.config.read_text())


def test_all_is_for_the_owner_alone(tmp_path: Path) -> None:
    layout = written(tmp_path)
    files.write_genesis(layout, b"{}")
    for path in layout.home.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert layout.home.stat().st_mode & 0o777 == 0o700


def test_the_validator_signs_with_the_pair_of_the_node(tmp_path: Path) -> None:
    """Votes, `/validators` and `node_pubkey` name one key."""
    document = json.loads(written(tmp_path).validator_key.read_text())
    public = decode_key(KEY.public_key)
    assert base64.b64decode(document["pub_key"]["value"]) == public
    assert base64.b64decode(document["priv_key"]["value"]) == bytes(range(32)) + public


def test_the_id_among_peers_follows_from_the_pair_and_does_not_show_it(tmp_path: Path) -> None:
    """A node that is restored with its key pair is the one that its peers have in their lists."""
    raw = base64.b64decode(json.loads(written(tmp_path).node_key.read_text())["priv_key"]["value"])
    assert files.node_id(raw[32:]) == files.node_id_of(KEY)
    assert bytes(range(32)) not in raw


def test_the_state_of_the_signer_stays(tmp_path: Path) -> None:
    """Over an older one the validator would sign twice."""
    layout = written(tmp_path)
    assert json.loads(layout.validator_state.read_text()) == {"height": "0", "round": 0, "step": 0}
    layout.validator_state.write_text("signed")
    written(tmp_path)
    assert layout.validator_state.read_text() == "signed"


def test_a_genesis_is_never_replaced(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert not files.is_network(tmp_path)
    files.write_genesis(layout, b"one")
    files.write_genesis(layout, b"one")
    with pytest.raises(StartupError, match="is the genesis of another network"):
        files.write_genesis(layout, b"two")
    assert layout.genesis.read_bytes() == b"one"
    assert files.is_network(tmp_path)


def test_settings_reach_cometbft(tmp_path: Path) -> None:
    own = f"{files.node_id_of(KEY)}@node-1.example:26656"
    settings = Network(bind="[::]:26000", external_address="node-1.example:26656", peers=(own, OTHER))
    config = config_of(written(tmp_path, settings))
    assert config["proxy_app"] == f"unix://{tmp_path}/cometbft/abci.sock"
    assert config["rpc"]["laddr"] == f"unix://{tmp_path}/cometbft/rpc.sock"
    assert config["p2p"]["laddr"] == "tcp://[::]:26000"
    assert config["p2p"]["external_address"] == "node-1.example:26656"
    assert config["p2p"]["persistent_peers"] == OTHER, "itself is no peer"
    assert config["p2p"]["allow_duplicate_ip"] is False
    assert config["consensus"]["create_empty_blocks"] is False


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_network_on_one_machine_may_share_an_address(tmp_path: Path, host: str) -> None:
    peers = (f"{'0a' * 20}@{host}:26656",)
    assert config_of(written(tmp_path, Network(peers=peers)))["p2p"]["allow_duplicate_ip"] is True


@pytest.mark.parametrize(("others", "may_share"), [("10.0.0.1", True), ("10.0.0.2", False)])
def test_peers_on_one_machine_may_share_its_address(tmp_path: Path, others: str, *, may_share: bool) -> None:
    """CometBFT would let in one of them, and the power of the other would be missing."""
    peers = (f"{'0a' * 20}@10.0.0.1:26656", f"{'0b' * 20}@{others}:26657")
    assert config_of(written(tmp_path, Network(peers=peers)))["p2p"]["allow_duplicate_ip"] is may_share


@pytest.mark.parametrize(("validators", "count"), [(1, 160_000), (8, 160_000), (10, 200_000)])
def test_the_mempool_holds_twice_what_all_nodes_admit_and_twice_the_pool(validators: int, count: int) -> None:
    """A full one drops what clients were told is accepted."""
    assert replace(SIZES, validator_count=validators).mempool_count == count
    assert replace(SIZES, pool_count_max=100).mempool_count == 100_000, "others may admit more"


def test_the_mempool_has_room_for_the_pool_alone_and_in_bundles(tmp_path: Path) -> None:
    """Each transaction may be there alone, and in a bundle of which half is new; both change with the settings."""
    assert config_of(written(tmp_path, Network()))["mempool"]["max_txs_bytes"] == 4 * 8 * SIZES.pool_bytes_max


@pytest.mark.parametrize(("validators", "count"), [(0, 10_000), (4, 10_000), (8, 10_000), (9, 8_888), (50, 1_600)])
def test_a_node_admits_less_once_more_validators_share_the_mempool(validators: int, count: int) -> None:
    """Elections come while it runs, and a mempool keeps the size that it was started with."""
    assert SIZES.admitted_count(validators) == count


def test_a_path_with_quotes_and_accents_stays_one(tmp_path: Path) -> None:
    folder = tmp_path / 'a "b" ä\\'
    folder.mkdir()
    assert config_of(written(folder))["proxy_app"] == f"unix://{folder}/cometbft/abci.sock"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("x" * 100, r"abci\.sock` has 1\d\d bytes, the system allows 107"),
        ("a\nb", "cannot be written into CometBFT's"),
    ],
)
def test_a_path_that_does_not_do_is_said(tmp_path: Path, name: str, complaint: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    with pytest.raises(StartupError, match=complaint):
        written(folder)


def test_what_cannot_be_written_or_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"cannot make .*: No such file"):
        written(tmp_path / "nowhere")
    with pytest.raises(StartupError, match=r"cannot read .*genesis\.json`: No such file"):
        files.read_genesis(Layout(tmp_path), rules_version=1)
    layout = Layout(tmp_path)
    layout.config.mkdir(parents=True)
    with pytest.raises(StartupError, match=r"cannot write .*config\.toml"):
        written(tmp_path)
    assert {path.name for path in layout.config.parent.iterdir()} == {
        "config.toml",
        "node_key.json",
        "priv_validator_key.json",
    }
