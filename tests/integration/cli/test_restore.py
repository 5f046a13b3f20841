"""`restore`: the old data or the new, whole, whatever happens; and nothing of what was there is lost.

Source: docs/decisions/0043, 0037.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from bigchaindb.backup import back_up
from bigchaindb.engine.cometbft.files import Layout, make_folders, put_validator_state, write_genesis
from bigchaindb.engine.cometbft.genesis import GenesisValidator, NetworkGenesis
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.identity import make_chain_id, read_chain_id
from bigchaindb.key_files import new_keypair, write_keypair
from bigchaindb.store import Store
from bigchaindb.store.directory import DataDirectory, DirectoryLock
from bigchaindb.transaction.keys import decode_key
from tests.support.chains import create
from tests.support.decisions import Chain
from tests.support.node import COMMAND
from tests.support.services import require
from tests.support.small_disk import small_disk

IN_BACKUP: Final = 5
AT_HOME: Final = 8
STEPS: Final = ("mkdir", "rename", "renameat2", "unlink", "rmdir", "fsync", "unlinkat")
"""System calls that change something; Python's own start has none of them."""
STEP_COUNT_MIN: Final = 15
"""A restore has some more: fewer would mean that the test kills nothing."""


class Home:
    """A stopped node's data, and a backup of an earlier moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "here" / "data"
        self.backup = folder / "backup"
        self.data.parent.mkdir()
        self.configuration = folder / "node.json"
        self.settings: dict[str, Any] = {"database": {"path": str(self.data)}}

    def make(self) -> None:
        self.data.mkdir(0o700)
        make_chain_id(self.data)
        write_keypair(self.data / "keypair.json", new_keypair())
        self.commit(IN_BACKUP)
        (self.data / "lanes").mkdir(0o700)
        done = back_up(DataDirectory(self.data), self.backup, with_key=True, progress=lambda _done, _total: None)
        assert not done.damages
        self.commit(AT_HOME - IN_BACKUP)

    def commit(self, count: int) -> None:
        with closing(Store(self.data)) as store:
            store.adopt_chain(read_chain_id(self.data))
            chain = Chain(store.writer.tip())
            for _ in range(count):
                store.writer.commit(chain.valid(create(chain.tip.position)))

    def command(self, *arguments: str) -> list[str]:
        self.configuration.write_text(json.dumps(self.settings))
        self.configuration.chmod(0o600)
        return [*COMMAND, "-c", str(self.configuration), *arguments]

    def run(self, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        line = [*before, *self.command(*arguments)]
        environment = {**os.environ, "HOME": str(self.folder)}
        return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=120, check=False)

    def restore(self, *options: str) -> subprocess.CompletedProcess[str]:
        return self.run("restore", *options, str(self.backup))

    def beside(self) -> list[str]:
        """What lies beside the data directory, by name."""
        return sorted(path.name for path in self.data.parent.iterdir() if path != self.data)

    def kept(self) -> Path:
        (name,) = self.beside()
        assert re.fullmatch(r"data\.before-\d{8}T\d{6}", name)
        return self.data.parent / name


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.make()
    return made


def head(data: Path) -> int:
    with closing(sqlite3.connect(f"file:{data}/ledger.db?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT position FROM tip").fetchall()[0][0])


def contents(folder: Path) -> Mapping[str, bytes]:
    """Return every file below a folder that is no lock and nothing of a connection."""
    files = (path for path in folder.rglob("*") if path.is_file())
    names = {str(path.relative_to(folder)): path for path in files}
    return {name: path.read_bytes() for name, path in names.items() if not name.endswith(("lock", "-shm", "-wal"))}


def test_a_backup_takes_the_place_and_what_was_there_is_kept(home: Home) -> None:
    before = contents(home.data)
    done = home.restore()
    assert (done.returncode, done.stderr) == (0, "")
    chain = read_chain_id(home.data)
    first, second = done.stdout.splitlines()
    assert first == f"{home.data}: chain {chain}, height {IN_BACKUP}, position {IN_BACKUP}"
    assert second == f"The old data are kept as {home.kept()}"
    assert contents(home.kept()) == before
    assert contents(home.data) == contents(home.backup)
    for path in (home.data, *home.data.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    with closing(Store(home.data)) as store:
        assert not store.knows_node, "P8: no plugin goes on by itself"


def test_a_machine_of_a_restored_node_may_be_new(home: Home) -> None:
    """After a disk was lost there is neither folder nor key."""
    shutil.rmtree(home.data.parent)
    done = home.restore("--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert (report["path"], report["kept"], report["position"]) == (str(home.data), None, IN_BACKUP)
    assert home.beside() == []
    assert contents(home.data) == contents(home.backup)


def test_a_backup_may_be_a_medium_that_is_only_read(home: Home) -> None:
    before = contents(home.backup)
    for path in (*home.backup.rglob("*"), home.backup):
        path.chmod(0o500 if path.is_dir() else 0o400)
    assert home.restore().returncode == 0
    assert {str(path.relative_to(home.backup)) for path in home.backup.rglob("*") if path.is_file()} == set(before)
    assert (home.data / "ledger.db").stat().st_mode & 0o777 == 0o600


def test_a_running_node_keeps_its_data(home: Home) -> None:
    before = contents(home.data)
    with closing(DirectoryLock(DataDirectory(home.data))):
        done = home.restore()
    assert done.returncode == 1
    assert f"is in use by process {os.getpid()}" in done.stderr
    assert (contents(home.data), home.beside()) == (before, [])


def flip(path: Path, text: bytes) -> None:
    """Change one bit of the last place where a text stands."""
    content = bytearray(path.read_bytes())
    at = content.rindex(text)
    content[at] ^= 1
    path.write_bytes(content)


def test_a_damaged_backup_changes_nothing(home: Home) -> None:
    before = contents(home.data)
    flip(home.backup / "ledger.db", b'"operation":"CREATE"')
    done = home.restore()
    assert done.returncode == 3
    assert re.search(r"^ledger\.db: \w+ \d+: ", done.stderr, re.MULTILINE), done.stderr
    assert done.stderr.endswith(" is damaged, so nothing was changed: restore an older backup\n")
    assert (contents(home.data), home.beside()) == (before, [])


def test_a_backup_of_which_a_part_is_damaged_changes_nothing(home: Home) -> None:
    """A ledger under another chain id would give its events other ids; without node.db no node starts."""
    before = contents(home.data)
    kept = contents(home.backup)
    (home.backup / "chain_id").write_text("another\n")
    size = (home.backup / "node.db").stat().st_size
    for name, said in (
        ("chain_id", "chain_id: is another, and the ledger is of chain solo-"),
        ("node.db", "node.db: "),
    ):
        if name == "node.db":
            (home.backup / "chain_id").write_bytes(kept["chain_id"])
            with (home.backup / "node.db").open("r+b") as file:
                file.seek(size // 2)
                file.write(b"\xff" * (size // 2))
        done = home.restore()
        assert done.returncode == 3
        assert said in done.stderr
        assert (contents(home.data), home.beside()) == (before, [])


@pytest.mark.parametrize("command", ["restore", "check", "backup"])
def test_a_file_that_is_no_database_any_more_is_damage(home: Home, command: str) -> None:
    """Scripts tell by the exit code a backup that is worthless from one that could not be read today."""
    damaged = (home.backup if command == "restore" else home.data) / "ledger.db"
    with damaged.open("r+b") as file:
        file.write(b"T")
    others = {"restore": [str(home.backup)], "check": [], "backup": [str(home.folder / "another")]}
    done = home.run(command, *others[command])
    assert done.returncode == 3, done
    assert "ledger.db: file is not a database" in done.stdout + done.stderr


def test_a_damaged_ledger_gives_no_backup(home: Home) -> None:
    """The nightly backup finds out, and the older ones stay what they are."""
    flip(home.data / "ledger.db", b'"operation":"CREATE"')
    done = home.run("backup", str(home.folder / "another"))
    assert done.returncode == 3
    assert re.search(r"^ledger\.db: \w+ \d+: ", done.stderr, re.MULTILINE), done.stderr
    assert "No backup was made: the ledger in" in done.stderr
    assert done.stderr.endswith(" is damaged. Restore an older backup\n")
    assert not [path for path in home.folder.iterdir() if path.name.startswith("another")]


def without_ledger(home: Home) -> None:
    (home.backup / "ledger.db").unlink()


def with_lock(home: Home) -> None:
    (home.backup / "lock").touch()


def with_link(home: Home) -> None:
    (home.backup / "lanes" / "a.1").symlink_to("/etc/passwd")


def inside(home: Home) -> None:
    home.backup.rename(home.data / "backup")
    home.backup = home.data / "backup"


def not_there(home: Home) -> None:
    home.backup = home.folder / "nothing"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_ledger, "is not a backup, as it has no ledger.db"),
        (with_lock, "is not a backup but a node's data directory"),
        (with_link, "is not a regular file, so this is not a backup"),
        (inside, "lie one in the other"),
        (not_there, "is not a backup, as it has no chain_id"),
    ],
)
def test_what_is_no_backup_changes_nothing(home: Home, change: Callable[[Home], None], said: str) -> None:
    change(home)
    before = contents(home.data)
    done = home.restore()
    assert done.returncode == 1
    assert said in done.stderr
    assert (contents(home.data), home.beside()) == (before, [])


def test_a_disk_without_room_for_the_copy_keeps_its_data(home: Home) -> None:
    with small_disk(home.folder / "disk", size_bytes=1 << 20) as disk:
        home.settings["database"]["path"] = str(disk.path / "data")
        disk.fill(but=1 << 16)
        done = home.restore()
        assert done.returncode == 1
        assert "bytes are free there, and the copy takes about" in done.stderr
        disk.make_room()
        home.settings["database"]["path"] = str(disk.path)
        mounted = home.restore()
        assert "is a mount point, which cannot be exchanged" in mounted.stderr
        assert list(disk.path.iterdir()) == []


def killed_at(home: Home, call: str, count: int) -> bool:
    """Restore, and kill it at that call of the system; return whether it came so far."""
    fault = f"inject={call}:signal=SIGKILL:when={count}"
    before = ("strace", "-f", "-qq", "-e", f"trace={call}", "-e", fault, "-o", os.devnull)
    return home.run("restore", str(home.backup), before=before).returncode != 0


def test_a_restore_that_is_killed_leaves_the_old_data_or_the_new(home: Home) -> None:
    """At each step that changes something: no start may find half of two ledgers, or none."""
    require("strace")
    old, new = contents(home.data), contents(home.backup)
    killed = 0
    for call in STEPS:
        count = 1
        while killed_at(home, call, count):
            now = contents(home.data)
            assert now in (old, new), f"{call} {count}"
            assert home.data.stat().st_mode & 0o777 == 0o700
            folders = [folder for folder in home.data.parent.rglob("*") if (folder / "ledger.db").exists()]
            assert old in map(contents, folders), f"{call} {count}: what was there is lost"
            put_back(home, old)
            count += 1
        killed += count - 1
        put_back(home, old)
    assert killed >= STEP_COUNT_MIN
    assert new != old


def put_back(home: Home, old: Mapping[str, bytes]) -> None:
    """Restore once more, which tidies up; then put the old data back, from under the name that they have."""
    assert home.restore().returncode == 0
    kept = [home.data.parent / name for name in home.beside()]
    assert all(re.fullmatch(r"data\.before-\d{8}T\d{6}(-\d+)?", folder.name) for folder in kept)
    (first, *_) = [folder for folder in kept if contents(folder) == old]
    shutil.rmtree(home.data)
    first.rename(home.data)
    for name in home.beside():
        shutil.rmtree(home.data.parent / name)


def as_network(data: Path, *, chain: str) -> Layout:
    """Make a directory that of a network's node."""
    layout = Layout(data)
    make_folders(layout)
    key = decode_key(new_keypair().public_key)
    genesis = NetworkGenesis(
        chain_id=chain,
        genesis_time="2026-01-01T00:00:00Z",
        initial_height=1,
        app_hash=bytes(32),
        validators=(GenesisValidator(key, 10, "one"),),
        rules_version=RULES_VERSION,
    )
    write_genesis(layout, genesis.encode())
    return layout


