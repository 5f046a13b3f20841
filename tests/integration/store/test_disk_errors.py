"""A disk that answers EIO: the error must point at the disk, not at a damaged ledger."""

from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.store import Store
from tests.integration.store.tracing import traced
from tests.support.event_logs import LogWriter


@pytest.mark.parametrize(
    ("file", "first"), [*(("ledger.db", n) for n in range(1, 7)), *(("node.db", n) for n in range(1, 5))]
)
def test_a_disk_that_cannot_read_is_called_that(tmp_path: Path, file: str, first: int) -> None:
    """SQLite says "database disk image is malformed" from the fourth read on."""
    data = tmp_path / "data"
    with closing(Store(data)) as store:
        writer = LogWriter(store.writer)
        for _ in range(20):
            writer.valid(2)
    fault = ("-e", f"inject=pread64:error=EIO:when={first}+", "-P", str(data / file))
    with traced(data, tmp_path / "trace", *fault, then="commit", reads=True) as process:
        _, said = process.communicate()
        assert process.returncode != 0
    last = said.strip().splitlines()[-1]
    assert last.startswith("bigchaindb.errors.StoreError: "), last
    assert f"{file}: the disk " in last
    assert "dmesg" in last
    assert "malformed" not in last
    Store(data).close()  # nothing was wrong with the files
