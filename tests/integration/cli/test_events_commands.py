"""Events shown, followed and copied from the command line. Source: promises P4, P5, P8 and P15."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.store.directory import DataDirectory, DirectoryLock
from tests.conftest import StartNode
from tests.support.chains import ALICE, BOB, Coin, create, transfer
from tests.support.node import COMMAND, Node, running_node
from tests.support.waiting import until, whole_lines


class Chain:
    """A node with four blocks: two assets, one of them passed to Bob, one more asset."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.bicycle = create(1)
        self.count = 0
        for made in (self.bicycle, create(2), transfer(Coin(self.bicycle), note=5), create(3)):
            self.commit(made.body)

    def commit(self, body: bytes) -> None:
        self.count += 1
        assert self.node.post(json.loads(body)).status == 202

    def run(self, *arguments: str) -> str:
        return self.node.done("events", *arguments)

    def lines(self, *arguments: str) -> list[Any]:
        return [json.loads(line) for line in self.run(*arguments).splitlines()]

    def positions(self, *arguments: str) -> list[int]:
        return [line["position"] for line in self.lines(*arguments)]

    def refused(self, *arguments: str, code: int = 1) -> str:
        ended = self.node.run("events", *arguments)
        assert (ended.returncode, ended.stdout) == (code, "")
        assert "Traceback" not in ended.stderr
        return ended.stderr.splitlines()[-1]

    def stop(self) -> None:
        assert self.node.stop() == 0


@pytest.fixture
def chain(start_node: StartNode) -> Chain:
    return Chain(start_node())


@pytest.fixture(scope="module")
def one_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with running_node(tmp_path_factory.mktemp("chain")) as node:
        yield Chain(node)


@pytest.fixture(scope="module")
def stopped_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with running_node(tmp_path_factory.mktemp("stopped")) as node:
        chain = Chain(node)
        chain.stop()
        yield chain


@pytest.fixture(params=["one_chain", "stopped_chain"], ids=["running", "stopped"])
def either(request: pytest.FixtureRequest) -> Chain:
    """Beside a node or without one, everything that only looks gives the same."""
    chain = request.getfixturevalue(request.param)
    assert isinstance(chain, Chain)
    return chain


def test_an_event_is_shown_by_position_id_and_token(either: Chain) -> None:
    raw = either.run("show", "3", "--json")
    event = json.loads(raw)
    assert (event["height"], event["block"]["transactions"][0]["operation"]) == (3, "TRANSFER")
    (third,) = (line for line in either.lines("tail", "--json") if line["position"] == 3)
    for which in (third["id"], f"{third['id']}:0", third["token"]):
        assert either.run("show", which, "--json") == raw
    shown = either.run("show", "3")
    assert shown.startswith("position           3\n")
    assert json.loads(shown[shown.index("{") :]) == event
    assert either.refused("show", "9").endswith("the log has no position 9; its head is 4")
    assert either.refused("show", "0").endswith("the log has no position 0; its head is 4")
    assert "the log has no position 99999999999999999999; its head is 4" in either.refused("show", "9" * 30)
    assert "expected a position, the 64 hex digits of a transaction, a token, or the id" in either.refused(
        "show", "solo-other:00000000000000000001"
    )
    assert "a token is" in either.refused("show", "1.nonsense")


def test_the_last_events_are_printed_a_line_each(either: Chain) -> None:
    lines = either.run("tail", "-n", "2").splitlines()
    assert [line.split()[0] for line in lines] == ["3", "4"]
    assert lines[0].split()[2:4] == ["BLOCK_VALID", "1"]
    assert len(lines[0].split()) == 5  # a transfer has no data of an asset
    assert '"' in lines[1].split("  ")[-1]
    assert either.positions("tail", "--json") == [1, 2, 3, 4]
    assert either.run("tail", "-n", "0") == ""


@pytest.mark.parametrize(
    ("filters", "positions"),
    [
        (["--operation", "TRANSFER"], [3]),
        (["--owner", BOB.public_key], [3]),
        (["--owner", ALICE.public_key], [1, 2, 3, 4]),
        (["--owner", ALICE.public_key, "--operation", "CREATE"], [1, 2, 4]),
        (["--metadata", "note=5"], [3]),
        (["--metadata", "note[gt]=4", "--metadata", "note[lt]=5.5"], [3]),
        (["--metadata", "note=6"], []),
        (["--type", "valid"], [1, 2, 3, 4]),
        (["--type", "invalid"], []),
        (["--asset", create(1).id], [1, 3]),
    ],
    ids=lambda value: "-".join(map(str, value)),
)
def test_p15_filters_give_the_same_forwards_and_backwards(
    one_chain: Chain, filters: list[str], positions: list[int]
) -> None:
    assert one_chain.positions("tail", "--json", *filters) == positions
    assert one_chain.positions("replay", *filters) == positions
    assert one_chain.positions("tail", "--json", "-n", "1", *filters) == positions[-1:]


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["tail", "--operation", "GENESIS"], "operation: expected CREATE or TRANSFER"),
        (["tail", "--metadata", "note"], "--metadata: expected PATH=VALUE"),
        (["tail", "--data", "note"], "--data: expected PATH=VALUE"),
        (["tail", "--data", "a[gtt]=1"], "[gtt] is no comparison"),
        (["tail", "--metadata", "a=1", "--metadata", "a=2"], "'a' is given twice"),
        (["replay", "--from", "yesterday"], "--from: expected one of now, genesis"),
        (["replay", "--to", "height:x"], "--to: expected one of now, genesis"),
        (["replay", "--format", "xml"], "'xml' is not one of"),
    ],
)
def test_a_wrong_call_has_exit_code_2_and_names_the_option(one_chain: Chain, arguments: list[str], rule: str) -> None:
    assert rule in one_chain.refused(*arguments, code=2)


