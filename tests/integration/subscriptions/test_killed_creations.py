"""A node that is killed while subscriptions are created and deleted keeps each of them whole, or not at all."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPException

from bigchaindb.store import NodeDb
from bigchaindb.store.directory import DataDirectory
from tests.conftest import StartNode
from tests.support import scale
from tests.support.node import Node

ROUND_COUNT = scale.of(suite=3, long=30)
DEFINITION = {"granularity": "transaction", "start": "genesis"}


class Churn:
    """Applications that create and delete subscriptions until the node is gone.

    Attributes:
        created: names whose creation was answered, and no deletion was asked for since.
        unsure: names for which something was asked, and not answered.
    """

    def __init__(self, node: Node, seed: int) -> None:
        self.created: set[str] = set()
        self.unsure: set[str] = set()
        self.first = threading.Event()
        self._node = node
        self._seed = seed

    def run(self, worker: int) -> None:
        draw = random.Random(f"{self._seed} {worker}")
        with suppress(OSError, HTTPException):
            for number in range(10_000):
                self._put(f"{worker}-{number}")
                if draw.random() < 0.3:
                    self._delete(f"{worker}-{number}")

    def _put(self, name: str) -> None:
        self.unsure.add(name)
        assert self._node.put(f"subscriptions/{name}", DEFINITION).status == 201
        self.unsure.discard(name)
        self.created.add(name)
        self.first.set()

    def _delete(self, name: str) -> None:
        self.unsure.add(name)
        self.created.discard(name)
        assert self._node.delete(f"subscriptions/{name}").status == 204
        self.unsure.discard(name)


def listed(node: Node) -> set[str]:
    """Return the subscriptions that a node has."""
    return {one["name"] for one in node.get("subscriptions").json()}


def test_what_was_answered_is_there_after_a_kill_and_all_else_is_whole_or_not(start_node: StartNode) -> None:
    """A subscription that is half there would refuse its name for ever, or begin at another place (section 10)."""
    node, seed = start_node(), scale.seed()
    for turn in range(ROUND_COUNT):
        churn = Churn(node, seed + turn)
        with ThreadPoolExecutor(4) as workers:
            running = [workers.submit(churn.run, worker) for worker in range(4)]
            assert churn.first.wait(60)
            threading.Event().wait(random.Random(seed + turn).uniform(0.05, 0.4))
            node.kill()
            for one in running:
                one.result()
        node.start()
        there = listed(node)
        assert churn.created <= there <= churn.created | churn.unsure, seed
        for name in sorted(churn.created | churn.unsure):
            answer = node.put(f"subscriptions/{name}", DEFINITION)
            assert answer.status == (200 if name in there else 201), (seed, name)
            assert (answer.json()["cursor"], answer.json()["state"]) == (0, "STOPPED")
            assert node.delete(f"subscriptions/{name}").status == 204
    assert node.stop() == 0
    with closing(NodeDb(DataDirectory(node.data).node, read_only=True)) as db:
        assert (db.subscriptions(), db.lane_names()) == ([], [])
    assert node.run("check").returncode == 0
