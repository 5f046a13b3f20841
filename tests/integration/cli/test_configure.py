"""`configure` and `show-config`, as processes. Source: docs/reference/contract/configuration-and-cli.md, section 4."""

import json
import re
from pathlib import Path
from typing import Final

import pytest

from tests.integration.cli.conftest import Run

MASK: Final = "x" * 45


def test_configure_makes_the_file_that_c_names(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    result = run("-y", "-c", str(path), "configure")
    assert (result.returncode, result.stdout) == (0, "")
    folder = json.loads(path.read_text())["database"]["path"].replace("~", str(tmp_path))
    kept = f"The ledger is kept in {folder} (database.path)\n"
    assert result.stderr == f"{kept}Configuration written to {path}\nReady to go!\n"
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    document = json.loads(text)
    assert text.startswith('{\n    "server": {\n        "bind": "localhost:9984"')
    assert re.fullmatch("[1-9A-HJ-NP-Za-km-z]{43,44}", document["keypair"]["public"])
    assert run("-c", str(path), "export-my-pubkey").stdout == f"{document['keypair']['public']}\n"


def test_configure_names_a_ledger_that_is_there_already(run: Run, tmp_path: Path) -> None:
    """Two configurations with one folder are one node: a second trial must not go on with the first unseen."""
    first = run("-y", "-c", "first.json", "configure", BIGCHAINDB_DATABASE_PATH=str(tmp_path / "data"))
    assert "holds a ledger already" not in first.stderr
    assert run("-c", "first.json", "init").returncode == 0
    second = run("-y", "-c", "second.json", "configure", BIGCHAINDB_DATABASE_PATH=str(tmp_path / "data"))
    assert (second.returncode, second.stdout) == (0, "")
    assert f"The ledger is kept in {tmp_path}/data (database.path)\nMind that this folder holds a" in second.stderr
    assert "name another folder in database.path" in second.stderr
    answered = run("-c", "first.json", "configure", answers="y\n" + "\n" * 5)
    assert "holds a ledger already" not in answered.stderr, "its own"


def test_configure_asks_and_explains_wrong_answers(run: Run, tmp_path: Path) -> None:
    answers = "0.0.0.0:1234\nhttp\nwss\n0.0.0.0\n1234\n1235\ndata\n"
    result = run("configure", answers=answers)
    assert (result.returncode, result.stdout) == (0, "")
    assert "wsserver.scheme: must be 'ws' or 'wss', found 'http'" in result.stderr
    assert "wsserver.port: 1234 is also the port of server.bind" in result.stderr
    document = json.loads((tmp_path / ".bigchaindb").read_text())
    assert document["server"] == {"bind": "0.0.0.0:1234"}
    assert document["wsserver"] == {"scheme": "wss", "host": "0.0.0.0", "port": 1235}
    assert document["database"] == {"backend": "sqlite", "path": str(tmp_path / "data")}


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "yes\n", "Y\n"])
def test_only_y_changes_a_configuration(run: Run, tmp_path: Path, answer: str) -> None:
    path = tmp_path / ".bigchaindb"
    path.write_text("{}")
    result = run("configure", answers=answer)
    question = f"Config file `{path}` exists, do you want to override it? (cannot be undone) [y/N]: "
    assert result.stderr.startswith(question)
    assert (result.returncode, path.read_text()) == (0, "{}")
    assert run("configure", answers="y\n" + "\n" * 5).returncode == 0
    assert path.read_text() == "{}"
    assert run("configure", answers="y\n\n\n\n1235\n\n").returncode == 0
    assert json.loads(path.read_text()) == {"wsserver": {"port": 1235}}


FULL: Final = {
    "server": {"bind": "localhost:1984"},
    "wsserver": {"port": 1985, "advertised_host": "node.example"},
    "database": {"path": "data", "password": "hunter22"},
    "network": {"peers": [f"{'0' * 40}@other.example:26656"]},
    "events_plugins": {"sales": {"options": {"file": "sales.txt"}}},
    "a key of later": {"that": "stays"},
}


def test_y_keeps_a_configuration_that_is_there(run: Run, tmp_path: Path) -> None:
    """Images run `-y configure` before each start: a key pair, plugins or peers must not go with it."""
    path = tmp_path / ".bigchaindb"
    for text in (json.dumps(FULL), "no JSON at all"):
        path.write_text(text)
        path.chmod(0o640)
        result = run("-y", "configure")
        assert (result.returncode, result.stdout) == (0, "")
        said = f"Configuration kept: {path}; --new writes a fresh one and keeps this as {path}.1\n"
        assert result.stderr == said
        assert (path.read_text(), path.stat().st_mode & 0o777) == (text, 0o640)
    assert [entry.name for entry in tmp_path.iterdir()] == [".bigchaindb"]


