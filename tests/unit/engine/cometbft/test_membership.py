"""Founding and joining: whose ledger goes on, and what is never mixed."""

import json
from dataclasses import replace
from typing import Any

import pytest

from bigchaindb.engine.cometbft.membership import Held, found, peers_of, read_members, require_can_join
from bigchaindb.errors import ConfigurationError, StartupError
from bigchaindb.ledger.effects import Tip
from bigchaindb.ledger.validators import address_of
from bigchaindb.transaction.keys import KeyPair, decode_key

KEYS = [KeyPair.from_seed(bytes([i]) * 32).public_key for i in range(3)]
PEERS = [f"{i:040x}@node-{i}.example:26656" for i in range(3)]
TIP = Tip(height=7, timestamp=2_000_000_000, app_hash=bytes([5]) * 32, position=8)
SOLO = Held("solo-1", TIP)


def line(number: int = 0, **members: Any) -> str:
    return json.dumps({"public_key": KEYS[number], "peer": PEERS[number], **members})


MEMBERS = read_members("\n\n".join(line(i, power=i + 1, name=f"n{i}") for i in range(3)).encode())


def test_a_file_of_lines_names_who_votes_and_where_they_are() -> None:
    assert [one.validator.key for one in MEMBERS] == [decode_key(key) for key in KEYS]
    assert [(one.validator.power, one.validator.name) for one in MEMBERS] == [(1, "n0"), (2, "n1"), (3, "n2")]
    assert peers_of(MEMBERS, f"{1:040x}") == (PEERS[0], PEERS[2])


def test_a_key_is_enough() -> None:
    (member,) = read_members(json.dumps({"public_key": KEYS[0]}).encode())
    assert (member.validator.power, member.validator.name, member.peer) == (10, "", None)
    assert peers_of([member], "any") == ()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "validators: must be 1 to 1000 lines, found 0"),
        (line() + "\n" * 2_000_000, "validators: the file has"),
        ("{", r"validators: line 1: .*expected a line of `bigchaindb network id`"),
        (line() + "\n[]", "validators: line 2: "),
        (line(power="10"), r"validators: line 1: .*\$\.power"),
        (line(power=0), "validators: line 1: power: must be 1 to"),
        (line(powers=1), r"validators: line 1: .*powers"),
        (line(public_key="abc"), "validators: line 1: public_key: 'abc' is not a base58 key"),
        (line(address="00"), "validators: line 1: address: does not belong to public_key"),
        (line(peer="node-1:1"), "validators: line 1: peer: must be ID@HOST:PORT"),
        (line(node_id="0b" * 20), "validators: line 1: peer: must begin with node_id"),
        (line() + "\n" + line(), "validators: line 1: public_key: is in another line"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(content: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        read_members(content.encode())


def test_the_address_of_a_key_is_that_of_votes() -> None:
    assert read_members(line(address=address_of(decode_key(KEYS[0])).hex().upper()).encode())


def test_a_new_network_begins_at_one_with_nothing() -> None:
    genesis = found(MEMBERS, None, chain_id="n", now_s=0, rules_version=1)
    assert (genesis.initial_height, genesis.app_hash, genesis.genesis_time) == (1, bytes(32), "1970-01-01T00:00:00Z")
    require_can_join(genesis, None)
    require_can_join(genesis, Held("n", Tip()))


def test_a_ledger_goes_on_as_the_networks() -> None:
    genesis = found(MEMBERS, SOLO, chain_id="solo-1", now_s=0, rules_version=1)
    assert (genesis.chain_id, genesis.initial_height, genesis.app_hash) == ("solo-1", 8, TIP.app_hash)
    assert genesis.genesis_time == "2033-05-18T03:33:20Z", "no block is older than the one before it"
    require_can_join(genesis, SOLO)


def test_a_ledger_keeps_its_chain_id() -> None:
    """It begins the id of every event that subscribers have seen."""
    with pytest.raises(StartupError, match=r"the ledger here is chain solo-1, .* so it cannot be 'other'"):
        found(MEMBERS, SOLO, chain_id="other", now_s=0, rules_version=1)


@pytest.mark.parametrize(
    ("held", "complaint"),
    [
        (None, "the network goes on with a ledger of height 7, which is not here.*backup --without-key"),
        (Held("solo-2", TIP), "the ledger here is chain solo-2 with 7 blocks, .*`bigchaindb drop`"),
        (Held("solo-1", replace(TIP, height=8)), "the ledger here has height 8, .* began with height 7"),
        (Held("solo-1", replace(TIP, app_hash=bytes(32))), "join with a copy of exactly that ledger"),
    ],
)
def test_nothing_else_is_mixed_with_it(held: Held | None, complaint: str) -> None:
    genesis = found(MEMBERS, SOLO, chain_id="solo-1", now_s=0, rules_version=1)
    with pytest.raises(StartupError, match=complaint):
        require_can_join(genesis, held)
