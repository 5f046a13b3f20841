"""The commands that need no node, as processes. Source: docs/reference/contract/configuration-and-cli.md, section 4."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

import pytest

from bigchaindb import __version__
from bigchaindb.store import Store
from bigchaindb.store.directory import DataDirectory, DirectoryLock
from bigchaindb.store.own import Outbox
from tests.support.chains import create

COMMAND: Final = str(Path(sys.executable).with_name("bigchaindb"))
MASK: Final = "x" * 45

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command line in an empty home."""

    def run_it(*arguments: str, answers: str = "", **environ: str) -> CompletedProcess[str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("BIGCHAINDB_", "PYTHON"))}
        return subprocess.run(
            [COMMAND, *arguments],
            input=answers,
            env={**inherited, "HOME": str(tmp_path), **environ},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run_it


def test_no_command_is_help(run: Run) -> None:
    result = run()
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == run("-h").stdout == run("--help").stdout
    assert "configure" in result.stdout


@pytest.mark.parametrize("argument", ["-v", "--version", "version"])
def test_the_version_is_printed(run: Run, argument: str) -> None:
    assert run(argument).stdout == f"bigchaindb {__version__}\n"


@pytest.mark.parametrize("argument", ["--help", "version"])
def test_help_and_version_are_quick(run: Run, argument: str) -> None:
    """A command that is typed often must not be waited for: none of what takes long to import is."""
    imported = {line.split("|")[-1].strip() for line in run(argument, PYTHONPROFILEIMPORTTIME="1").stderr.splitlines()}
    assert "bigchaindb.cli" in imported
    assert not imported & {"aiohttp", "asyncio", "msgspec", "nacl", "prometheus_client", "sqlite3", "uvloop"}


def test_python_without_asserts_is_refused(run: Run) -> None:
    result = run("version", PYTHONOPTIMIZE="1")
    assert (result.returncode, result.stdout) == (1, "")
    assert "-O" in result.stderr


@pytest.mark.parametrize("arguments", [("show-config",), ("plugins", "list", "--json"), ("keys", "new")])
def test_c_may_stand_behind_every_command(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "node.json").write_text('{"database": {"path": "here"}}')
    before, behind = run("-c", "node.json", *arguments), run(*arguments, "-c", "node.json")
    assert behind.returncode == before.returncode == 0
    if arguments != ("keys", "new"):
        assert behind.stdout == before.stdout
    assert run("-c", "missing.json", "show-config", "--config", "node.json").returncode == 0, "the last one counts"


def test_c_may_stand_behind_a_group(run: Run, tmp_path: Path) -> None:
    (tmp_path / "node.json").write_text('{"database": {"path": "here"}}')
    assert f"no node runs over `{tmp_path}/here`" in run("plugins", "-c", "node.json", "list").stderr


def test_wrong_calls_have_exit_code_2(run: Run) -> None:
    assert run("nonsense").returncode == 2
    assert run("-l", "loud", "version").returncode == 2


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


@pytest.mark.parametrize("backend", ["rethinkdb", "mongodb", "localmongodb"])
def test_old_backends_are_refused_by_every_way(run: Run, tmp_path: Path, backend: str) -> None:
    (tmp_path / "old.json").write_text(json.dumps({"database": {"backend": backend}}))
    for result, origin in (
        (run("-y", "configure", backend), f"`configure {backend}`"),
        (run("start", BIGCHAINDB_DATABASE_BACKEND=backend), "BIGCHAINDB_DATABASE_BACKEND"),
        (run("-c", "old.json", "start"), "`old.json`"),
        (run("-c", "old.json", "init"), "`old.json`"),
    ):
        assert (result.returncode, result.stdout) == (1, "")
        assert backend in result.stderr
        assert origin in result.stderr
        assert "not imported" in result.stderr
        assert "Traceback" not in result.stderr
        assert result.stderr.count("\n") == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["old.json"]


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


def test_only_a_command_about_the_file_says_that_it_was_loaded(run: Run, tmp_path: Path) -> None:
    """A line before every answer is one that nobody reads."""
    run("-y", "configure")
    assert f"[info] Configuration loaded from `{tmp_path}/.bigchaindb`" in run("show-config").stderr
    assert "Configuration loaded" not in run("init").stderr
    assert run("export-my-pubkey").stderr == ""


def test_options_in_a_file_that_is_not_there_are_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "binary.json").write_bytes(b"\xff")
    for name, why in (("missing.json", "cannot read the file `missing.json`: No such"), ("binary.json", "not UTF-8")):
        result = run("plugins", "check", "sales", "--options", f"@{name}")
        assert result.returncode == 1
        assert result.stderr.splitlines()[-1].startswith("bigchaindb: --options: ")
        assert why in result.stderr


