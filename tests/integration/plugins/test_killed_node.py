"""The node itself is killed: its plugins end, and its successor's go on. Source: promises P2, P6 and P12."""

import itertools
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support import scale
from tests.support.processes import children_of, is_gone
from tests.support.waiting import until, whole_lines

NODE = Path(__file__).with_name("node.py")


@pytest.mark.timeout(120 + 3 * scale.HOST_KILLS)
def test_nothing_is_lost_when_the_node_is_killed_at_any_moment(tmp_path: Path, misbehaving: Path) -> None:
    moments = random.Random(scale.seed())
    record, kills = tmp_path / "seen", scale.HOST_KILLS
    for run in range(kills):
        with running_node(tmp_path, misbehaving, run) as node:
            time.sleep(moments.random() * 0.4)
            plugin = pid_of_plugin(node.pid)
        until(partial(is_gone, plugin), what="the plugin's end")
    with running_node(tmp_path, misbehaving, kills) as node:
        assert node.stdout is not None
        head = int(node.stdout.readline().split()[1])
        until(lambda: positions(record)[-1:] >= [head], what="the last event")
    seen = positions(record)
    assert sorted(set(seen)) == list(range(1, max(seen) + 1))
    assert all(after - before in {0, 1} for before, after in itertools.pairwise(seen))
    assert len(seen) <= max(seen) + kills


@contextmanager
def running_node(folder: Path, packages: Path, seed: int, *, fault: str = "") -> "Iterator[subprocess.Popen[str]]":
    """Run a node with its plugin until the block ends, then kill it."""
    environment = os.environ | {"PYTHONPATH": str(packages)}
    command = [sys.executable, str(NODE), str(folder), str(seed), fault]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as node:
        try:
            assert node.stdout is not None
            assert node.stdout.readline() == "running\n"
            yield node
        finally:
            node.kill()


def pid_of_plugin(node: int) -> int:
    (outer,) = children_of(node)
    (inner,) = children_of(outer)
    (plugin,) = children_of(inner)
    return plugin


def positions(record: Path) -> list[int]:
    return [int(line.split()[0]) for line in whole_lines(record)]
