"""A disk without room, in the middle of a commit: nothing of it is written, and the node goes on when there is room."""

from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.store import Store
from bigchaindb.store.database import open_reader
from tests.integration.store.tracing import said, traced
from tests.support.lists import outputs


@pytest.mark.parametrize("first", [150, 171, 192])
def test_p1_blocks_that_found_no_room_are_committed_later(tmp_path: Path, first: int) -> None:
    """P1: what HTTP would answer from a half-written block, a crash would take back."""
    data, trace = tmp_path / "data", tmp_path / "trace"
    no_room = f"inject=pwrite64:error=ENOSPC:when={first}+37"
    with traced(data, trace, "-e", no_room, "-P", str(data / "ledger.db-wal"), then="insist") as process:
        assert said(process) == ["OPEN", "1", "0"]
        refused = 0
        while (line := said(process))[0] == "FULL":
            _, tip, head = line
            assert tip == head
            refused += 1
        assert line == ["COMMITTED", "20"]
        assert refused > 0

    with closing(Store(data)) as store, closing(open_reader(data / "ledger.db")) as reader:
        assert store.queries().statistics()["transactions"] == 1000
        assert len(outputs(store.queries(), "alice", spent=False)) == 1000
        assert reader.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
