"""Enabling a plugin changes one line of a file that holds a node's key and everything else about it."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.config.edit import disable, enable, given_elsewhere, put, write_whole
from bigchaindb.config.load import Loaded, load_all
from bigchaindb.errors import ConfigurationError

REST = {"server": {"bind": "localhost:1"}, "unknown": [1, {"b": None}], "log": {"file": "ä.log"}}


class File:
    """A configuration file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, plugins: Any) -> None:
        self.path.write_text(json.dumps({**REST, "events_plugins": plugins}))

    def loaded(self, **environ: str) -> Loaded:
        return load_all(self.path, environ)

    def plugins(self) -> Any:
        document = json.loads(self.path.read_text())
        assert {key: value for key, value in document.items() if key != "events_plugins"} == REST
        return document.get("events_plugins")


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "node.json")


@pytest.mark.parametrize(
    ("before", "settings", "after"),
    [
        ([], {}, ["new"]),
        (None, {}, ["new"]),
        (["old"], {}, ["old", "new"]),
        (["old"], {"start": "genesis"}, {"old": {}, "new": {"start": "genesis"}}),
        ({"old": {"window": 3}}, {}, {"old": {"window": 3}, "new": {}}),
        ({"new": {"window": 3}}, {"options": {"a": 1}}, {"new": {"window": 3, "options": {"a": 1}}}),
    ],
)
def test_a_plugin_is_put_in_and_all_else_stays(file: File, before: Any, settings: dict[str, Any], after: Any) -> None:
    file.write(before)
    assert enable(file.loaded(), "new", settings, {})
    assert file.plugins() == after
    assert not enable(file.loaded(), "new", settings, {})


@pytest.mark.parametrize(
    ("before", "after"), [(["old", "new"], ["new"]), ({"old": {"window": 3}, "new": {}}, {"new": {}})]
)
def test_a_plugin_is_taken_out_and_the_form_stays(file: File, before: Any, after: Any) -> None:
    file.write(before)
    assert disable(file.loaded(), "old", {})
    assert file.plugins() == after
    assert not disable(file.loaded(), "old", {})


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_a_link_stays_and_the_file_is_its_owners_alone(file: File, tmp_path: Path, mode: int) -> None:
    """It may hold a private key, and old releases wrote it for everybody."""
    real = tmp_path / "real.json"
    file.path.symlink_to(real)
    file.write([])
    real.chmod(mode)
    enable(file.loaded(), "new", {}, {})
    assert file.path.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node.json", "real.json"]


def test_a_file_that_was_not_there_is_made_for_its_owner(tmp_path: Path) -> None:
    """It may come to hold a key."""
    environ = {"HOME": str(tmp_path)}
    assert enable(load_all(None, environ), "new", {}, environ)
    path = tmp_path / ".bigchaindb"
    assert json.loads(path.read_text()) == {"events_plugins": ["new"]}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "settings", "rule"),
    [("a/b", {}, "cannot be a plugin's name"), ("new", {"start": "yesterday"}, "start: must be 'now'")],
)
def test_what_no_node_would_take_is_not_written(file: File, name: str, settings: dict[str, Any], rule: str) -> None:
    """Else the next start fails, perhaps at night."""
    file.write([])
    with pytest.raises(ConfigurationError, match=rule):
        enable(file.loaded(), name, settings, {})
    assert file.plugins() == []


def test_a_list_from_the_environment_is_not_edited(file: File) -> None:
    file.write(["old"])
    loaded = file.loaded(BIGCHAINDB_EVENTS_PLUGINS="old")
    assert given_elsewhere(loaded) == "the environment variable BIGCHAINDB_EVENTS_PLUGINS"
    with pytest.raises(ConfigurationError, match="BIGCHAINDB_EVENTS_PLUGINS sets the list, so a change of"):
        enable(loaded, "new", {}, {})
    assert file.plugins() == ["old"]
    assert given_elsewhere(file.loaded()) is None


def test_edits_at_the_same_time_come_one_after_the_other(file: File) -> None:
    """Else a script that enables ten plugins at once has enabled one."""
    file.write([])
    loaded = file.loaded()
    names = [f"plugin-{number}" for number in range(20)]
    with ThreadPoolExecutor(len(names)) as threads:
        assert all(threads.map(lambda name: enable(loaded, name, {}, {}), names))
    assert sorted(file.plugins()) == sorted(names)


def test_what_cannot_be_written_is_said_and_leaves_the_file_as_it_was(file: File, tmp_path: Path) -> None:
    file.write(["old"])
    loaded = file.loaded()
    missing = load_all(None, {"HOME": str(tmp_path / "nowhere")})
    with pytest.raises(ConfigurationError, match=r"cannot write .*: No such file or directory"):
        enable(missing, "new", {}, {})
    with pytest.raises(TypeError):
        write_whole(loaded.path, {"events_plugins": {1, 2}})
    assert file.plugins() == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["node.json"]


def test_members_of_a_section_are_set_and_all_else_stays(file: File) -> None:
    file.write(["old"])
    peer = f"{'0a' * 20}@one.example:26656"
    assert put(file.loaded(), {"network": {"external_address": "me.example:1"}}, {})
    assert put(file.loaded(), {"network": {"peers": [peer]}}, {})
    assert not put(file.loaded(), {"network": {"peers": [peer]}}, {})
    assert not put(file.loaded(), {"network": {}}, {})
    document = json.loads(file.path.read_text())
    assert document.pop("network") == {"external_address": "me.example:1", "peers": [peer]}
    assert document == {**REST, "events_plugins": ["old"]}


def test_what_the_environment_gives_or_no_node_takes_is_not_set(file: File) -> None:
    file.write([])
    loaded = file.loaded(BIGCHAINDB_NETWORK_PEERS="")
    with pytest.raises(ConfigurationError, match=r"network\.peers: the environment variable BIGCHAINDB_NETWORK_PEERS"):
        put(loaded, {"network": {"peers": []}}, {})
    with pytest.raises(ConfigurationError, match=r"network\.peers: must be ID@HOST:PORT"):
        put(file.loaded(), {"network": {"peers": ["one"]}}, {})
    assert file.plugins() == []
