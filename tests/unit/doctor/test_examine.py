"""What `doctor` finds. Each case is made for real: a port taken, a folder opened to others, a file system that lies."""

import errno
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.children import PlaceFigures
from bigchaindb.config.load import load_all
from bigchaindb.doctor.examine import Processes, examine
from bigchaindb.doctor.finding import Finding
from bigchaindb.engine.cometbft.files import Layout, write_genesis
from bigchaindb.engine.cometbft.genesis import GenesisValidator, NetworkGenesis, genesis_hash
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.errors import RequestFailed
from bigchaindb.key_files import keypair_document, new_keypair
from bigchaindb.serving.processes import listener
from bigchaindb.store.directory import DataDirectory, DirectoryLock, prepare
from bigchaindb.store.store import Store
from bigchaindb.subscribers.lane_page import page_path
from tests.support.figures import CHECKS
from tests.support.packages import advertise
from tests.support.processes import other_process_at

Examine = Callable[..., dict[str, Finding]]
FINDER = """
import sys
from importlib.util import spec_from_file_location


class Finder:
    def find_spec(name, path=None, target=None):
        return spec_from_file_location(name, {source!r}) if name == "activity" else None


sys.meta_path.append(Finder)
"""
"""As the finder of an editable installation: behind the search of `sys.path`."""


@pytest.fixture
def free_port() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def findings(tmp_path: Path, free_port: int) -> Examine:
    """Examine with a configuration that is right but for what the test changes; yield findings by subject."""

    def examined(processes: Processes = lambda _: None, **changes: Any) -> dict[str, Finding]:
        document = {
            "server": {"bind": f"127.0.0.2:{free_port}"},
            "wsserver": {"host": "127.0.0.3", "port": free_port + 1},
            "database": {"path": str(tmp_path / "data")},
            **changes,
        }
        path = tmp_path / "node.json"
        path.write_text(json.dumps(document))
        return {
            finding.subject: finding for finding in examine(lambda: load_all(path, {"HOME": str(tmp_path)}), processes)
        }

    return examined


def test_a_good_machine_has_nothing_to_fix(findings: Examine, tmp_path: Path) -> None:
    prepare(tmp_path / "data")
    found = findings()
    assert {finding.status for finding in found.values()} == {"ok"}
    assert {"python", "configuration", "data directory", "socket path", "disk", "file system", "clock"} <= set(found)
    assert [entry.name for entry in (tmp_path / "data").iterdir()] == []  # nothing was changed


def test_children_of_the_running_node_that_fall_over_and_over_do_not_look_healthy(
    findings: Examine, tmp_path: Path
) -> None:
    places = {**CHECKS, "reader": PlaceFigures(1, 200, 0.5, 0)}
    assert not {"checks (large)", "reader process"} & findings(lambda _: places).keys(), "no node runs"
    with closing(DirectoryLock(prepare(tmp_path / "data"))):
        found = findings(lambda _: places)
        assert [found[f"checks ({size})"].status for size in ("small", "large")] == ["note", "fix"]
        assert found["reader process"].status == "ok"
        assert found["reader process"].text == "running: 1, ended before: 0, answers: 200, after 2.5 ms on average"

        def silent(_: DataDirectory) -> None:
            raise RequestFailed("the node did not answer")

        assert findings(silent)["processes"].status == "note"


def test_what_must_be_fixed_says_how(findings: Examine, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    (tmp_path / "data").chmod(0o755)
    found = findings(
        limits={"disk_free_bytes_min": 2**60, "disk_free_bytes_warn": 2**60}, events_plugins=["nobody-has-this"]
    )
    for subject, advice in (
        ("data directory", "chmod 700"),
        ("disk", "make room"),
        ("plugin nobody-has-this", "install"),
    ):
        assert found[subject].status == "fix"
        assert advice in found[subject].advice


def test_a_plugin_has_run_if_it_has_a_page_of_its_own(
    findings: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that begin alike, dots included, are not mixed up."""
    names = ("a", "ab", "a.b", "ä")
    advertise(tmp_path, "demo", dict.fromkeys(names, "demo_plugin"))
    (tmp_path / "demo_plugin.py").write_text("def run(queue):\n    pass\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    lanes = prepare(tmp_path / "data").lanes
    lanes.mkdir(exist_ok=True)
    page_path(lanes, "ab", 1).touch()
    page_path(lanes, "a.b", 12).touch()
    page_path(lanes, "ä", 0).touch()
    found = findings(events_plugins=list(names))
    states = {name: found[f"plugin {name}"].text for name in names}
    has, has_not = "installed, has run", "installed, has not run yet"
    assert states == {"a": has_not, "ab": has, "a.b": has, "ä": has}


def test_a_folder_of_the_same_name_where_one_stands_is_not_the_plugin(
    findings: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its source is checked out in `./activity`; the plugin's process does not import from there either."""
    advertise(tmp_path / "installed", "activity", {"activity": "activity"})
    finder = tmp_path / "installed" / "finder.py"
    finder.write_text(FINDER.format(source=str(tmp_path / "activity" / "src" / "activity.py")))
    (tmp_path / "installed" / "sitecustomize.py").write_text("import finder")
    (tmp_path / "activity" / "src").mkdir(parents=True)
    (tmp_path / "activity" / "src" / "activity.py").write_text("def run(queue): ...")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "installed"))
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path / "data")
    assert findings(events_plugins=["activity"])["plugin activity"].text == "installed, has not run yet"


