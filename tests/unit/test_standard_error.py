"""Standard streams that whoever started the node has closed."""

import subprocess
import sys

import pytest

_PROGRAM = """
import os
from bigchaindb.standard_error import fill_standard_streams
for descriptor in {closed}:
    os.close(descriptor)
fill_standard_streams()
os._exit(os.open(os.devnull, os.O_RDONLY))
"""


@pytest.mark.parametrize("closed", [(), (0,), (2,), (0, 1, 2)])
def test_no_file_of_the_node_s_gets_the_descriptor_of_a_standard_stream(closed: tuple[int, ...]) -> None:
    """A node without standard input was aborted at each stop; its log could end up in a file of its own."""
    ended = subprocess.run([sys.executable, "-c", _PROGRAM.format(closed=closed)], check=False)
    assert ended.returncode > 2  # the first descriptor that is free
