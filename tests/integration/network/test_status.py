"""What operators see of a node of a network: `network status`, and figures for Prometheus."""

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bigchaindb.engine.cometbft import files
from bigchaindb.engine.cometbft.genesis import genesis_hash
from tests.support.chains import create
from tests.support.cometbft import VERSION
from tests.support.http import request
from tests.support.live_networks import CHAIN, POWER, Network, make_alone, make_network
from tests.support.members import Member
from tests.support.ports import free_ports
from tests.support.servers import running
from tests.support.waiting import until

COUNT: Final = 2


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Two validators with an event, and figures."""
    made = make_network(tmp_path_factory.mktemp("net"), COUNT)
    for member, port in zip(made, free_ports(COUNT), strict=True):
        reached = {**member.settings["network"], "external_address": member.settings["network"]["bind"]}
        member.settings = {**member.settings, "metrics": {"bind": f"127.0.0.1:{port}"}, "network": reached}
    with running(made):
        made[0].commit(create(1))
        made.until_same_tip()
        yield made


def seen(member: Member, *, code: int = 0) -> dict[str, Any]:
    done = member.run("network", "status", "--json")
    assert done.returncode == code, done
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def whole(member: Member) -> dict[str, Any] | None:
    """Return what is seen of a network that decides and of which nobody is behind."""
    done = member.run("network", "status", "--json")
    if done.returncode:
        return None
    found: dict[str, Any] = json.loads(done.stdout)
    figures = (found["network"], found["connected_power"], found["signing_power"], found["behind"], found["round"])
    is_signed = all(line["signed"] == line["blocks"] and line["signing"] for line in found["validators"])
    return found if figures == ("decides", COUNT * POWER, COUNT * POWER, 0, 0) and is_signed else None


def test_who_a_node_is_and_how_it_stands(network: Network) -> None:
    """One look answers what an operator is asked on the phone."""
    one, two = network
    until(lambda: seen(one)["peers"][0]["height"], what="the peer to say its height")
    until(lambda: seen(one)["outbox"] == 0, what="the decided transaction to be dropped")
    found = until(partial(whole, one), what="both to be connected and to sign")
    assert found["state"] == "following"
    assert one.process is not None
    assert found["pid"] == one.process.pid
    assert found["chain_id"] == CHAIN
    assert found["genesis_hash"] == genesis_hash(network.genesis.encode())
    assert found["node_id"] == files.node_id_of(one.key)
    assert found["public_key"] == one.key.public_key
    assert found["address"] == one.address.upper() == one.rpc("status")["validator_info"]["address"]
    assert found["power"] == POWER
    assert (found["network"], found["connected_power"], found["signing_power"]) == (
        "decides",
        COUNT * POWER,
        COUNT * POWER,
    )
    assert found["misbehaviors"] == []
    assert found["height"] >= one.height()
    assert (found["behind"], found["round"]) == (0, 0)
    assert (found["position"], found["invalid_blocks"], found["rejections"]) == (1, 0, 0)
    assert found["cometbft"] == VERSION
    (peer,) = found["peers"]
    assert peer["id"] == files.node_id_of(two.key)
    assert peer["public_key"] == two.key.public_key
    assert peer["height"] in {found["height"], found["height"] - 1}
    assert {one["public_key"]: one["power"] for one in found["validators"]} == {
        member.key.public_key: POWER for member in network
    }
    for line in found["validators"]:
        assert line["signed"] == line["blocks"] >= 1, "with two validators each signs every block"
        assert (line["connected"], line["signing"]) == (True, True)
        assert line["signed_height"] >= found["height"] - 1


def test_a_person_reads_the_same(network: Network) -> None:
    until(partial(whole, network[0]), what="both to be connected and to sign")
    done = network[0].run("network", "status")
    assert done.returncode == 0, done
    lines = dict(line.split(maxsplit=1) for line in done.stdout.split("\n\n")[0].splitlines())
    assert lines["state"].startswith("follows its network, process ")
    assert lines["chain"] == CHAIN
    assert lines["validator"] == f"power {POWER} of {COUNT * POWER}"
    assert lines["events"] == "1, of them 0 invalid blocks"
    assert lines["network"] == (
        f"decides: power {COUNT * POWER} of {COUNT * POWER} is connected and signs, this node included; "
        "more than 13 is needed"
    )
    assert re.fullmatch(r"signed (\d+) of the last \1 blocks, its last signature is of height \d+", lines["signer"])
    assert "PEER (1)" in done.stdout
    assert network[1].key.public_key in done.stdout


def test_a_demo_is_refused_on_a_network(network: Network) -> None:
    """Its transactions would stay in everybody's ledger."""
    refused = network[0].run("--yes", "demo")
    assert refused.returncode == 1
    assert "is part of a network" in refused.stderr
    assert "nothing was sent; start a node of its own" in refused.stderr


def test_the_peers_of_a_running_node_are_known_without_files(network: Network) -> None:
    one, two = network
    found = json.loads(one.run("network", "peers", "--json").stdout)
    assert [(line["node_id"], line["peers"]) for line in found] == [
        (files.node_id_of(one.key), [two.peer]),
        (files.node_id_of(two.key), [one.peer]),
    ]


