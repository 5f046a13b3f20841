"""`bigchaindb demo`: what a newcomer looks at, and where it must not be made."""

import asyncio
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import pytest

from bigchaindb.cli.demo import UNASKED_COUNT_MAX
from bigchaindb.cli.demo_story import GOODS, TRANSACTION_COUNT, tell
from bigchaindb.client import AsyncClient, new_keypair
from bigchaindb.transaction import build
from tests.conftest import StartNode
from tests.support.node import Node, running_node
from tests.support.waiting import until

INTERRUPTED_S: Final = 60


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, str, str]]:
    """A node after a demo, and what the command printed as its result and beside it."""
    with running_node(tmp_path_factory.mktemp("demo") / "node") as node:
        done = node.run("demo")
        assert done.returncode == 0, done.stderr
        yield node, done.stdout, done.stderr


def ids(printed: str) -> dict[str, str]:
    """Return the id of each asset by its name, from the table."""
    _, *rows = printed.splitlines()
    return {name.strip(): id_ for name, _, id_ in (row.rpartition(" ") for row in rows)}


def command(node: Node) -> list[str]:
    """Return the command line of a demo."""
    return [*node.command, "-c", str(node.configuration), "demo"]


async def filled(url: str) -> None:
    """Commit as many transactions as a demo does not ask about."""
    signer = new_keypair()
    async with AsyncClient(url) as ledger:
        await asyncio.gather(*(ledger.send(build.create([signer], data={"n": n})) for n in range(UNASKED_COUNT_MAX)))


def unspent(transactions: list[dict[str, Any]]) -> int:
    """Return how many shares the outputs hold that nobody has spent."""
    spent = {
        (item["fulfills"]["transaction_id"], item["fulfills"]["output_index"])
        for one in transactions
        for item in one["inputs"]
        if item["fulfills"]
    }
    return sum(
        int(output["amount"])
        for one in transactions
        for index, output in enumerate(one["outputs"])
        if (one["id"], index) not in spent
    )


def test_five_assets_pass_from_hand_to_hand(shown: tuple[Node, str, str]) -> None:
    node, printed, _ = shown
    assets = ids(printed)
    assert list(assets) == [good.asset["name"] for good in GOODS]
    histories = [node.get("transactions", asset_id=id_).json() for id_ in assets.values()]
    assert [len(history) for history in histories] == [1 + good.transfer_count for good in GOODS]
    assert sum(map(len, histories)) == TRANSACTION_COUNT == 200
    assert [unspent(history) for history in histories] == [good.amount for good in GOODS]
    shapes = Counter((len(one["inputs"]) > 1, len(one["outputs"]) > 1) for history in histories for one in history)
    assert min(shapes[True, False], shapes[False, True], shapes[False, False]) > 10  # joined, split, passed on
    owners = {len(output["public_keys"]) for one in histories[-1] for output in one["outputs"]}
    assert owners == {1, 2}


def test_the_second_sale_is_refused_and_the_command_ends_with_where_to_look(shown: tuple[Node, str, str]) -> None:
    node, printed, said = shown
    bicycle, *_ = ids(printed).values()
    assert "second sale of the bicycle was refused: DoubleSpend" in said
    assert f"{node.url}/#/assets/{bicycle}" in said
    assert len(node.get("transactions", asset_id=bicycle).json()) == 1 + GOODS[0].transfer_count
    assert f"bigchaindb -c {node.configuration} events tail" in said


def interrupted(node: Node) -> tuple[int, str, str] | None:
    """Interrupt a demo; return its code and what it printed, None if it was over before."""
    with subprocess.Popen(command(node), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stderr is not None
        assert "Sending 200 transactions" in demo.stderr.readline()
        demo.send_signal(signal.SIGINT)
        printed, said = demo.communicate(timeout=INTERRUPTED_S)
    return (demo.returncode, printed, said) if demo.returncode else None


def test_what_was_sent_stays_when_it_is_interrupted(shown: tuple[Node, str, str]) -> None:
    node, _, _ = shown
    code, printed, said = until(partial(interrupted, node), what="a demo that is not over before its signal")
    assert code == 1, said
    assert not printed
    assert "which stay in the ledger; run it again" in said
    assert "Traceback" not in said
    node.done("demo")


def test_it_asks_beside_many_transactions(shown: tuple[Node, str, str]) -> None:
    """Those of a demo cannot be taken out again."""
    node, _, _ = shown
    asyncio.run(filled(node.url))
    asked = subprocess.run(command(node), input="", capture_output=True, text=True, check=False)
    assert asked.returncode == 1
    assert re.search(r"has 1,\d{3} transactions", asked.stderr)
    assert "so nothing was sent; `bigchaindb --yes demo` does not ask" in asked.stderr
    refused = subprocess.run(command(node), input="n\n", capture_output=True, text=True, check=False)
    assert refused.returncode == 0
    assert "Sending" not in asked.stderr + refused.stderr
    node.done("--yes", "demo")


def test_a_node_that_is_down_is_named(start_node: StartNode) -> None:
    node = start_node()
    node.kill()
    refused = node.run("demo")
    assert refused.returncode == 1
    assert f"cannot ask {node.url}" in refused.stderr
    assert "Sending" not in refused.stderr


def test_the_story_is_the_same_each_time_but_for_its_keys() -> None:
    first, second = tell(), tell()
    assert [len(burst) for burst in first.bursts] == [len(burst) for burst in second.bursts]
    assert not set(first.assets.values()) & set(second.assets.values())
