"""Four nodes at work: whatever one of them took, all of them have, in the same place.

Source: docs/explanation/network.md; docs/reference/contract/http-api.md; invariants L1, L2, E2.
"""

import base64
import itertools
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from bigchaindb.client import Client, ProofError, new_keypair
from bigchaindb.ledger.voting import is_signed
from bigchaindb.transaction import Transaction
from bigchaindb.transaction.keys import decode_key
from tests.support import clients
from tests.support.chains import ALICE, BOB, CAROL, Coin, create, transfer
from tests.support.clients import Recipient, Spend
from tests.support.http import Answer
from tests.support.live_networks import CHAIN, POWER, Network, running_network
from tests.support.members import Member
from tests.support.waiting import until

COUNT = 4
SERIALS = itertools.count()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Four validators, each of which writes its events to a file."""
    with running_network(tmp_path_factory.mktemp("net"), COUNT, is_recorded=True) as made:
        yield made


def fresh(amounts: Sequence[int] = (1,)) -> Transaction:
    """Make a CREATE that no other test makes."""
    return create(next(SERIALS), amounts=amounts)


def expected_of(mode: str) -> Sequence[int]:
    """Return the statuses of a transaction that is not refused; a slow machine decides some behind the time to wait."""
    return (202, 504) if mode == "commit" else (202,)


def race(one: Member, other: Member, rivals: tuple[Transaction, Transaction], mode: str) -> list[Answer]:
    """Post two transactions to two nodes at once."""
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(lambda member, rival: member.post(rival.body, mode=mode), (one, other), rivals))


def test_what_one_node_has_committed_all_have(network: Network) -> None:
    for member in network:
        made = fresh()
        member.commit(made)
        network.until_everywhere(made)


@pytest.mark.parametrize("mode", ["async", "sync", "commit"])
def test_each_mode_ends_in_a_block_on_every_node(network: Network, mode: str) -> None:
    made = [fresh() for _ in network]
    for member, transaction in zip(network, made, strict=True):
        status = member.send(transaction, mode=mode).status
        assert status in expected_of(mode)
        if mode == "commit" and status == 202:
            assert member.has(transaction)
    network.until_everywhere(*made)


def test_a_chain_of_transfers_goes_from_node_to_node(network: Network) -> None:
    """Nobody waits for a block: a child is posted as soon as its node knows the parent."""
    links = [fresh()]
    owners = itertools.cycle((ALICE, BOB))
    for owner, to in itertools.islice(itertools.pairwise(owners), 8):
        links.append(transfer(Coin(links[-1], owner=owner), to=to))
    for member, link in zip(itertools.cycle(network), links, strict=False):
        until(partial(is_taken, member, link), what="a node to know the parent")
    network.until_everywhere(*links)


def is_taken(member: Member, transaction: Transaction) -> bool:
    return member.post(transaction.body, mode="async").status == 202


def test_all_nodes_log_the_same_events_byte_for_byte(network: Network) -> None:
    network[0].commit(fresh())
    events = network.until_equal(position=1)
    documents = [json.loads(event) for event in events]
    assert [one["id"] for one in documents] == [f"{CHAIN}:{position:020}" for position in range(1, len(events) + 1)]
    assert {one["source"] for one in documents} == {f"urn:bigchaindb:{CHAIN}"}
    network.until_same_tip()


def test_a_token_of_one_node_goes_on_at_another(network: Network) -> None:
    network[0].commit(fresh(), fresh(), fresh())
    events = network.until_equal(position=3)
    token = network[0].get("events", limit=2).json()["next"]
    for member in network:
        assert member.events(after=token) == events[2:]
        assert member.get("events", limit=2).json()["next"] == token


def test_an_application_goes_on_over_the_nodes_that_are_left(network: Network) -> None:
    """Its client knows four addresses; a token and a proof of one node are good on the others."""
    alice, bob = new_keypair(), new_keypair()
    with Client([member.url for member in network]) as ledger:
        bicycle = ledger.create(alice, {"bicycle": 1}, amount=2)
        wish: dict[str, Any] = {"until": "head", "granularity": "transaction", "select": {"asset": bicycle["id"]}}
        [made] = ledger.events(**wish)
        asked = next(member for member in network if member.url == ledger.url)
        asked.kill()
        try:
            sold = ledger.transfer(bicycle, alice, to=bob.public_key, amount=1)
            assert ledger.url != asked.url
            [passed] = ledger.events(after=made.token, **wish)
            assert passed.transaction == sold == ledger.transfer(bicycle, alice, to=bob.public_key, amount=1)
            genesis = network.genesis.encode()
            for event in (made, passed):
                proven = ledger.verify(event, genesis)
                assert not proven.is_own_word
                assert (proven.verified.chain_id, proven.verified.total) == (CHAIN, COUNT * POWER)
            stranger = [{"public_key": {"type": "ed25519-base64", "value": "A" * 43 + "="}, "voting_power": 1}]
            with pytest.raises(ProofError, match="power: 0 of the 1 that are trusted signed it"):
                ledger.verify(passed, stranger)
        finally:
            asked.start()


@pytest.mark.parametrize("mode", ["async", "commit"])
def test_of_two_spends_posted_to_two_nodes_at_once_one_wins(network: Network, mode: str) -> None:
    """L1, L2: the other is reported, to who waits and to who asks later."""
    for number in range(5):
        coin = fresh(amounts=(5,))
        network[0].commit(coin)
        network.until_everywhere(coin)
        rivals = (transfer(Coin(coin), to=BOB, amounts=(2, 3)), transfer(Coin(coin), to=CAROL, note=number))
        answers = race(network[1], network[2], rivals, mode)
        winner = until(partial(first_of, rivals, network[0]), what="one of the two to win") - 1
        network.until_everywhere(rivals[winner])
        network.until_equal()
        loser = 1 - winner
        assert answers[winner].status in expected_of(mode)
        for member in network:
            assert not member.has(rivals[loser])
            assert member.get("transactions", asset_id=coin.id).json()[1:] == [json.loads(rivals[winner].body)]
        if answers[loser].status == 400:
            told = answers[loser].body
        else:
            assert answers[loser].status == expected_of(mode)[-1], answers
            told = until(partial(rejection, network[1 + loser], rivals[loser]), what="a rejection")
            until(partial(rejected, network[1 + loser], rivals[loser]), what="its event")
            found = [rejected(member, rivals[loser]) for member in network]
            assert [len(one) for one in found] == [number == 1 + loser for number, _ in enumerate(network)]  # P21
            (event,) = found[1 + loser]
            assert event["data"]["transaction"] == json.loads(rivals[loser].body)
            assert event["source"].startswith(f"urn:bigchaindb:{CHAIN}:node:")
        assert b"DoubleSpend" in told


def first_of(rivals: tuple[Transaction, Transaction], member: Member) -> int | None:
    """Return the numbers, from 1, of the rivals that a node has committed."""
    return next((number for number, rival in enumerate(rivals, 1) if member.has(rival)), None)


def rejection(member: Member, transaction: Transaction) -> bytes | None:
    """Return a node's problem about a transaction that it turned away after it had taken it."""
    answer = member.get("statuses", transaction_id=transaction.id)
    return answer.body if answer.status == 404 and b"rejected" in answer.body else None


