"""How a network begins: on the command line, from nothing or from the ledger that a node made alone.

Source: docs/reference/command-line.md.
"""

import json
import shutil
from pathlib import Path

from bigchaindb.engine.cometbft.genesis import NetworkGenesis
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from tests.support.chains import Coin, create, transfer
from tests.support.live_networks import Network, make_alone
from tests.support.members import Member
from tests.support.waiting import until


def found(folder: Path, members: list[Member], *arguments: str) -> Network:
    """Found the network from the first member; return it as it is then."""
    validators = folder / "validators"
    validators.write_text("".join(member.done("network", "id", "--name", member.folder.name) for member in members))
    members[0].done("network", "init", "--validators", str(validators), "--peers", peers(members, 0), *arguments)
    genesis = NetworkGenesis.parse(members[0].layout.genesis.read_bytes(), rules_version=RULES_VERSION)
    return Network(folder, genesis, members)


def peers(members: list[Member], own: int) -> str:
    return ",".join(one.peer for number, one in enumerate(members) if number != own)


def join(network: Network, number: int) -> None:
    genesis = str(network[0].layout.genesis)
    network[number].done("network", "join", genesis, "--peers", peers(network.members, number))


def take_settings(network: Network) -> None:
    """Use the configuration files that the commands have changed, from the next start of each node on."""
    for member in network:
        member.settings = json.loads(member.configuration.read_text())


def test_a_network_is_founded_and_joined_on_the_command_line(tmp_path: Path) -> None:
    members = [make_alone(tmp_path, number) for number in range(3)]
    network = found(tmp_path, members, "--chain-id", "by-hand")
    join(network, 1)
    join(network, 2)
    take_settings(network)
    try:
        network.start()
        members[1].commit(create(1))
        (event,) = network.until_equal()
        assert json.loads(event)["source"] == "urn:bigchaindb:by-hand"
    finally:
        network.kill()


def test_the_ledger_of_one_node_becomes_the_beginning_of_a_network(tmp_path: Path) -> None:
    """Its events keep their ids and positions, its coins can be spent, and its plugin goes on where it was."""
    members = [make_alone(tmp_path, number) for number in range(3)]
    alone, coin = members[0], create(1, amounts=(2, 3))
    written = tmp_path / "events.jsonl"
    plugin = {"file": {"start": "genesis", "options": {"path": str(written)}}}
    alone.settings = {**alone.settings, "events_plugins": plugin}
    try:
        alone.start()
        alone.commit(coin, create(2), create(3))
        before = alone.events()
        assert alone.stop() == 0

        network = found(tmp_path, members)
        alone.done("backup", "--without-key", str(tmp_path / "copy"))
        for number in (1, 2):
            shutil.copytree(tmp_path / "copy", members[number].data, dirs_exist_ok=True)
            join(network, number)
        assert network.genesis.initial_height == 4
        take_settings(network)
        network.start()
        members[2].commit(transfer(Coin(coin)))
        after = network.until_equal(position=4)
        assert after[:3] == before
        assert json.loads(after[3])["data"]["height"] > 3
        network.stop()
        network.start()  # now from its own state, not from the genesis
        members[1].commit(create(4))
        last = network.until_equal(position=5)
        assert last[:4] == after
        until(lambda: written.read_bytes().splitlines() == last, what="the plugin to have written every event once")
        network.stop()
        assert written.read_bytes().splitlines() == last, "and none again at its end"
    finally:
        for member in members:
            member.kill()
