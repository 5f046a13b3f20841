"""A writer that is killed while it brings an older ledger up to date leaves old or new rows, and goes on."""

import os
import random
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.eventlog.selection import Selection
from bigchaindb.store import NodeDb, Store
from bigchaindb.store.checking import check_directory
from bigchaindb.store.damages import Damages
from bigchaindb.store.database import open_reader
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.migrations import NAMES_VERSION, SUMMARY_VERSION
from bigchaindb.store.node_rows import SUBSCRIPTIONS, SUMS_VERSION, TABLES, Table, has_sums, summed_tables
from tests.support import scale
from tests.support.damage import (
    GENERATION_ROWS,
    OWNERS,
    answers,
    make_older_node,
    node_answers,
    write_node,
    write_older,
)

NODE_PROGRAM: Final = """
import os
import signal
import sys
from pathlib import Path
from bigchaindb.store import NodeDb, node_rows

left, checksum_of = int(sys.argv[2]), node_rows.checksum_of

def dying(*columns):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return checksum_of(*columns)

node_rows.checksum_of = dying
NodeDb(Path(sys.argv[1])).close()
"""
"""Dies at its n-th checksum."""
PROGRAM: Final = f"""
import sys
from pathlib import Path
from bigchaindb.store import NodeDb, Store
from bigchaindb.store import upgrading

upgrading.STEP_COUNT_MAX = 1
store = Store(Path(sys.argv[1]), generation_rows={GENERATION_ROWS})
while store.writer.upgrade():
    print(store.writer.upgrade_count, flush=True)
print(0, flush=True)
store.close()
"""