def test_a_wrong_configuration_is_a_finding(findings: Examine) -> None:
    found = findings(wsserver={"port": "x"})
    assert found["configuration"].status == "fix"
    assert "wsserver.port" in found["configuration"].text
    assert found["python"].status == "ok"


def test_a_taken_port_names_who_took_it(findings: Examine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = findings(server={"bind": f"127.0.0.1:{port}"})[f"port {port}"]
        assert found.status == "fix"
        assert f"process {os.getpid()} (" in found.text
        assert listener("127.0.0.1", port) == os.getpid()


def test_a_port_is_tried_as_the_node_binds_it(findings: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    """`[::]` takes IPv4 too; a machine without IPv6 may call `::1` localhost; and metrics have a port of their own."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert findings(server={"bind": f"[::]:{port}"})[f"port {port}"].status == "fix"
        found = findings(metrics={"bind": f"127.0.0.1:{port}"})[f"port {port}"]
        assert (found.status, "set metrics.bind" in found.advice) == ("fix", True)
    named = findings(wsserver={"host": "a" * 64})["port 9985"]
    assert (named.status, "cannot be used" in named.text) == ("fix", True)

    class WithoutIpv6(socket.socket):
        def bind(self, address: Any) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
            super().bind(address)

    monkeypatch.setattr(socket, "socket", WithoutIpv6)
    assert findings(server={"bind": f"localhost:{port}"})[f"port {port}"].status == "ok"


def test_who_listens_on_another_address_is_not_in_the_way(findings: Examine, tmp_path: Path, free_port: int) -> None:
    """Several nodes of one machine have the same ports, each on an address of its own."""
    prepare(tmp_path / "data")
    with socket.create_server(("127.0.0.5", free_port)), other_process_at("127.0.0.6", free_port) as (other, _):
        assert listener("127.0.0.5", free_port) == os.getpid()
        assert listener("127.0.0.6", free_port) == other
        assert listener("127.0.0.7", free_port) is None
        assert listener("0.0.0.0", free_port) in {os.getpid(), other}
        assert listener("::", free_port) in {os.getpid(), other}
        for host, status in (("127.0.0.6", "fix"), ("127.0.0.7", "ok")):
            found = findings(server={"bind": f"{host}:{free_port}"})[f"port {free_port}"]
            assert (found.status, f"process {other} (" in found.text) == (status, status == "fix")
        with closing(DirectoryLock(DataDirectory(tmp_path / "data"))):  # this process is the node
            own = findings(server={"bind": f"127.0.0.5:{free_port}"})[f"port {free_port}"]
            assert (own.status, own.text) == ("ok", f"127.0.0.5:{free_port} is served by the running node")
            taken = findings(server={"bind": f"127.0.0.6:{free_port}"})[f"port {free_port}"]
            assert (taken.status, f"process {other} (" in taken.text) == ("fix", True)


def test_a_running_node_holds_its_own_ports(findings: Examine, tmp_path: Path) -> None:
    with closing(DirectoryLock(prepare(tmp_path / "data"))), socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = findings(server={"bind": f"127.0.0.1:{port}"})
        assert found["node"].text == f"running, process {os.getpid()}"
        assert found[f"port {port}"].status == "ok"


def test_a_key_that_others_read_is_found(findings: Examine, tmp_path: Path) -> None:
    directory = prepare(tmp_path / "data")
    key = directory.path / "keypair.json"
    key.write_text(json.dumps(keypair_document(new_keypair())))
    key.chmod(0o600)
    assert "ledger" not in findings()
    key.chmod(0o644)
    found = findings()["ledger"]
    assert (found.status, found.text.endswith(f"run: chmod 600 {key}")) == ("fix", True)
    assert "ledger" not in findings(keypair=keypair_document(new_keypair())), "the node does not read the file"


def test_a_configuration_with_a_key_that_others_read_is_found(findings: Examine, tmp_path: Path) -> None:
    """Those of old releases are like this: `start` warns alone."""
    (tmp_path / "node.json").touch()
    for mode, advised in ((0o644, True), (0o640, True), (0o600, False)):
        (tmp_path / "node.json").chmod(mode)
        for keypair in ({}, keypair_document(new_keypair())):
            found = findings(keypair=keypair)["configuration"]
            assert (found.status == "fix") is (advised and bool(keypair))
            assert (f"run: chmod 600 {tmp_path / 'node.json'}" in found.text) is (found.status == "fix")


def test_a_path_that_is_too_long_for_a_socket_is_found(findings: Examine, tmp_path: Path) -> None:
    found = findings(database={"path": str(tmp_path / ("x" * 110))})["socket path"]
    assert (found.status, found.advice) == ("fix", "set database.path to a shorter path")


def test_a_ledger_from_the_future_accuses_the_clock(findings: Examine, tmp_path: Path) -> None:
    directory = prepare(tmp_path / "data")
    directory.ledger.touch()
    os.utime(directory.ledger, (4e9, 4e9))
    assert findings()["clock"].status == "fix"


def test_unknown_keys_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    path.write_text(json.dumps({"serevr": 1, "database": {"path": str(tmp_path / "data")}}))
    found = list(examine(lambda: load_all(path, {})))
    assert next(f.text for f in found if f.status == "note").startswith("serevr: unknown, so ignored")


def test_a_node_with_peers_and_without_a_network_is_found(findings: Examine) -> None:
    found = findings(network={"peers": [f"{'7f' * 20}@one.example:26656"]})["network"]
    assert (found.status, found.advice) == (
        "fix",
        "run `bigchaindb network init` or `join`, or remove network.peers",
    )


def test_a_node_of_a_network_needs_more(findings: Examine, tmp_path: Path, free_port: int) -> None:
    network = {"bind": f"127.0.0.4:{free_port}", "cometbft": str(tmp_path / "cometbft")}
    prepare(tmp_path / "data")
    assert not {"network", "cometbft"} & findings(network=network).keys(), "it is of none yet"
    validator = GenesisValidator(bytes([1]) * 32, 10)
    genesis = NetworkGenesis("net-1", "2026-01-31T12:00:00Z", 1, bytes(32), (validator,), RULES_VERSION).encode()
    layout = Layout(tmp_path / "data")
    write_genesis(layout, genesis)
    found = findings(network=network)
    assert found["cometbft"].status == "fix"
    assert "go install" in found["cometbft"].text
    assert found["network"] == (
        "network",
        "note",
        "network.peers is empty",
        "name other nodes, or name this one in their network.peers",
    )
    assert found[f"port {free_port}"].text == f"127.0.0.4:{free_port} is free", "server.bind has the same port"
    (tmp_path / "cometbft").write_text("#!/bin/sh\necho 0.38.26\n")
    (tmp_path / "cometbft").chmod(0o700)
    network["peers"] = f"{'0a' * 20}@one.example:26656"
    found = findings(network=network)
    assert found["cometbft"].status == "ok"
    assert found["network"].text == f"net-1, genesis {genesis_hash(genesis)}"
    assert f"{len(os.fsencode(layout.abci))} of 107 bytes" in found["socket path"].text
    layout.genesis.write_text("{}")
    assert findings(network=network)["network"].status == "fix"


def test_clients_that_are_sent_elsewhere_are_noted(findings: Examine, free_port: int) -> None:
    """`configure` of old wrote its defaults into the file, and they stayed when the port was changed."""
    host = {"host": "127.0.0.3", "port": free_port + 1}
    assert "streams" not in findings()
    assert "streams" not in findings(
        wsserver={**host, "advertised_port": free_port + 1, "advertised_host": "a.example"}
    )
    wrong_port = findings(wsserver={**host, "advertised_port": 9985})["streams"]
    assert (wrong_port.status, wrong_port.text.split()[5]) == ("note", "9985")
    assert "unless a proxy listens there" in wrong_port.advice
    wrong_host = findings(wsserver={**host, "advertised_host": "localhost"})["streams"]
    assert wrong_host.text.startswith("clients are told the host localhost (wsserver.advertised_host), and the node ")


def test_a_ledger_that_cannot_be_read_is_found(findings: Examine, tmp_path: Path) -> None:
    directory = prepare(tmp_path / "data")
    assert "ledger" not in findings()
    Store(directory.path).close()
    assert (findings()["ledger"].status, findings()["ledger"].text[-20:]) == ("ok", "height 0, position 0")
    directory.ledger.write_bytes(b"no database" * 1_000)
    broken = findings()["ledger"]
    assert broken.status == "fix"
    assert f"{directory.path}: ledger.db: " in broken.text
    assert "backup" in broken.advice


def test_a_check_process_is_tried(findings: Examine, free_port: int) -> None:
    found = findings()["checks"]
    assert (found.status, found.text.partition(" answered")[0]) == ("ok", "a check process")
    found = findings(server={"bind": f"127.0.0.2:{free_port}", "workers": 100})["checks"]
    assert (found.status, found.advice) == ("note", "set it to null, or to fewer")


def test_a_check_process_that_cannot_be_started_is_found(findings: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bigchaindb.children.PYTHON", ("/nowhere",))
    assert findings()["checks"].status == "fix"
