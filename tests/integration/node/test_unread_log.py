"""A node whose standard error nobody reads: a terminal that was stopped, a supervisor that hangs.

Source: docs/how-to/run-a-node.md, "Look after it".
"""

import fcntl
import json
import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.transaction.build import create
from tests.support.chains import ALICE
from tests.support.http import request
from tests.support.node import COMMAND, Node, configuration_of
from tests.support.ports import free_ports
from tests.support.waiting import until

LOG_BYTES: Final = 20_000
PIPE_BYTES: Final = 4_096
LONG_PATH: Final = "x" * 4_000


@pytest.fixture
def node(tmp_path: Path) -> Node:
    (port,) = free_ports(1)
    more = {"metrics": {"bind": f"127.0.0.1:{port}"}, "limits": {"log_bytes_max": LOG_BYTES}}
    return Node(tmp_path, configuration_of(tmp_path, more), {}, COMMAND)


def dropped(node: Node) -> int:
    """Ask for what nobody has, which is a line each, and return how many lines were dropped."""
    assert node.get(LONG_PATH).status == 404
    text = request("GET", f"http://{node.settings['metrics']['bind']}/metrics").body.decode()
    (found,) = re.findall(r"^bigchaindb_log_dropped_lines_total (\d+)", text, re.MULTILINE)
    return int(found)


def test_it_goes_on_committing_says_what_was_dropped_and_stops(node: Node) -> None:
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    node.configuration.write_text(json.dumps(node.settings))
    command = [*COMMAND, "-c", str(node.configuration), "start"]
    try:
        node.process = subprocess.Popen(command, cwd=node.folder, stderr=theirs, start_new_session=True)
        until(node.answers, what="both ports", within_s=60)
        before = until(lambda: dropped(node), what="lines that found no room", within_s=60)
        for serial in range(3):
            assert node.post(create([ALICE], data={"serial": serial}).body).status == 202

        os.set_blocking(ours, False)
        said = b""

        def told() -> bool:
            nonlocal said
            with suppress(BlockingIOError):
                said += os.read(ours, 65_536)
            return b"log lines were dropped" in said

        until(told, what="the count of dropped lines", every_s=0.01)
        assert b"Listening to client connections" in said

        until(lambda: dropped(node) > before, what="lines that find no room again", within_s=60)
        assert node.stop() == 0
    finally:
        node.kill()
        os.close(ours)
        os.close(theirs)
