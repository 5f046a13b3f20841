"""A node whose disk has flipped a bit: what is damaged reaches nobody, everybody learns of it, all else is served."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from http.client import IncompleteRead
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from bigchaindb.eventlog import token
from bigchaindb.store import Log
from bigchaindb.store.database import open_writer
from tests.support.chains import create
from tests.support.flips import Column, flip
from tests.support.http import request
from tests.support.node import COMMAND, Node, configuration_of
from tests.support.packages import install
from tests.support.ports import free_ports
from tests.support.waiting import until, whole_lines

COUNT: Final = 5
PLUGIN: Final = """
from pathlib import Path

def run(queue):
    for event in queue:
        with Path("taken.txt").open("a") as file:
            print(event.position, file=file)
"""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A stopped node with some blocks of one transaction each, and a plugin that is enabled after them."""
    (port,) = free_ports(1)
    settings = configuration_of(tmp_path, {"metrics": {"bind": f"127.0.0.1:{port}"}})
    one = Node(tmp_path, settings, install(tmp_path / "installed", "follower", PLUGIN), COMMAND)
    one.start()
    for serial in range(COUNT):
        assert one.post(create(serial).body).status == 202
    assert one.stop() == 0
    one.settings = {**settings, "events_plugins": {"follower": {"start": "genesis"}}}
    yield one
    one.kill()


def _token_before(node: Node, position: int) -> str:
    chain_id = (node.data / "chain_id").read_text().strip()
    with closing(Log(node.data / "ledger.db")) as log:
        entry = log.entry(position)
        assert entry is not None
        return token.encode(chain_id, position, token.WHOLE, entry.digest)


def test_damage_is_served_to_nobody_and_told_to_everybody(node: Node) -> None:
    whole = node.run("check")
    assert (whole.returncode, whole.stderr) == (0, ""), whole
    after = _token_before(node, 2)
    for column in (Column("transactions", "body"), Column("transactions", "position")):
        flip(node.data / "ledger.db", column, at=0.5)
    damaged = create(2)

    node.start()
    assert node.get(f"transactions/{create(0).id}").status == 200
    for path in (f"transactions/{damaged.id}", "blocks/3", f"transactions?asset_id={damaged.id}"):
        answer = node.get(path)
        assert answer.status == 500
        assert "StoreDamaged" in json.loads(answer.body)["message"]
    assert request("GET", f"{node.url}/api/v1/events?after={after}").status == 500
    taken = node.folder / "taken.txt"
    until(lambda: _lane(node)["state"] == "FAILED", what="the lane to fail")
    until(lambda: whole_lines(taken) == ["1", "2"], what="the events before it")
    _assert_only_a_backup_is_advised(node)
    with connect(f"{node.stream_url}?after={after}") as socket, pytest.raises(ConnectionClosedError) as closed:
        socket.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
    with pytest.raises(IncompleteRead):  # no end that a client could take for one
        request("GET", f"{node.url}/api/v1/events?after={after}", headers={"Accept": "text/event-stream"})
    node.until_logged(re.compile(r"\[critical\] what is stored is damaged.*row=3"))
    refused = node.post(create(100).body)
    assert (refused.status, "StoreDamaged" in refused.body.decode()) == (500, True), "nobody can tell what it spends"
    metrics = request("GET", f"http://{node.settings['metrics']['bind']}/metrics").body.decode()
    assert "bigchaindb_store_damaged 1.0" in metrics

    check = node.run("check", "--json")
    assert check.returncode == 3
    assert ("transactions", "3") in {(one["table"], one["row"]) for one in json.loads(check.stdout)["damages"]}
    doctor = node.run("doctor")
    assert doctor.returncode == 1
    assert re.search(r"FIX\s+ledger\s.*damage was found.*", doctor.stdout)
    assert node.stop() == 0


