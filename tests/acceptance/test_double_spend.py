"""Two who want the same thing at the same time: one gets it, the other is told.

Source: docs/reference/contract/driver-expectations.md, section 3, check 11; invariant L1.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.support import clients
from tests.support.clients import Client, Document, Recipient, RefusedError, Spend
from tests.support.node import Node

ANSWER_S = 20.0
"""Both drivers give up after so long; a machine that does nothing else answers within two seconds."""
ROUNDS = 10


@dataclass(frozen=True)
class Outcome:
    """What one of the two got, and after how long."""

    refused: RefusedError | None
    took_s: float


@pytest.fixture(scope="module", params=clients.VERSION_2)
def rivals(node: Node, request: pytest.FixtureRequest) -> Iterator[tuple[Client, Client]]:
    with clients.connected(request.param, node.url) as one, clients.connected(request.param, node.url) as other:
        yield one, other


def race(rivals: Sequence[Client], transactions: Sequence[Document]) -> list[Outcome]:
    """Post each transaction at the same moment, each from a client of its own."""
    start = threading.Barrier(len(rivals))

    def post(client: Client, transaction: Document) -> Outcome:
        start.wait()
        began = time.monotonic()
        try:
            client.post(transaction)
        except RefusedError as error:
            return Outcome(error, time.monotonic() - began)
        return Outcome(None, time.monotonic() - began)

    with ThreadPoolExecutor(len(rivals)) as threads:
        return list(threads.map(post, rivals, transactions))


def exactly_one_wins(outcomes: list[Outcome]) -> None:
    assert [outcome.refused is None for outcome in outcomes].count(True) == 1, outcomes
    (loser,) = (outcome.refused for outcome in outcomes if outcome.refused is not None)
    assert loser.status is not None, "the node closed the connection without an answer"
    assert 400 <= loser.status < 600
    assert max(outcome.took_s for outcome in outcomes) < ANSWER_S, outcomes


def test_11_the_same_create_twice_at_once_succeeds_once(rivals: tuple[Client, Client]) -> None:
    for _ in range(ROUNDS):
        same = rivals[0].create(rivals[0].keys(), data={"race": time.monotonic_ns()})
        exactly_one_wins(race(rivals, [same, same]))
        assert rivals[0].transactions(same["id"]) == [same]


def test_11_one_coin_spent_in_two_places_at_once_is_spent_once(rivals: tuple[Client, Client]) -> None:
    client = rivals[0]
    for _ in range(ROUNDS):
        alice, bob, carol = (client.keys() for _ in range(3))
        coin = client.commit(client.create(alice))
        spends = [client.transfer([Spend(coin, 0, (alice,))], [Recipient((to,))]) for to in (bob, carol)]
        exactly_one_wins(race(rivals, spends))
        assert len(client.outputs(bob)) + len(client.outputs(carol)) == 1
        assert len(client.transactions(coin["id"])) == 2