def test_watching_goes_on_until_it_is_ended(network: Network) -> None:
    line = [*network[0].command, "-c", str(network[0].configuration), "network", "status", "--watch", "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, start_new_session=True) as watching:
        assert watching.stdout is not None
        heights = [json.loads(watching.stdout.readline())["height"] for _ in range(2)]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(60) == 0
    assert heights[0] <= heights[1]


def test_on_a_terminal_it_is_drawn_in_the_same_place(network: Network) -> None:
    ours, theirs = pty.openpty()
    line = [*network[0].command, "-c", str(network[0].configuration), "network", "status", "--watch"]
    with subprocess.Popen(line, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as watching:
        os.close(theirs)
        drawn = b""
        while drawn.count(b"\x1b[H\x1b[J") < 2:
            drawn += os.read(ours, 4096)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(60) == 0
    os.close(ours)
    assert b"follows its network" in drawn


def figures(member: Member) -> Mapping[str, float]:
    answer = request("GET", f"http://{member.settings['metrics']['bind']}/metrics")
    families = text_string_to_metric_families(answer.body.decode())
    return {one.name: one.value for family in families for one in family.samples if "network" in one.name}


def test_the_api_tells_how_a_node_stands(network: Network) -> None:
    one, two = network
    until(lambda: one.run("health").returncode == 0, what="the node to follow and its network to decide")
    until(partial(whole, one), what="both to be connected and to sign")
    found = one.get("network").json()
    assert (found["kind"], found["standing"], found["chain_id"]) == ("network", "following", CHAIN)
    assert found["genesis_hash"] == genesis_hash(network.genesis.encode())
    assert (found["power"], found["peers_connected"]) == ({"connected": COUNT * POWER, "total": COUNT * POWER}, 1)
    lines = {line["public_key"]: line for line in found["validators"]}
    assert lines[one.key.public_key]["is_this_node"]
    assert not lines[two.key.public_key]["is_this_node"]
    assert all(line["connected"] and line["power"] == POWER for line in lines.values())
    assert lines[one.key.public_key]["height"] <= found["height"]


def test_prometheus_sees_how_a_node_stands(network: Network) -> None:
    until(partial(whole, network[0]), what="both to be connected and to sign")
    until(lambda: figures(network[0])["bigchaindb_network_peers"] == COUNT - 1, what="the peers to be counted")
    until(lambda: figures(network[0])["bigchaindb_network_degraded"] == 0, what="the network to be whole")
    found = figures(network[0])
    assert found["bigchaindb_network_following"] == 1
    assert found["bigchaindb_network_degraded"] == 0
    assert found["bigchaindb_network_stalled"] == 0
    assert found["bigchaindb_network_height"] >= 1
    assert found["bigchaindb_network_invalid_blocks_total"] == 0
    assert found["bigchaindb_network_rejections_total"] == 0
    assert found["bigchaindb_network_cometbft_starts_total"] == 1


def test_a_stopped_node_is_told_of_from_its_files(network: Network) -> None:
    one, two = network
    before = seen(one)
    network.stop(one)
    found = seen(one, code=1)
    assert found["outbox"] == 0, "what was decided is dropped at the end"
    assert found["state"] == "stopped"
    for unknown in ("pid", "network", "connected_power", "signing_power", "behind", "round", "cometbft", "peers"):
        assert found[unknown] is None
    for kept in ("chain_id", "node_id", "power", "position"):
        assert found[kept] == before[kept]
    assert [line["public_key"] for line in found["validators"]] == [line["public_key"] for line in before["validators"]]
    assert one.run("network", "status").stdout.startswith("state       stopped; what follows is from the files\n")
    until(lambda: '"peers":[]' in two.run("network", "status", "--json").stdout, what="the other to notice")
    waiting = seen(two, code=3)
    assert waiting["state"] == "following", "it waits for the others, and has all that there is"
    assert (waiting["network"], waiting["connected_power"], waiting["signing_power"]) == ("cut_off", POWER, POWER)
    assert "cut off: no other node is connected" in two.run("network", "status").stdout
    until(lambda: two.run("health").returncode == 3, what="the halt to be unhealthy")
    assert two.run("health").stdout.startswith("unhealthy (halted): the network decides nothing: power 10 of 20")
    assert one.run("health").returncode == 1, "a node that is stopped does not answer"
    network.start(one)


def test_a_clock_behind_the_genesis_time_is_told(tmp_path: Path) -> None:
    """CometBFT does not answer until then, and an operator would look for the reason elsewhere."""
    made = make_network(tmp_path, 1)
    (member,) = made
    member.layout.genesis.write_bytes(replace(made.genesis, genesis_time="2999-01-01T00:00:00Z").encode())
    member.launch()
    try:
        member.until_logged("Genesis time is in the future")
        member.until_logged("this machine's clock is behind the genesis time")
        assert seen(member, code=1)["clock_behind_s"] > 0
        assert "its CometBFT waits for the genesis time" in member.run("network", "status").stdout
        assert "behind the genesis time, 2999-01-01T00:00:00Z" in member.run("doctor").stdout
        assert member.stop() == 0
    finally:
        member.kill()


def test_a_node_that_is_no_network_s_says_so(tmp_path: Path) -> None:
    member = make_alone(tmp_path, 1)
    done = member.run("network", "status")
    assert done.returncode == 1
    assert done.stderr.endswith("is part of no network: `bigchaindb network init` or `join` makes it part of one\n")