def test_p5_a_copy_has_the_events_own_bytes(either: Chain, tmp_path: Path) -> None:
    file = tmp_path / "copy.jsonl"
    assert either.run("replay", "--output", str(file)) == ""
    assert [path.name for path in tmp_path.glob("copy*")] == ["copy.jsonl"]
    text = file.read_text()
    assert text == either.run("replay")
    for position, line in enumerate(text.splitlines(), 1):
        body = either.run("show", str(position), "--json").rstrip("\n")
        assert line.endswith(f', "data": {body}}}')
    assert "exists; name another file" in either.refused("replay", "--output", str(file))
    assert file.read_text() == text
    ended = either.node.run("-y", "events", "replay", "--from", "height:4", "--output", str(file))
    assert ended.returncode == 0
    assert [json.loads(line)["position"] for line in file.read_text().splitlines()] == [4]


def test_places_lie_between_events(either: Chain) -> None:
    assert either.positions("replay", "--from", "position:2", "--to", "position:4") == [2, 3]
    token = either.lines("tail", "-n", "2", "--json")[0]["token"]
    assert either.positions("replay", "--from", token) == [4]
    assert either.positions("replay", "--to", token) == [1, 2, 3]
    ended = either.node.run("events", "replay", "--from", "now")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "no event matches\n")
    turned = either.refused("replay", "--from", "position:4", "--to", "position:2")
    assert "--from position:4 is behind --to position:2" in turned
    assert "is beyond the end" in either.refused("replay", "--from", "position:9")


def test_a_copy_can_be_made_of_envelopes(one_chain: Chain) -> None:
    blocks = one_chain.lines("replay", "--format", "cloudevents")
    assert [block["type"] for block in blocks] == ["com.bigchaindb.block.valid.v1"] * 4
    parts = one_chain.lines("replay", "--format", "transactions", "--operation", "TRANSFER")
    assert [(part["type"], part["partitionkey"]) for part in parts] == [
        ("com.bigchaindb.transaction.valid.v1", one_chain.bicycle.id)
    ]


def test_a_copy_that_fails_leaves_no_file(one_chain: Chain, tmp_path: Path) -> None:
    """A torn file would be taken for a whole one by whoever comes next."""
    nowhere = tmp_path / "nowhere" / "copy.jsonl"
    refused = one_chain.refused("replay", "--output", str(nowhere))
    assert f"--output: cannot write `{nowhere}`: No such file or directory; name another file" in refused
    limited = f"ulimit -f 1; exec {' '.join(one_chain.node.command)} -c {one_chain.node.configuration} "
    target = tmp_path / "copy.jsonl"
    ended = subprocess.run(
        ["bash", "-c", f"trap '' XFSZ; {limited} events replay --output {target}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "File too large" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_who_follows_gets_what_comes_and_ctrl_c_ends_it_quietly(chain: Chain, tmp_path: Path) -> None:
    output = tmp_path / "followed"
    line = [*chain.node.command, "-c", str(chain.node.configuration), "events", "tail", "-n", "1", "-f", "--json"]
    with output.open("wb") as file, subprocess.Popen(line, stdout=file, stderr=subprocess.PIPE) as process:

        def followed() -> list[int]:
            return [json.loads(line)["position"] for line in whole_lines(output)]

        until(lambda: followed() == [4], what="the last event")
        for serial in range(4, 7):
            chain.commit(create(serial).body)
            until(lambda: followed()[-1] == chain.count, what="the event that was committed")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr is not None
        said = process.stderr.read().decode()
    assert followed() == [4, 5, 6, 7]
    assert [line for line in said.splitlines() if "[info]" not in line] == []


def test_a_follower_is_told_when_the_node_stops(chain: Chain, tmp_path: Path) -> None:
    output = tmp_path / "followed"
    line = [*chain.node.command, "-c", str(chain.node.configuration), "events", "tail", "-f"]
    with output.open("wb") as file, subprocess.Popen(line, stdout=file, stderr=subprocess.PIPE) as process:
        until(lambda: len(output.read_text().splitlines()) == 4, what="the last events")
        chain.stop()
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert b"bigchaindb: the node" in process.stderr.read().splitlines()[-1]
    assert "--follow: the node is not running" in chain.refused("tail", "--follow")


def test_p4_without_a_node_the_directory_is_owned_while_it_is_read(chain: Chain) -> None:
    """Else what a crash left unsynced would be shown, and be gone after the next power cut."""
    chain.stop()
    lock = DirectoryLock(DataDirectory(chain.node.data))
    assert "is in use by process" in chain.refused("tail")
    lock.close()


def test_where_there_is_no_ledger_none_is_made(tmp_path: Path) -> None:
    configuration = tmp_path / "bigchaindb.json"
    configuration.write_text(json.dumps({"database": {"path": str(tmp_path / "data")}}))
    ended = Node(tmp_path, {}, {}, COMMAND).run("events", "tail")
    assert ended.returncode == 1
    assert "there is no ledger" in ended.stderr
    assert not (tmp_path / "data").exists()
