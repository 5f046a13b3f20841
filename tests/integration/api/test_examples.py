"""Each route's example, sent to a node: it succeeds, and the answer is as described."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator

from bigchaindb.api import examples
from bigchaindb.api.openapi import document
from bigchaindb.api.route import Route
from bigchaindb.api.routes import ROUTES
from bigchaindb.ledger.elections import Elections
from tests.integration.api.conftest import Start
from tests.support import made_secrets
from tests.support.chains import ALICE
from tests.support.decisions import Chain
from tests.support.elections import election, validators_of, vote
from tests.support.http import Answer
from tests.support.raw import UPGRADE, ask
from tests.support.served import Served

DOCUMENT: Final = document(ROUTES)
OF_NETWORKS: Final = ("listElections", "getElection")
PROPOSED: Final = election()
SWITCHING: Final = 101
NEEDS_PARKED: Final = {f"{order}{of}" for order in ("retry", "discard") for of in ("Plugin", "Subscription")}
"""Event 1 must be parked."""


def address(operation: Mapping[str, Any], path: str, replaced: Mapping[str, str]) -> str:
    """Return path and query of the example of an operation."""
    query = []
    for parameter in operation["parameters"]:
        name, example = parameter["name"], replaced.get(parameter["name"], parameter.get("example"))
        if parameter["in"] == "path":
            assert example is not None, f"{path}: {name} has no example"
            path = path.replace(f"{{{name}}}", quote(example))
        elif parameter["in"] == "query" and example is not None:
            query.append(f"{name}={quote(example)}")
        assert example is not None or not parameter.get("required"), f"{path}: {name} has no example"
    return f"{path}?{'&'.join(query)}".rstrip("?")


async def send(served: Served, route: Route, **replaced: str) -> Answer:
    """Send the example of a route; require the status and the body that are described.

    Args:
        served: the node.
        route: of the example.
        replaced: values that no example can know, by the names of arguments and members of the body.
    """
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    if isinstance(body, dict):
        body = {name: replaced.get(name, value) for name, value in body.items()}
    sent = None if route.method == "GET" else b"" if body is None else json.dumps(body).encode()
    headers = UPGRADE if route.status == SWITCHING else {}
    if "key" in replaced:
        headers = {"Authorization": f"Bearer {replaced['key']}"}
    answer = await ask(served.api.port, route.method, address(operation, route.path, replaced), sent, **headers)
    assert answer.status == route.status, (route.id, answer)
    content = operation["responses"][str(answer.status)].get("content", {}).get("application/json")
    if content is None:
        assert answer.body == b""
    else:
        Draft202012Validator({**content["schema"], "components": DOCUMENT["components"]}).validate(answer.json())
    return answer


def by_id(*ids: str) -> Iterator[Route]:
    """Yield routes by the names of their operations."""
    return (next(route for route in ROUTES if route.id == id_) for id_ in ids)


async def park(served: Served) -> None:
    """Make the subscription of the examples anew, with its first event parked."""
    delete, put, pull = by_id("deleteSubscription", "putSubscription", "pullSubscription")
    await send(served, delete)
    await send(served, put)
    target = pull.path.replace("{name}", "billing")
    body = json.dumps({"count": 1, "wait_s": 30}).encode()
    pulled = (await ask(served.api.port, "POST", target, body)).json()
    answer = json.dumps({"count": 0, "park": [{"lease": pulled["events"][0]["lease"], "error": "no"}]}).encode()
    assert (await ask(served.api.port, "POST", target, answer)).json()["stale"] == []


async def test_every_example_succeeds(served: Served) -> None:
    """Otherwise the page, and clients that tools generate, show and expect what the node does not do."""
    first = [*by_id("postTransaction", "putSubscription")]
    await send(served, first[0])
    await park(served)
    (row,) = served.store.queries().blocks_of_transaction(examples.TRANSACTION_ID)
    last = [*by_id("deleteSubscription")]
    for route in ROUTES:
        if route.id in OF_NETWORKS or route in (*first, *last):
            continue
        if route.id in NEEDS_PARKED:
            await park(served)
        known = {
            "listVotes": {"block_id": row.block_id},
            "exchangeCode": {"code": served.exchange.new_code()},
            "lockPage": {"key": made_secrets.remember(served.exchange.new_key()[1])},
        }
        answer = await send(served, route, **known.get(route.id, {}))
        if route.method == "GET" and route.answer is not None and route.answer.get("type") == "array":
            assert answer.json() != [], f"the example of {route.id} finds nothing"
    await send(served, last[0])


@pytest.mark.parametrize("route", [*by_id(*OF_NETWORKS)], ids=lambda route: route.id)
async def test_examples_of_networks_succeed(start: Start, route: Route) -> None:
    elections, _ = Elections().after([PROPOSED, vote(PROPOSED, ALICE)], validators_of(), 1)
    served = await start(elections=lambda: elections)
    served.store.writer.commit(Chain().valid(PROPOSED))
    assert await send(served, route, id=PROPOSED.id)