def test_a_missing_file_that_c_names_is_fatal(run: Run) -> None:
    result = run("-c", "missing.json", "show-config")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "bigchaindb: no such file: `missing.json`, which -c names and which must exist; correct the name. "
        "`bigchaindb -y -c missing.json configure` makes a new one\n"
    )


def test_a_key_that_is_nowhere_cannot_be_exported(run: Run) -> None:
    result = run("export-my-pubkey")
    assert (result.returncode, result.stdout) == (1, "")
    assert "This node's public key wasn't set anywhere so it can't be exported" in result.stderr
    assert run("init").returncode == 0
    assert len(run("export-my-pubkey").stdout) > 40


def test_init_is_idempotent_and_drop_asks(run: Run, tmp_path: Path) -> None:
    data = tmp_path / ".local/share/bigchaindb"
    assert run("init").returncode == 0
    assert data.stat().st_mode & 0o777 == 0o700
    chain_id, key = (data / "chain_id").read_text(), (data / "keypair.json").read_text()
    again = run("init")
    assert again.returncode == 0
    assert again.stderr.endswith("The database already exists.\nIf you wish to re-initialize it, first drop it.\n")
    assert "Do you want to drop `bigchain` database? [y/n]: " in run("drop", answers="n\n").stderr
    unanswered = run("drop")
    assert unanswered.returncode == 1
    assert "standard input ended before an answer, so nothing was deleted; `bigchaindb -y drop`" in unanswered.stderr
    assert (data / "ledger.db").exists()
    assert run("drop", answers="y\n").returncode == 0
    assert sorted(entry.name for entry in data.iterdir()) == ["keypair.json", "lock"]
    missing = run("-y", "drop")
    assert missing.returncode == 0
    assert missing.stderr.endswith("Cannot drop 'bigchain'. The database does not exist.\n")
    run("init")
    assert (data / "chain_id").read_text() != chain_id
    assert (data / "keypair.json").read_text() == key


def test_drop_keeps_what_was_accepted_and_is_undecided(run: Run, tmp_path: Path) -> None:
    data = tmp_path / ".local/share/bigchaindb"
    accepted = [create(number) for number in range(4)]
    for part in (accepted[:2], accepted[2:]):
        run("init")
        with closing(Store(data)) as store:
            Outbox(store.node).put([(one.id, one.body) for one in part])
        dropped = run("-y", "drop")
        assert f"may be in no block were written to {data}/undecided.jsonl: 2." in dropped.stderr
        assert not (data / "node.db").exists()
    assert (data / "undecided.jsonl").read_bytes().splitlines() == [one.body for one in accepted]


def test_data_that_nobody_can_read_can_be_dropped(run: Run, tmp_path: Path) -> None:
    data = tmp_path / ".local/share/bigchaindb"
    run("init")
    (data / "node.db").write_bytes(b"no database at all" * 1_000)
    dropped = run("-y", "drop")
    assert dropped.returncode == 0, dropped
    assert "cannot be read: node.db: " in dropped.stderr
    assert not (data / "ledger.db").exists()


def test_data_in_use_is_neither_dropped_nor_served_twice(run: Run, tmp_path: Path) -> None:
    run("init")
    lock = DirectoryLock(DataDirectory(tmp_path / ".local/share/bigchaindb"))
    try:
        for command in (("-y", "drop"), ("start",)):
            result = run(*command)
            assert result.returncode == 1
            assert f"is in use by process {os.getpid()}" in result.stderr
            assert "Traceback" not in result.stderr
    finally:
        lock.close()


