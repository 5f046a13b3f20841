"""Subscriptions from the command line, beside a running node and over the files of a stopped one."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartNode
from tests.integration.cli.operators import Operator
from tests.support.http import request


class Puller(Operator):
    """An operator who pulls, as an application does."""

    def text(self, *arguments: str) -> str:
        """Run a command; return what it prints."""
        return self.node.done(*arguments).strip()

    def pull(self, **body: object) -> dict[str, Any]:
        """Pull from `billing`."""
        answer = request("POST", f"{self.node.url}/api/v1/subscriptions/billing/pull", {"wait_s": 20, **body})
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.json()
        return found

    def take(self, count: int) -> list[tuple[str, int, str]]:
        """Pull until so many events are here; return of each its place, its attempt and its lease."""
        found: list[tuple[str, int, str]] = []
        while len(found) < count:
            for one in self.pull(count=count - len(found))["events"]:
                position, _, index = one["event"]["sequence"].partition(":")
                found.append((f"{int(position)}:{int(index)}", one["attempt"], one["lease"]))
        return found


@pytest.fixture
def operator(start_node: StartNode) -> Puller:
    """A node with three transactions, and a subscription of them of which nothing was taken."""
    operator = Puller(start_node())
    operator.commit(3)
    made = ("new", "billing", "--granularity", "transaction", "--start", "genesis")
    assert operator.text("subscriptions", *made) == "billing is created"
    return operator


def with_one_parked(operator: Puller) -> None:
    """Settle the first event, park the second, and leave the third in hand."""
    (one, _, first), (two, _, second), (three, _, _) = operator.take(3)
    assert (one, two, three) == ("1:0", "2:0", "3:0")
    operator.pull(count=0, ack=[first], park=[{"lease": second, "error": "account locked"}])


def test_a_subscription_is_looked_after_beside_a_running_node(operator: Puller) -> None:
    same = ("subscriptions", "new", "billing", "--granularity", "transaction")
    assert operator.text(*same) == "billing is there already, with this definition"
    differs = operator.refused(*same, "--definition", '{"order": "none"}')
    assert 'order is "asset", not "none"' in differs
    assert "on the command line `--change`" in differs
    assert operator.run(*same, "--definition", '{"window": 9}', "--change") == {"name": "billing", "is_new": False}
    assert "window: must be a whole number" in operator.refused(*same, "--definition", '{"window": 0}')

    with_one_parked(operator)
    status = operator.run("plugins", "status", "billing")
    assert (status["kind"], status["state"], status["in_hand"]) == ("subscription", "LIVE", ["3:0"])
    assert (status["parked_count"], status["position"], status["lag"]) == (1, 2, 1)
    assert "(pull) has 1" in operator.text("plugins", "status", "billing")
    *_, listed = operator.run("plugins", "list")
    assert (listed["name"], listed["kind"], listed["parked"]) == ("billing", "subscription", 1)
    assert "(a subscription)" in operator.text("plugins", "list")
    (row,) = operator.run("subscriptions", "list")
    assert (row["name"], row["definition"]["window"], row["parked_count"]) == ("billing", 9, 1)
    assert " transactions " in operator.text("subscriptions", "list")
    (parked,) = operator.run("plugins", "parked", "billing")
    assert (parked["position"], parked["error"]) == ("2:0", "account locked")
    assert operator.run("plugins", "parked", "billing", "--after", "2:0") == []

    assert "expected position:index" in operator.refused("plugins", "retry", "billing", "2", code=2)
    assert "position 3:0 is not parked" in operator.refused("plugins", "discard", "billing", "3:0")
    assert operator.run("plugins", "retry", "billing", "2:0")["parked_count"] == 1
    assert [taken[:2] for taken in operator.take(2)] == [("2:0", 2), ("3:0", 2)]
    assert operator.run("plugins", "pause", "billing")["state"] == "PAUSED"
    assert operator.run("plugins", "seek", "billing", "now")["lag"] == 0
    why = "'billing' is a subscription: delete it with `bigchaindb subscriptions delete billing`"
    assert why in operator.refused("plugins", "forget", "billing")
    assert operator.run("subscriptions", "delete", "billing") == {"deleted": "billing"}
    assert operator.run("subscriptions", "list") == []
    assert "there is no subscription 'billing'" in operator.text("subscriptions", "delete", "billing")


def test_a_subscription_is_looked_after_while_the_node_is_stopped(operator: Puller) -> None:
    with_one_parked(operator)
    assert operator.node.stop() == 0

    status = operator.run("plugins", "status", "billing")
    assert (status["kind"], status["state"], status["in_hand"]) == ("subscription", "STOPPED", ["3:0"])
    assert [row["position"] for row in operator.run("plugins", "parked", "billing")] == ["2:0"]
    assert "gives what subscriptions have in hand again" in operator.refused("plugins", "restart", "billing")
    assert operator.run("plugins", "retry", "billing", "2:0")["parked_count"] == 1
    assert operator.run("plugins", "pause", "billing")["state"] == "PAUSED"
    assert operator.run("plugins", "resume", "billing")["state"] == "STOPPED"
    same = ("subscriptions", "new", "billing", "--granularity", "transaction")
    assert operator.text(*same) == "billing is there already, with this definition"
    assert "another definition" in operator.refused(*same, "--definition", '{"window": 9}')
    assert operator.run(*same, "--definition", '{"window": 9}', "--change")["is_new"] is False
    assert operator.run("subscriptions", "new", "audit", "--start", "height:2")["is_new"] is True
    assert [row["name"] for row in operator.run("subscriptions", "list")] == ["audit", "billing"]
    assert operator.run("plugins", "seek", "audit", "genesis")["lag"] == 3
    assert "'audit' is a subscription" in operator.refused("plugins", "forget", "audit")
    assert operator.run("subscriptions", "delete", "audit") == {"deleted": "audit"}

    words = f"bigchaindb -c {operator.node.configuration} plugins status bi"
    shell = {"_BIGCHAINDB_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "5"}
    done = subprocess.run(
        operator.node.command, env={**os.environ, **shell}, capture_output=True, text=True, check=False
    )
    assert done.stdout == "plain,billing\n", done.stderr

    operator.node.start()
    assert [taken[:2] for taken in operator.take(2)] == [("2:0", 2), ("3:0", 2)]
    (row,) = operator.run("subscriptions", "list")
    assert (row["name"], row["definition"]["window"], row["in_hand"]) == ("billing", 9, ["2:0", "3:0"])


def test_p8_a_restored_subscription_goes_on_nowhere_by_itself(operator: Puller, tmp_path: Path) -> None:
    """What it had settled after the backup would come again, or what is new would be passed over, in silence."""
    with_one_parked(operator)
    operator.text("backup", str(tmp_path / "copy"))
    assert operator.node.stop() == 0
    operator.text("-y", "restore", str(tmp_path / "copy"))
    operator.node.start()
    shown = request("GET", f"{operator.node.url}/api/v1/subscriptions/billing").json()
    assert (shown["state"], shown["parked"]) == ("GAPPED", 1)
    assert "restored from a backup" in shown["reason"]
    refused = request("POST", f"{operator.node.url}/api/v1/subscriptions/billing/pull", {"count": 1})
    assert (refused.status, refused.json()["state"]) == (410, "GAPPED")
    assert "billing" in operator.node.run("doctor").stdout
    assert operator.run("plugins", "seek", "billing", "position:2")["state"] == "STOPPED"
    assert [place for place, _, _ in operator.take(2)] == ["2:0", "3:0"]