@pytest.mark.parametrize("changed", [None, "chain", "key", "record"])
def test_what_a_key_has_signed_is_taken_over_where_chain_and_key_are_the_same(home: Home, changed: str | None) -> None:
    """An older record, or one of another key, lets a validator sign twice; none at all keeps it from starting."""
    layout = as_network(home.data, chain=read_chain_id(home.data))
    as_network(home.backup, chain=read_chain_id(home.data))
    if changed != "record":
        put_validator_state(layout, height=7, round_=0, step=3)
    if changed == "chain":
        (home.data / "chain_id").write_text("another\n")
    if changed == "key":
        (home.data / "keypair.json").unlink()
        write_keypair(home.data / "keypair.json", new_keypair())
    done = home.restore()
    assert done.returncode == 0
    assert ("The record of what this node's key has signed was taken over" in done.stdout) is (changed is None)
    assert ("`bigchaindb network signed HEIGHT`" in done.stdout) is (changed is not None)
    assert ("The public key has changed" in done.stdout) is (changed == "key")
    assert layout.validator_state.exists() is (changed is None)
    if changed is None:
        assert json.loads(layout.validator_state.read_text())["height"] == "7"


def test_a_key_that_the_backup_lacks_stays(home: Home) -> None:
    (home.backup / "keypair.json").unlink()
    key = (home.data / "keypair.json").read_text()
    done = home.restore()
    assert done.returncode == 0
    assert "holds no key pair: that of the old data was taken over" in done.stdout
    assert (home.data / "keypair.json").read_text() == key
