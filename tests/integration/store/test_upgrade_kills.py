"""A writer that is killed while it writes an older ledger's checksums leaves old or new rows, and goes on."""

import os
import random
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

from bigchaindb.store import Store
from bigchaindb.store.checking import check_directory
from bigchaindb.store.directory import DataDirectory
from tests.support import scale
from tests.support.damage import GENERATION_ROWS, answers, write_older

PROGRAM: Final = f"""
import sys
from pathlib import Path
from bigchaindb.store import Store
from bigchaindb.store import upgrading

upgrading.STEP_COUNT_MAX = 1
store = Store.open(Path(sys.argv[1]), generation_rows={GENERATION_ROWS})
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
    with closing(Store.open(directory.path, generation_rows=GENERATION_ROWS)) as store:
        assert store.writer.upgrade_count == 0
        assert "damaged" not in answers(store, written).values()