def test_a_plugin_whose_cursor_is_damaged_waits_for_a_word(node: Node) -> None:
    """It would skip events, or repeat them, in silence."""
    taken = node.folder / "taken.txt"
    node.start()
    until(lambda: whole_lines(taken) == ["1", "2", "3", "4", "5"], what="all events")
    assert node.stop() == 0
    flip(node.data / "node.db", Column("lanes", "acked"), at=0.0)
    check = node.run("check")
    assert (check.returncode, "node.db: lanes follower: is not what its checksum is of" in check.stdout) == (3, True)
    ledger = node.data / "ledger.db"
    for version in (3, 2):  # of the file's format: where it is another, SQLite reads and does not write
        content = bytearray(ledger.read_bytes())
        content[18] = version
        ledger.write_bytes(content)
        check = node.run("check")
        assert ("ledger.db: header byte 18" in check.stdout) == (version == 3), check
    listed = json.loads(node.run("plugins", "list", "--json").stdout)
    assert {one["name"]: one["state"] for one in listed}["follower"] == "GAPPED"

    node.start()
    until(lambda: _lane(node)["state"] == "GAPPED", what="the lane to wait for a word")
    status = node.run("plugins", "status", "follower").stdout
    assert re.search(r"position +5\b", status), status
    assert "has position 5: bigchaindb plugins seek follower position:6" in " ".join(status.split()), status
    node.until_logged(re.compile(r"\[critical\] what is stored is damaged.*table=lanes row=follower"))
    assert node.post(create(COUNT).body, mode="commit").status == 202, "the ledger is whole"
    assert node.run("plugins", "seek", "follower", "position:6").returncode == 0
    until(lambda: whole_lines(taken) == ["1", "2", "3", "4", "5", "6"], what="the next event alone")
    assert node.stop() == 0
    assert node.run("check").returncode == 0


def test_a_start_looks_at_the_end_of_the_log(node: Node) -> None:
    """Nobody has asked for it yet, and a person learns of it."""
    flip(node.data / "ledger.db", Column("events", "head"), at=0.99)
    node.settings = {**node.settings, "events_plugins": []}
    node.start()
    node.until_logged("what is stored is damaged")
    assert node.stop() == 0


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM assets_search_data WHERE id = 10",
        "UPDATE assets_search_data SET block = x'ff' WHERE id = 10",  # SQLite finds segments that it knows nothing of
    ],
)
def test_a_node_that_cannot_write_what_is_damaged_serves_reads_and_takes_nothing(node: Node, damage: str) -> None:
    """Nothing reads the index of words before a block adds to it."""
    node.settings = {**node.settings, "events_plugins": []}
    node.start()
    with closing(open_writer(node.data / "ledger.db")) as connection:
        connection.execute(damage)
    refused = node.post(create(100).body, mode="commit")
    assert refused.status == 503, refused
    message = json.loads(refused.body)["message"]
    assert "takes no transaction: ledger.db: " in message
    assert "restore a backup" in message
    for run in range(2):
        assert node.get(f"transactions/{create(0).id}").status == 200
        assert node.post(create(101).body).status == 503
        node.until_logged("[critical] a block needs what is damaged: no transaction is taken", count=run + 1)
        doctor = node.run("doctor")
        assert re.search(r"FIX\s+ledger\s.*damage was found.*; no transaction is accepted", doctor.stdout), doctor
        assert node.run("check").returncode == 3
        assert node.stop() == 0
        if run == 0:
            node.start()


def _assert_only_a_backup_is_advised(node: Node) -> None:
    status, listed = node.run("plugins", "status", "follower"), node.run("plugins", "list")
    assert re.search(r"position +2\b", status.stdout), status
    refused = node.run("plugins", "resume", "follower")
    for shown in (status.stdout, status.stderr, listed.stdout, refused.stderr):
        assert "bigchaindb check" in shown
        assert not re.search("seek|restart", shown), shown
    for shown in (status.stderr, refused.stderr):
        assert "bigchaindb restore DIR" in shown
    node.until_logged(re.compile("events plugin is FAILED.*restore a backup"))


def _lane(node: Node) -> dict[str, Any]:
    (lane,) = json.loads(node.get("plugins").body)
    return dict(lane)
