"""A node of a network that is killed has each rejected transaction in its outbox or in its log, never in both."""

import os
import random
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

from bigchaindb.store.checking import check_directory
from bigchaindb.store.database import Readers
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.node_db import NodeDb
from bigchaindb.store.own import Outbox
from bigchaindb.store.rejected import RejectedLog
from bigchaindb.store.store import Store
from tests.support import scale

PROGRAM: Final = """
import sys
from contextlib import closing
from pathlib import Path
from bigchaindb.ledger.ports import RejectedRow
from bigchaindb.store.node_db import NodeDb
from bigchaindb.store.own import Outbox

node = NodeDb(Path(sys.argv[1]))
outbox, number = Outbox(node), int(sys.argv[2])
while True:
    ids = [f"{one:064x}" for one in range(number, number + 7)]
    number += 7
    outbox.put([(id_, b"{}" * 500) for id_ in ids])
    print(ids[-1], flush=True)
    for part in (ids[:3], ids[3:]):
        outbox.reject([RejectedRow(id_, id_, "DoubleSpend", "taken", b"{}" * 500) for id_ in part], part)
"""


def test_p21_a_kill_leaves_each_rejected_transaction_in_one_place(tmp_path: Path) -> None:
    """In none it would be lost; in both its client would be told twice, once again after the next start."""
    seed = scale.seed()
    draw = random.Random(seed)
    Store(tmp_path / "data").close()
    directory = DataDirectory(tmp_path / "data")
    last, kill_count = -1, 0
    for _ in range(8):
        command = [sys.executable, "-c", PROGRAM, str(directory.node), str(last + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            for _ in range(draw.randint(1, 20)):
                last = int(child.stdout.readline(), 16)
            while draw.random() < 0.9:
                os.sched_yield()
            os.kill(child.pid, signal.SIGKILL)
            for line in child.stdout:  # put before it died, and not read yet
                last = int(line, 16)
            kill_count += 1
        with closing(NodeDb(directory.node)) as node, closing(Readers(directory.node)) as readers:
            head = RejectedLog(readers).head()
            waiting = [int(id_, 16) for id_, _ in Outbox(node).all()]
            recorded = [int(id_, 16) for (id_,) in node.read("SELECT id FROM rejected_transactions ORDER BY seq")]
            assert len(recorded) == len(set(recorded)) == head, seed
            # What was put and not told was put whole, and nothing of it was recorded.
            assert sorted({*recorded, *waiting}) == list(range(len(recorded) + len(waiting))), seed
            assert {*recorded}.isdisjoint(waiting), seed
            last = len(recorded) + len(waiting) - 1
        assert check_directory(directory, lambda *_: None).damages == (), seed
    assert kill_count == 8
