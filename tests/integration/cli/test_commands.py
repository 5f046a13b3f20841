"""The commands that need no node, as processes. Source: docs/reference/contract/configuration-and-cli.md, section 4."""

import json
import os
from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb import __version__
from bigchaindb.store import Store
from bigchaindb.store.directory import DataDirectory, DirectoryLock
from bigchaindb.store.own import Outbox
from tests.integration.cli.conftest import Run
from tests.support.chains import create


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