def test_answers_change_nothing_else_in_a_configuration(run: Run, tmp_path: Path) -> None:
    path = tmp_path / ".bigchaindb"
    path.write_text(json.dumps(FULL))
    result = run("configure", answers="y\nlocalhost:2984\n\n127.0.0.1\n\n\n")
    assert (result.returncode, result.stdout) == (0, "")
    assert "(default `localhost:1984`)" in result.stderr
    assert "(default `1985`)" in result.stderr
    assert result.stderr.endswith(
        f"The ledger is kept in {tmp_path}/data (database.path)\nConfiguration written to {path}\nReady to go!\n"
    )
    assert json.loads(path.read_text()) == FULL | {
        "server": {"bind": "localhost:2984"},
        "wsserver": {"port": 1985, "advertised_host": "node.example", "host": "127.0.0.1"},
    }


def test_new_writes_a_fresh_configuration_and_keeps_the_old_ones(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    path.write_text("first")
    path.chmod(0o644)
    keys = set()
    for number in (1, 2):
        result = run("-y", "-c", str(path), "configure", "--new")
        assert (result.returncode, result.stdout) == (0, "")
        kept = tmp_path / f"node.json.{number}"
        assert result.stderr.startswith(f"The previous file is kept as {kept}\nThe ledger is kept in ")
        assert [file.stat().st_mode & 0o777 for file in (path, kept)] == [0o600, 0o600]
        keys.add(json.loads(path.read_text())["keypair"]["public"])
    assert (tmp_path / "node.json.1").read_text() == "first"
    assert len(keys) == 2
    assert run("-y", "-c", str(tmp_path / "new.json"), "configure", "--new").returncode == 0


def test_a_configuration_that_cannot_be_read_is_not_asked_about(run: Run, tmp_path: Path) -> None:
    path = tmp_path / ".bigchaindb"
    path.write_text("{,}")
    result = run("configure", answers="y\n")
    assert result.returncode == 1
    assert f"`configure --new` writes a fresh file and keeps this one as {path}.1" in result.stderr
    assert path.read_text() == "{,}"


def test_a_configuration_in_a_folder_that_is_not_there_is_refused(run: Run, tmp_path: Path) -> None:
    result = run("-y", "-c", "none/node.json", "configure")
    assert result.returncode == 1
    assert "cannot write the configuration file `none/node.json`: No such file or directory; make its" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_configure_without_answers_says_so_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    result = run("configure")
    assert result.returncode == 1
    assert "`bigchaindb -y configure` takes the defaults" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_configure_prints_for_a_dash(run: Run, tmp_path: Path) -> None:
    result = run("-y", "-c", "-", "configure", BIGCHAINDB_WSSERVER_PORT="1")
    assert result.returncode == 0
    document = json.loads(result.stdout)
    assert result.stdout == json.dumps(document, indent=4, sort_keys=True) + "\n"
    assert document["wsserver"]["port"] == 1
    assert list(tmp_path.iterdir()) == []


def test_configure_keeps_a_link(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".bigchaindb").symlink_to("real.json")
    run("-y", "configure")
    assert (tmp_path / ".bigchaindb").is_symlink()
    assert (tmp_path / "real.json").exists()


def test_configure_takes_its_own_backend_and_no_other(run: Run) -> None:
    assert run("-y", "configure", "sqlite").returncode == 0
    assert "unknown backend 'oracle'" in run("-y", "configure", "oracle").stderr


def test_show_config_is_the_sum_without_secrets(run: Run, tmp_path: Path) -> None:
    path = tmp_path / ".bigchaindb"
    run("-y", "configure")
    document = json.loads(path.read_text())
    private = document["keypair"]["private"]
    document["events_plugins"] = {"sink": {"options": {"url": "amqp://u:hunter22@h", "deep": [{"token": "hunter22"}]}}}
    document["CONFIGURED"] = True
    path.write_text(json.dumps(document))
    result = run("-l", "debug", "show-config", BIGCHAINDB_WSSERVER_PORT="77")
    shown = json.loads(result.stdout)
    assert result.stdout == json.dumps(shown, indent=4, sort_keys=True) + "\n"
    assert shown["keypair"] == {"public": document["keypair"]["public"], "private": MASK}
    assert shown["events_plugins"]["sink"]["options"] == {"url": f"amqp://u:{MASK}@h", "deep": [{"token": MASK}]}
    assert (shown["wsserver"]["port"], shown["log"]["level_console"]) == (77, "debug")
    assert "CONFIGURED" not in shown
    for secret in (private, "hunter22"):
        assert secret not in result.stdout + result.stderr


def test_show_config_leaves_null_null(run: Run) -> None:
    result = run("show-config")
    assert json.loads(result.stdout)["keypair"] == {"private": None, "public": None}
    assert "[info] Cannot find config file `" in result.stderr