def test_a_kill_in_the_schema_step_leaves_old_or_new(tmp_path: Path) -> None:
    """A node that dies in its first minutes after an upgrade has lost nothing."""
    seed = scale.seed()
    draw = random.Random(seed)
    directory = DataDirectory(tmp_path / "data")
    written = write_older(directory, 3)
    left = written.position
    kill_count = 0
    while left:
        with subprocess.Popen([sys.executable, "-c", PROGRAM, str(directory.path)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            for _ in range(draw.randint(1, 2)):
                told = int(child.stdout.readline())
                assert told < left, "a killed step goes on where it was"
                left = told
                if not left:
                    break
            os.kill(child.pid, signal.SIGKILL)
            kill_count += 1
        checked = check_directory(directory, lambda *_: None)
        assert checked.damages == (), seed
        assert checked.unchecked_count <= left
    assert kill_count > 1
    with closing(Store(directory.path, generation_rows=GENERATION_ROWS)) as store:
        assert store.writer.upgrade_count == 0
        assert "damaged" not in answers(store, written).values()


NAMING_COUNT: Final = 2
"""Transactions of a piece: five pieces are all."""
NAMING_PROGRAM: Final = f"""
import os
import signal
import sys
from pathlib import Path
from bigchaindb.store import Store, naming

left, seal_one = 2, naming.seal_one

def dying(connection, table):
    global left
    left -= 1
    seal_one(connection, table)
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

naming.STEP_COUNT_MAX, naming.seal_one = {NAMING_COUNT}, dying
store = Store(Path(sys.argv[1]), generation_rows={GENERATION_ROWS})
while store.writer.index_names():
    pass
"""
"""Takes one piece, and dies within the second, right before it is committed."""


def test_a_kill_within_any_piece_of_the_index_of_names_leaves_it_out(tmp_path: Path) -> None:
    """Owners are scanned until the last piece is there, and nothing of it is lost or twice."""
    directory = DataDirectory(tmp_path / "data")
    written = write_older(directory, NAMES_VERSION - 1)
    left = len(written.transactions)
    while left:
        ended = subprocess.run([sys.executable, "-c", NAMING_PROGRAM, directory.path], check=False)
        left -= NAMING_COUNT
        assert ended.returncode == (-signal.SIGKILL if left else 0), "a killed step goes on where it was"
        assert check_directory(directory, lambda *_: None).damages == ()
    with closing(Store(directory.path, generation_rows=GENERATION_ROWS)) as store:
        assert store.writer.unnamed_count == 0
        assert store.queries().history_of_owner(OWNERS[0], None, written.position) is not None
        found = answers(store, written)
        assert "damaged" not in found.values()
        assert found[f"newest of {OWNERS[0]}"] == found[f"newest {Selection(owner=OWNERS[0])}"]


def test_a_kill_in_the_step_of_node_db_leaves_old_or_new(tmp_path: Path) -> None:
    """Lanes, parked events and promises are read as they were, whenever the first start is cut short."""
    path = tmp_path / "node.db"
    with closing(NodeDb(path)) as node:
        write_node(node)
        before = node_answers(node)
    make_older_node(path, 3)
    with closing(open_reader(path)) as reader:
        row_count = sum(
            reader.execute(f"SELECT count(*) FROM {one.name}").fetchone()[0]
            for one in TABLES
            if one.since <= SUMS_VERSION
        )
    for count in (1, row_count // 2, row_count, row_count + 1):
        ended = subprocess.run([sys.executable, "-c", NODE_PROGRAM, path, str(count)], check=False)
        assert ended.returncode == -signal.SIGKILL
        with closing(open_reader(path)) as reader:
            assert has_sums(reader) == (count > row_count)
        with closing(NodeDb(path, read_only=True)) as node:
            assert node_answers(node) == before
    damages = Damages()
    with closing(NodeDb(path, damages)) as node:
        assert (node_answers(node), damages.first) == (before, None)


TABLE_PROGRAM: Final = """
import os
import signal
import sys
from pathlib import Path
from bigchaindb.store import NodeDb, migrations

run_script = migrations.run_script

def dying(connection, name):
    run_script(connection, name)
    os.kill(os.getpid(), signal.SIGKILL)

migrations.run_script = dying
NodeDb(Path(sys.argv[1])).close()
"""
"""Dies when a table is made, before the step is committed."""


@pytest.mark.parametrize("table", [one for one in TABLES if one.since > SUMS_VERSION], ids=lambda table: table.name)
def test_a_kill_in_the_step_of_a_new_table_leaves_old_or_new(table: Table, tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    with closing(NodeDb(path)) as node:
        write_node(node)
        before = node_answers(node)
    make_older_node(path, table.since - 1)
    for _ in range(2):
        ended = subprocess.run([sys.executable, "-c", TABLE_PROGRAM, path], check=False)
        assert ended.returncode == -signal.SIGKILL
        with closing(open_reader(path)) as reader:
            assert not [one for one in summed_tables(reader) if one.since >= table.since]
        with closing(NodeDb(path, read_only=True)) as node:
            assert node_answers(node) == before
            assert table.since > SUBSCRIPTIONS.since or node.subscriptions() == []
    with closing(NodeDb(path)) as node:
        assert (node_answers(node), node.rows(table)) == (before, [])


LEDGER_PROGRAM: Final = """
import os
import signal
import sys
from pathlib import Path
from bigchaindb.store import Store, migrations

statement_count, statements = int(sys.argv[2]), migrations.statements

def dying(script):
    for number, one in enumerate(statements(script)):
        if number == statement_count:
            os.kill(os.getpid(), signal.SIGKILL)
        yield one
    os.kill(os.getpid(), signal.SIGKILL)

migrations.statements = dying
Store(Path(sys.argv[1])).close()
"""
"""Dies within a step of ledger.db, before it is committed."""


@pytest.mark.parametrize(
    ("version", "statement_count"),
    [(version, count) for version in (SUMMARY_VERSION, NAMES_VERSION) for count in (0, 1, 2, 3)],
)
def test_a_kill_in_a_schema_step_leaves_old_or_new(version: int, statement_count: int, tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    written = write_older(directory, version - 1)
    for _ in range(2):
        ended = subprocess.run(
            [sys.executable, "-c", LEDGER_PROGRAM, directory.path, str(statement_count)], check=False
        )
        assert ended.returncode == -signal.SIGKILL
        assert check_directory(directory, lambda *_: None).damages == ()
    with closing(Store(directory.path, generation_rows=GENERATION_ROWS)) as store:
        assert "damaged" not in answers(store, written).values()
    assert check_directory(directory, lambda *_: None).damages == ()
