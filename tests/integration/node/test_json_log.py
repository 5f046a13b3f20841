"""A node that logs JSON: each line of its standard error is an object, whoever wrote it. Source: configuration.md."""

import json
import re
import subprocess
from typing import Any

import pytest

from bigchaindb.masking import MASK
from bigchaindb.transaction.build import create
from tests.conftest import StartNode
from tests.support import made_secrets, packages
from tests.support.node import Node
from tests.support.served import KEY
from tests.support.waiting import until

PASSWORD = made_secrets.remember("correct-horse-battery-staple")
NOISY = """
import logging
from threading import Thread

secrets = []


def configure(options):
    secrets.append(options["password"])


def run(queue):
    logging.getLogger("noisy.part").warning("two\\nlines\\x1b[31m and %s", secrets[0])
    ended = Thread(target=lambda: [][1], name="helper")
    ended.start()
    ended.join()
    queue.get()
    raise ValueError(f"refused {secrets[0]}")
"""


def lines(text: str) -> list[dict[str, Any]]:
    """Return the lines of a log; the last one may be unfinished as yet."""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


@pytest.fixture
def node(start_node: StartNode, tmp_path: Any) -> Node:
    plugin = {"noisy": {"options": {"password": PASSWORD}}}
    log = {"format": "json", "file": str(tmp_path / "node-1/node.log"), "level_logfile": "debug"}
    return start_node(
        settings={"log": log, "events_plugins": plugin, "server": {"loglevel": "debug"}},
        environment=packages.install(tmp_path / "site", "noisy", NOISY),
    )


def test_every_line_is_an_object_and_holds_no_secret(node: Node, tmp_path: Any) -> None:
    """A line that a log shipper cannot read is lost, and what a stranger sends must not make one."""
    key = node.new_key("writer", "--scopes", "read write")
    assert node.post(create([KEY], data={"n": 1}).body, key=key).status == 202
    assert node.get("transactions/" + "%0A%22%7D%1b" * 100, key=key).status == 404
    assert node.delete("subscriptions/x", key=key).status == 403
    assert node.post(b'{"a": "\\ud800\n\x1b"}', key=key).status == 400

    def by_plugin() -> list[dict[str, Any]]:
        return [line for line in lines(node.log) if line["logger"] == "bigchaindb.subscribers.host_output"]

    until(lambda: any(line["message"] == "Process events_plugin_noisy" for line in by_plugin()), what="its failure")
    assert node.stop() == 0
    shown = lines(node.log)
    assert node.log.endswith("\n")
    messages = [line["message"] for line in shown]
    assert messages[0].startswith("BigchainDB ")
    assert any("Listening to client connections on: " in message for message in messages)
    assert messages[-1] == "stopped"
    (warned, *_) = [line for line in shown if line["logger"] == "noisy.part"]
    assert (warned["level"], warned["message"]) == ("warning", f"two\nlines\x1b[31m and {MASK}")
    thread, failed = by_plugin()[:2]
    assert thread["message"] == "Exception in thread helper"
    assert thread["traceback"].endswith("IndexError: list index out of range")
    assert failed["traceback"].endswith(f"ValueError: refused {MASK}")
    (refused,) = [line for line in shown if line["logger"] == "bigchaindb.access" and line["message"] == "refused"]
    assert (refused["status"], refused["method"]) == (403, "DELETE")
    (ready,) = [line for line in shown if line["message"] == "ready"]
    assert ready["http"] == node.port
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", ready["time"])
    in_file = lines((tmp_path / "node-1/node.log").read_text())
    assert {line["logger"] for line in in_file} < {line["logger"] for line in shown} | {"asyncio"}


def test_the_reason_of_a_failed_start_is_an_object_with_its_level(node: Node, tmp_path: Any) -> None:
    environment = {**node._environment(), "BIGCHAINDB_DATABASE_PATH": str(tmp_path / "other")}
    line = [*node.command, "-c", str(node.configuration), "start"]
    ended = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    last = lines(ended.stderr)[-1]
    assert last["level"] == "error"
    assert "server.bind" in last["message"]


def test_commands_write_text_for_the_person_who_runs_them(node: Node) -> None:
    ended = node.run("plugins", "status", "nobody")
    assert ended.returncode == 1
    assert ended.stderr.startswith("bigchaindb: ")
