"""Durable before visible: what reaches the disk, and when, seen from outside by strace."""

import re
import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.store import Log, Store
from bigchaindb.store.own import Outbox
from tests.integration.store.tracing import kill_traced, said, traced
from tests.support.decisions import Chain, made


def leave_unsynced_block(data: Path) -> None:
    """Leave a block, and what a node was to remember, as a crash leaves them: in write-ahead logs, nobody attached."""
    copy = data.with_name("copy")
    with closing(Store(data)) as store:
        store.writer.commit(Chain().valid(made(1)))
        Outbox(store.node).put([("ab" * 32, b"body")])
        shutil.copytree(data, copy)  # the store is at rest; closing it would move the log home
    shutil.rmtree(data)
    copy.rename(data)
    for name in ("ledger.db-shm", "node.db-shm"):
        (data / name).unlink()


@pytest.fixture(scope="module")
def opened_after_crash(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """Return the system calls of a process that opens what a crash left, up to its report that it is open."""
    data, trace = tmp_path_factory.mktemp("crashed") / "data", tmp_path_factory.mktemp("trace") / "trace"
    leave_unsynced_block(data)
    with traced(data, trace) as process:
        assert said(process) == ["OPEN", "2", "1"]
    calls = trace.read_text().splitlines()
    return calls[: next(n for n, call in enumerate(calls) if '"OPEN' in call)]


@pytest.mark.parametrize("file", ["ledger", "node"])
def test_what_a_crash_left_is_synced_before_anything_is_served(opened_after_crash: Sequence[str], file: str) -> None:
    """P4, N7: the first to open a file recovers blocks or promises that may never have reached the disk."""
    wal = rf"\(\d+<[^>]*{file}\.db-wal>"
    synced = [n for n, call in enumerate(opened_after_crash) if re.search(r"f(data)?sync" + wal, call)]
    written = [n for n, call in enumerate(opened_after_crash) if re.search("pwrite64" + wal, call)]
    assert written, "no commit before the file is open"
    assert synced
    assert written[-1] < synced[-1], "a commit that is not synced"


def test_a_block_is_not_shown_while_its_sync_is_under_way(tmp_path: Path) -> None:
    """P4 for running readers, and that a kill within the sync leaves a ledger that opens."""
    data, trace = tmp_path / "data", tmp_path / "trace"
    with closing(Store(data)) as store:
        store.writer.commit(Chain().valid(made(1)))

    delay = "inject=fdatasync:delay_enter=60000000:when=7+"  # those before it are of the start
    with traced(data, trace, "-e", delay, then="commit") as process:
        assert said(process)[0] == "OPEN"
        wait_for(trace, r"fdatasync\(\d+<[^>]*ledger\.db-wal>", count=2)
        with closing(Log(data / "ledger.db")) as log:
            assert log.head() == 1
        kill_traced(process)
        assert said(process) == []

    with closing(Store(data)) as store, closing(store.log_reader()) as log:
        assert store.run == 3
        assert log.head() == store.writer.tip().position
        assert log.head() in (1, 2)


def wait_for(trace: Path, pattern: str, *, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(re.findall(pattern, trace.read_text())) < count:
        assert time.monotonic() < deadline, trace.read_text()
        time.sleep(0.01)
