"""Freed bodies of documents are the system's again."""

import subprocess
import sys

FREED_MB = 64
SCRIPT = f"""
import sys
from pathlib import Path
from bigchaindb.serving.memory import give_back_large_blocks

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

if "bounded" in sys.argv:
    assert give_back_large_blocks()
del [bytes(31 * 2**20)][0]  # glibc would keep all blocks below the largest that was freed
before = resident_mb()
large = [b"x" * 2**20 for _ in range({FREED_MB})]
small = []
for index in range({FREED_MB}):
    small.append(b"y" * 200_000)
    large[index] = b""
print(resident_mb() - before)
"""


def test_large_blocks_leave_with_the_attack_that_brought_them() -> None:
    """Small blocks between them would keep them for ever."""
    grown_mb = float(subprocess.check_output([sys.executable, "-c", SCRIPT, "bounded"], timeout=60))
    assert grown_mb < FREED_MB / 2
