"""Nothing that a plugin starts outlives its process, its keepers or the node. Source: decision 0046; promise P12.

A user loses this: a child that was left behind goes on writing into the plugin's target beside its successor.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.plugins.conftest import Running
from tests.integration.plugins.conftest import until as until_on_loop
from tests.integration.plugins.test_killed_node import running_node
from tests.support.processes import children_of, is_gone
from tests.support.scale import DESCENDANT_KILLS
from tests.support.waiting import until

KINDS = 5
GONE_S = 60.0


@pytest.mark.parametrize("victim", ["host", "outer keeper", "inner keeper"])
async def test_what_a_plugin_started_ends_with_its_process_or_keeper(running: Running, victim: str) -> None:
    running.commit(1)
    others = set(children_of(os.getpid()))
    await running.run(fault="descendants", at=1, times=DESCENDANT_KILLS + 1)
    children = Path(f"{running.record}.children")
    for kill in range(1, DESCENDANT_KILLS + 1):
        await until_on_loop(lambda: len(written(children)) >= KINDS * kill, what="the descendants")  # noqa: B023
        (outer,) = set(children_of(os.getpid())) - others
        (inner,) = children_of(outer)
        host = min(children_of(inner))
        left = [host, *written(children)[-KINDS:]]
        os.kill({"host": host, "outer keeper": outer, "inner keeper": inner}[victim], signal.SIGKILL)
        await until_on_loop(gone(left), what=f"the end of {left}", within_s=GONE_S)


def test_what_a_plugin_started_ends_with_the_node(tmp_path: Path, misbehaving: Path) -> None:
    children = tmp_path / "seen.children"
    for kill in range(1, DESCENDANT_KILLS + 1):
        with running_node(tmp_path, misbehaving, kill, fault="descendants"):
            until(lambda: len(written(children)) >= KINDS * kill, what="the descendants")  # noqa: B023
            left = written(children)
        until(gone(left), what=f"the end of {left}", within_s=GONE_S)


def written(children: Path) -> list[int]:
    return [int(line) for line in children.read_text().split()] if children.exists() else []


def gone(pids: list[int]) -> Callable[[], bool]:
    return lambda: all(map(is_gone, pids))
