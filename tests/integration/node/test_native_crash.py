"""What is left of a process that native code has ended: which threads there were, and where each of them was.

Source: docs/how-to/run-a-node.md.
"""

import signal
from pathlib import Path
from typing import Final

from tests.support.node import running_node
from tests.support.packages import install
from tests.support.raw import until

STACKS: Final = "Fatal Python error: Segmentation fault"


def test_a_node_says_where_each_of_its_threads_was(tmp_path: Path) -> None:
    with running_node(tmp_path) as node:
        assert node.process is not None
        node.process.send_signal(signal.SIGSEGV)
        assert node.process.wait(20) == -signal.SIGSEGV
        assert STACKS in node.log
        assert "asyncio/runners.py" in node.log.partition(STACKS)[2]


async def test_so_does_a_plugin(tmp_path: Path) -> None:
    environment = install(tmp_path / "faulty", "faulty", "import ctypes\ndef run(queue):\n    ctypes.string_at(0)\n")
    with running_node(tmp_path, settings={"events_plugins": ["faulty"]}, environment=environment) as node:
        await until(lambda: "killed by SIGSEGV" in node.log, "the plugin's end")
        assert 'faulty_plugin.py", line 3 in run' in node.log.partition(STACKS)[2]
