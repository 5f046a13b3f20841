"""The node's key pair and its chain's id. Source: docs/reference/configuration.md, "Data and identity"."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.config import Database, KeyPairSettings, Settings
from bigchaindb.errors import StartupError
from bigchaindb.identity import find, find_or_make, make_chain_id, read_chain_id
from bigchaindb.key_files import new_keypair, read_keypair, write_keypair


def settings_in(folder: Path, **keypair: str) -> Settings:
    return Settings(database=Database(path=folder), keypair=KeyPairSettings(**keypair))


def test_there_is_no_pair_until_one_is_made_and_then_it_stays(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert find(settings) is None
    made = find_or_make(settings)
    assert find_or_make(settings) == find(settings) == made
    assert (tmp_path / "keypair.json").stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["keypair.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """Who has it signs as this node."""
    settings = settings_in(tmp_path)
    made, path = find_or_make(settings), tmp_path / "keypair.json"
    path.chmod(mode)
    with pytest.raises(StartupError, match=f"mode {mode:04o} and holds this node's private key.*; run: chmod 600 /"):
        find(settings)
    path.chmod(0o400)
    assert find(settings) == made


def test_the_configurations_pair_comes_first(tmp_path: Path) -> None:
    find_or_make(settings_in(tmp_path))
    pair = new_keypair()
    assert find(settings_in(tmp_path, public=pair.public_key, private=pair.private_key)) == pair


def test_a_key_file_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    write_keypair(path, new_keypair())
    before = path.read_text()
    with pytest.raises(StartupError, match="File exists"):
        write_keypair(path, new_keypair())
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]  # no second private key lies about


def test_a_key_file_needs_the_private_half_alone(tmp_path: Path) -> None:
    pair = new_keypair()
    (tmp_path / "key.json").write_text(json.dumps({"private": pair.private_key}))
    assert read_keypair(tmp_path / "key.json") == pair


@pytest.mark.parametrize(
    "content", ["", "[]", "3", "{}", '{"private": 3}', '{"private": "hunter22"}', '{"private": "hunter22'],
)  # fmt: skip
def test_what_is_no_key_file_is_said_and_not_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(content)
    with pytest.raises(StartupError, match=f"`{path}` is no key file") as caught:
        read_keypair(path)
    assert "hunter22" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_halves_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    document: dict[str, Any] = {"private": new_keypair().private_key, "public": new_keypair().public_key}
    (tmp_path / "key.json").write_text(json.dumps(document))
    with pytest.raises(StartupError, match="public does not belong to private"):
        read_keypair(tmp_path / "key.json")


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="No such file or directory"):
        read_keypair(tmp_path / "key.json")


def test_a_chain_id_is_made_once(tmp_path: Path) -> None:
    """It begins the id of every event: a second one would make old events look new (E5)."""
    make_chain_id(tmp_path)
    chain_id = read_chain_id(tmp_path)
    assert re.fullmatch("solo-[0-9a-f]{32}", chain_id)
    make_chain_id(tmp_path)
    assert read_chain_id(tmp_path) == chain_id


@pytest.mark.parametrize("content", [None, "", "a b", "a.b", "x" * 51, "\xff"])
def test_a_lost_chain_id_is_never_replaced(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "chain_id").write_bytes(content.encode("latin-1"))
    with pytest.raises(StartupError, match="restore it from a backup"):
        read_chain_id(tmp_path)