def rejected(member: Member, transaction: Transaction) -> list[dict[str, Any]]:
    """Return the events of a node about a transaction that it accepted and rejected."""
    events = member.get("rejected", asset=transaction.asset_id).json()["events"]
    return [event for event in events if event["subject"] == transaction.id]


def test_every_node_names_the_same_validators(network: Network) -> None:
    keys = {base64.b64encode(decode_key(member.key.public_key)).decode() for member in network}
    for member in network:
        listed = member.get("validators").json()
        assert {one["public_key"]["value"] for one in listed} == keys
        assert {one["voting_power"] for one in listed} == {POWER}


def test_each_node_gives_its_own_signed_vote_on_a_block(network: Network) -> None:
    network[0].commit(fresh())
    block = json.loads(network.until_equal()[-1])["subject"]
    for member in network:
        (vote,) = member.get("votes", block_id=block).json()
        assert vote["node_pubkey"] == member.key.public_key
        assert vote["vote"]["voting_for_block"] == block
        assert vote["vote"]["is_block_valid"] is True
        assert is_signed(vote)


def test_a_height_without_transactions_is_an_empty_block(network: Network) -> None:
    made = fresh()
    network[0].commit(made)
    newest = json.loads(network.until_equal()[-1])["data"]["height"]
    until(lambda: network[0].height() > newest, what="the block that proves the new state")
    height = network.until_same_tip().height
    for member in network:
        assert member.get(f"blocks/{height}").json() == {"height": height, "transactions": []}
        assert [one["id"] for one in member.get(f"blocks/{newest}").json()["transactions"]] == [made.id]
        assert member.get(f"blocks/{height + 1000}").status == 404


def test_a_block_is_proven_to_whoever_has_the_validators(network: Network, tmp_path: Path) -> None:
    network[1].commit(fresh())
    event = json.loads(network.until_equal()[-1])
    trusted, proof = tmp_path / "validators.json", tmp_path / "proof.json"
    trusted.write_bytes(network[0].get("validators").body)
    for member in network:
        answer = member.get(f"blocks/{event['data']['height']}/proof")
        assert answer.status == 200
        proof.write_bytes(answer.body)
        verified = member.run("verify", str(proof), "--validators", str(trusted))
        assert verified.returncode == 0, verified.stderr
        assert event["subject"] in verified.stdout
        assert CHAIN in verified.stdout
        own = member.run("verify", str(proof), "--validators", str(member.layout.genesis), "--json")
        assert json.loads(own.stdout)["id"] == event["subject"]


def test_the_stream_of_each_node_tells_what_any_node_took(network: Network) -> None:
    made = [fresh() for _ in network]
    with ExitStack() as streams:
        following = [streams.enter_context(connect(member.stream_url)) for member in network]
        for member, transaction in zip(network, made, strict=True):
            member.commit(transaction)
        for stream in following:
            frames = [json.loads(stream.recv(timeout=60)) for _ in made]
            assert [frame["transaction_id"] for frame in frames] == [one.id for one in made]


def test_the_published_driver_works_on_a_network(network: Network) -> None:
    with clients.connected("python-0.6.2", *(member.url for member in network)) as client:
        alice, bob = client.keys(), client.keys()
        made = client.commit(client.create(alice, data={"bicycle": "of a network"}))
        height = client.height(made["id"])
        assert height
        assert made in client.block(height)["transactions"]
        moved = client.commit(client.transfer([Spend(made, 0, (alice,))], [Recipient((bob,))]))
        assert client.outputs(alice, spent=True) == [(made["id"], 0)]
        assert client.outputs(bob, spent=False) == [(moved["id"], 0)]
    with clients.connected("python-0.6.2", network[3].url) as client:
        until(lambda: network[3].get(f"transactions/{moved['id']}").status == 200, what="it on the last node")
        assert client.transactions(made["id"]) == [made, moved]


def test_a_plugin_of_each_node_gets_every_event_once_also_when_its_node_is_killed(network: Network) -> None:
    network[0].commit(fresh())
    victim = network[3]
    victim.kill()
    network[1].commit(fresh(), fresh())
    network.start(victim)
    victim.commit(fresh())
    events = network.until_equal()
    for member in network:
        member.until_written(events)
