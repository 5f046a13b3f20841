"""Validators come, change and go by their own votes, as their operators cast them on the command line.

Source: docs/reference/contract/transactions.md, section 7; docs/reference/command-line.md.
"""

import base64
import itertools
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

import pytest

from bigchaindb.engine.cometbft import files
from bigchaindb.transaction.keys import decode_key
from tests.support.chains import create
from tests.support.live_networks import POWER, Network, running_network
from tests.support.members import PROGRESS_S, Member
from tests.support.waiting import until

COUNT: Final = 4
MORE_POWER: Final = 15
SERIALS: Final = itertools.count()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Four validators and a fifth node that only follows. The tests build on each other."""
    with running_network(tmp_path_factory.mktemp("net"), COUNT) as running:
        running.start(running.add())
        yield running


def key_of(member: Member) -> str:
    """Return its public key as `/validators` has it."""
    return base64.b64encode(decode_key(member.key.public_key)).decode()


def elect(proposer: Member, voters: list[Member], candidate: Member, power: int) -> str:
    """Propose and have others agree; return the election's id."""
    node_id = files.node_id_of(candidate.key)
    told = proposer.done("election", "new", "upsert-validator", key_of(candidate), str(power), node_id)
    (id_,) = re.findall(r"\[SUCCESS\] Submitted proposal with id: ([0-9a-f]{64})", told)
    for voter in voters:
        until(partial(knows, voter, id_), what="the election on the node")
        voted = voter.run("election", "approve", id_)
        is_late = "the election is concluded" in voted.stderr  # the votes of others were enough
        assert is_late or "[SUCCESS]" in voted.stdout, voted
    return str(id_)


def knows(member: Member, election_id: str) -> bool:
    return member.get(f"elections/{election_id}").status == 200


def powers(member: Member) -> dict[str, int]:
    """Return the validators of the next block, by a node's answer."""
    return {one["public_key"]["value"]: one["voting_power"] for one in member.get("validators").json()}


def until_powers(network: Network, wanted: Mapping[str, int]) -> None:
    """Commit until every node names these validators: they vote two heights after the election."""

    def are_there() -> bool:
        network[0].commit(create(next(SERIALS)))
        return all(powers(member) == wanted for member in network)

    until(are_there, what=f"validators {wanted}", within_s=PROGRESS_S)


def until_signs(network: Network, member: Member) -> None:
    """Commit until the signature of a validator is among those under a block."""
    address = member.address.upper()

    def signs() -> bool:
        network[0].commit(create(next(SERIALS)))
        commit = network[0].rpc("commit")["signed_header"]["commit"]
        return address in {one["validator_address"] for one in commit["signatures"]}

    until(signs, what="the validator's signature", within_s=PROGRESS_S)


def test_a_node_that_followed_becomes_a_validator_and_signs(network: Network) -> None:
    first, newcomer = network[0], network[4]
    before = {key_of(member): POWER for member in network.members[:COUNT]}
    until(lambda: powers(newcomer) == before, what="the follower to know the validators")
    id_ = elect(first, network.members[1:3], newcomer, POWER)
    assert "status=ongoing" in first.done("election", "show", id_)
    assert powers(first) == before, "two thirds are not yet more than two thirds"
    network[3].done("election", "approve", id_)
    until_powers(network, before | {key_of(newcomer): POWER})
    until_signs(network, newcomer)
    for member in network:
        assert "status=concluded" in member.done("election", "show", id_)


def test_a_validator_gets_more_power(network: Network) -> None:
    wanted = powers(network[0]) | {key_of(network[1]): MORE_POWER}
    elect(network[4], network.members[:4], network[1], MORE_POWER)
    until_powers(network, wanted)


def test_a_validator_is_voted_out_and_goes_on_following(network: Network) -> None:
    leaver = network[4]
    wanted = {key: power for key, power in powers(network[0]).items() if key != key_of(leaver)}
    elect(network[0], network.members[:4], leaver, 0)
    until_powers(network, wanted)
    made = create(next(SERIALS))
    leaver.commit(made)
    network.until_everywhere(made)


def test_a_late_joiner_replays_all_elections(network: Network) -> None:
    joiner = network.add()
    network.start(joiner)
    until(lambda: powers(joiner) == powers(network[0]), what="the same validators")
    network[0].commit(create(next(SERIALS)))
    network.until_equal()
    network.until_same_tip()
