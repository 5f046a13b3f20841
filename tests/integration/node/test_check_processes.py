"""Check processes of a real node: killed at any moment, hung, and left by their node."""

import asyncio
import random
import re
import sys
from collections.abc import Sequence
from hashlib import sha3_256
from pathlib import Path
from typing import Final

from tests.conftest import StartNode
from tests.integration.node.audit import audit
from tests.integration.node.owners import Owner, until_broken
from tests.integration.node.test_stop import STOP_S_MAX, until_ended
from tests.support import scale
from tests.support.chains import create
from tests.support.node import Node
from tests.support.poison import poisoned
from tests.support.processes import CHECKS_ENDED, check_pids, is_gone, kill
from tests.support.raw import until

OWNERS: Final = 4
POISONED: Final = (
    sys.executable,
    "-c",
    "import bigchaindb.cli as c, bigchaindb.engine.check_nursery as p; p.NURSERY = 'tests.support.poison'; c.main()",
)
"""A node whose check processes fall over the documents of `tests.support.poison`."""
ENVIRONMENT: Final = {"PYTHONPATH": str(Path(__file__).parents[3])}


def pid_of(node: Node) -> int:
    assert node.process is not None
    return node.process.pid


async def until_all_go_on(owners: Sequence[Owner], tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait until each client has had its answers to what it had sent.

    Raises:
        AssertionError: one of them got an answer that it must not get.
    """
    counts = [len(owner.made) for owner in owners]
    await until(
        lambda: (
            any(task.done() for task in tasks)
            or all(len(owner.made) > count + 1 for owner, count in zip(owners, counts, strict=True))
        ),
        "each client to go on",
    )
    for task in tasks:
        if task.done():
            task.result()


async def test_kills_of_check_processes_lose_nothing_and_are_not_seen(start_node: StartNode) -> None:
    """Clients see neither an error nor a double spend, whichever of them dies at whichever moment."""
    seed = scale.seed()
    print(f"repeat it with: SEED={seed} pytest {__file__}")
    choices = random.Random(seed)
    node = start_node(settings={"server": {"workers": 2}})
    owners = [Owner(f"owner {number}", random.Random(choices.random())) for number in range(OWNERS)]
    tasks = [asyncio.create_task(owner.trade(node.port)) for owner in owners]
    await until(lambda: all(len(owner.promised) > 2 for owner in owners), "each client to have commits")
    killed: list[int] = []
    for _ in range(scale.CHECK_KILLS):
        await asyncio.sleep(choices.uniform(0, 0.1))
        if pids := check_pids(pid_of(node)):  # the parent may have been killed a moment ago
            pid = choices.choice([pids[0], *pids[1:] * 3])
            killed += [pid] * kill(pid)
        await until_all_go_on(owners, tasks)  # what ends three processes in turn counts as deadly
    assert node.stop() == 0, node.tail()
    await until_broken(tasks)
    bodies = audit(node.data / "ledger.db").bodies
    for owner in owners:
        owner.stopped_cleanly()
        owner.require_kept(bodies)
    assert not re.search("Traceback|critical", node.log), node.tail()
    told = CHECKS_ENDED.findall(node.log)
    assert set(map(str, killed)) <= {word for line in told for word in re.findall(r"\d+", line)}, told


async def test_a_killed_node_leaves_no_check_process(start_node: StartNode) -> None:
    node = start_node()
    assert node.post(create(1).body).status == 202
    pids = check_pids(pid_of(node))
    assert len(pids) > 1
    node.kill()
    await until(lambda: all(map(is_gone, pids)), "the end of the check processes")


async def test_a_poison_is_answered_and_harms_nobody_else(start_node: StartNode) -> None:
    node = start_node(command=POISONED, environment=ENVIRONMENT)
    bad = poisoned("die").body
    posts = [asyncio.to_thread(node.post, body) for body in (create(1).body, bad, create(2).body)]
    assert [one.status for one in await asyncio.gather(*posts)] == [202, 500, 202]
    await asyncio.to_thread(node.until_logged, sha3_256(bad).hexdigest())


async def test_a_check_that_does_not_end_holds_up_no_stop(start_node: StartNode) -> None:
    """What was accepted is committed; nobody was promised anything about what is being checked."""
    node = start_node(command=POISONED, environment=ENVIRONMENT)
    assert node.post(create(1).body).status == 202
    posts = [
        asyncio.create_task(asyncio.to_thread(node.post, poisoned("sleep", padding=padding).body))
        for padding in (0, 5_000)
    ]
    await until(lambda: len(check_pids(pid_of(node))) == 3, "the process for large documents")
    pids = check_pids(pid_of(node))
    assert await until_ended(node) < STOP_S_MAX
    await asyncio.gather(*posts, return_exceptions=True)
    assert all(map(is_gone, pids))