def test_start_without_a_ledger_and_without_init_is_refused(run: Run, tmp_path: Path) -> None:
    result = run("start", "--no-init")
    assert result.returncode == 1
    assert "run `bigchaindb init`" in result.stderr
    assert not (tmp_path / ".local").exists()


@pytest.mark.parametrize("has_ledger", [False, True])
def test_a_node_that_is_meant_for_a_network_does_not_start_alone(run: Run, tmp_path: Path, *, has_ledger: bool) -> None:
    """Its data were wiped, or nobody has let it join: clients would be told what no other node has."""
    if has_ledger:
        run("init")
    result = run("start", BIGCHAINDB_NETWORK_PEERS=f"{'7f' * 20}@one.example:26656")
    assert result.returncode == 1
    assert "is part of no network: `bigchaindb network init` or `join` makes it part of one" in result.stderr
    assert (tmp_path / ".local").exists() is has_ledger


def test_start_refuses_to_start_rethinkdb(run: Run, tmp_path: Path) -> None:
    result = run("start", "--dev-start-rethinkdb")
    assert result.returncode == 1
    assert "--dev-start-rethinkdb" in result.stderr
    assert "not imported" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_keys_are_kept_in_files(run: Run, tmp_path: Path) -> None:
    made = run("keys", "new", "--output", "alice.json")
    assert made.stdout == run("keys", "show", "alice.json").stdout
    assert (tmp_path / "alice.json").stat().st_mode & 0o777 == 0o600
    assert run("keys", "new", "--output", "alice.json").returncode == 1
    assert set(json.loads(run("keys", "new").stdout)) == {"public", "private"}


def test_a_private_key_may_come_from_the_environment_or_standard_input(run: Run) -> None:
    pair = json.loads(run("keys", "new").stdout)
    create = ("transactions", "create", "--asset", '{"a": 1}', "--dry-run", "--json")
    signed = run(*create, BIGCHAINDB_PRIVATE_KEY=pair["private"])
    assert json.loads(signed.stdout)["outputs"][0]["public_keys"] == [pair["public"]]
    typed = run(*create, answers=f"{pair['private']}\n")
    assert typed.stdout == signed.stdout
    wrong = run(*create, BIGCHAINDB_PRIVATE_KEY="hunter22")
    assert wrong.returncode == 1
    assert "hunter22" not in wrong.stderr
    assert run(*create).returncode == 1


def test_wrong_transactions_are_explained(run: Run) -> None:
    run("keys", "new", "--output", "a.json")
    create = ("transactions", "create", "--key-file", "a.json", "--dry-run")
    for arguments, said in (
        (("--asset", "{"), "--asset: not JSON"),
        (("--asset", "{name: 1}"), """write names and texts in double quotes: '{"name": "text"}'"""),
        (("--asset", "a.json"), "a file as @FILE"),
        (("--asset", "[]"), "--asset: expected an object"),
        (("--to", "nobody"), "--to: "),
        (("--asset", "@missing"), "missing"),
    ):
        result = run(*create, *arguments)
        assert result.returncode == 1
        assert said in result.stderr
        assert "Traceback" not in result.stderr


def test_doctor_has_a_word_for_machines(run: Run) -> None:
    result = run("doctor", "--json", BIGCHAINDB_SERVER_BIND="127.0.0.1:0", BIGCHAINDB_WSSERVER_PORT="0")
    report = json.loads(result.stdout)
    assert result.returncode == (0 if report["ok"] else 1)
    assert {"python", "configuration", "file system"} <= {finding["subject"] for finding in report["findings"]}


def test_plugins_that_are_enabled_and_not_installed_are_listed(run: Run) -> None:
    result = run("plugins", "list", "--json", BIGCHAINDB_EVENTS_PLUGINS="nobody_has_this")
    (row,) = [row for row in json.loads(result.stdout) if row["name"] == "nobody_has_this"]
    assert (row["package"], row["enabled"], row["state"]) == (None, True, None)
    assert "(not installed)" in run("plugins", "list", BIGCHAINDB_EVENTS_PLUGINS="nobody_has_this").stdout
