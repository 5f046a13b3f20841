"""What is left of a process that native code has ended: which threads there were, and where each of them was.

Source: docs/how-to/run-a-node.md.
"""

import re
import signal
from pathlib import Path
from typing import Final

from tests.support.node import START_S, running_node
from tests.support.packages import install

STACKS: Final = "Fatal Python error: Segmentation fault"


def test_a_node_says_where_each_of_its_threads_was(tmp_path: Path) -> None:
    with running_node(tmp_path) as node:
        assert node.process is not None
        node.process.send_signal(signal.SIGSEGV)
        assert node.process.wait(START_S) == -signal.SIGSEGV
        assert STACKS in node.log
        assert "asyncio/runners.py" in node.log.partition(STACKS)[2]


def test_so_does_a_plugin(tmp_path: Path) -> None:
    environment = install(tmp_path / "faulty", "faulty", "import ctypes\ndef run(queue):\n    ctypes.string_at(0)\n")
    with running_node(tmp_path, settings={"events_plugins": ["faulty"]}, environment=environment) as node:
        node.until_logged("killed by SIGSEGV")
        node.until_logged(re.compile(rf'{STACKS}(?s:.*)faulty_plugin\.py", line 3 in run'))
