"""The exchanges that were recorded with 2.2.2, read by the client. Source: http-api.md, section 11."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bigchaindb.client import AsyncClient, RequestFailed, Status, TransactionRefused, answers
from bigchaindb.transaction.build import create
from tests.support.odd_nodes import answer, odd_node
from tests.support.served import KEY

HEX = 64 * "a"
MISSING = "Missing required parameter in the JSON body or the post body or the query string"
SIGNED = create([KEY], data={"n": 1})
VALIDATOR = {"public_key": {"type": "ed25519-base64", "value": "A" * 43 + "="}, "voting_power": 10}

Ask = Callable[[AsyncClient], Awaitable[Any]]


@pytest.mark.parametrize(
    ("ask", "target", "said", "result"),
    [
        (lambda c: c.transactions(HEX), f"/api/v1/transactions?asset_id={HEX}", [], []),
        (
            lambda c: c.block(0),
            "/api/v1/blocks/0",
            {"height": 0, "transactions": []},
            {"height": 0, "transactions": []},
        ),
        (lambda c: c.validators(), "/api/v1/validators", [VALIDATOR], [VALIDATOR]),
        (lambda c: c.outputs("K", spent=True), "/api/v1/outputs?public_key=K&spent=true", [], []),
        (
            lambda c: c.status(HEX),
            f"/api/v1/statuses?transaction_id={HEX}",
            {"status": "backlog"},
            Status("backlog"),
        ),  # 1.3.0
    ],
)
async def test_answers(ask: Ask, target: str, said: object, result: object) -> None:
    async with odd_node(answer(200, said)) as node, AsyncClient(node.url) as client:
        assert await ask(client) == result
        assert node.asked == [(f"GET {target}", b"")]


@pytest.mark.parametrize(
    ("ask", "status", "said", "text"),
    [
        (lambda c: c.transaction("abc"), 404, {"message": "Not found", "status": 404}, "Not found"),
        (lambda c: c.transactions("zz"), 400, {"message": {"asset_id": "Invalid hash"}}, "Invalid hash"),
        (
            lambda c: c.outputs("abc"),
            400,
            {"message": {"public_key": "Invalid base58 ed25519 key"}},
            "Invalid base58 ed25519 key",
        ),
        (lambda c: c.outputs("abc"), 400, {"message": "Unknown arguments: foo"}, "Unknown arguments: foo"),
        (lambda c: c.search("assets", ""), 400, {"message": "text_search cannot be empty", "status": 400}, "be empty"),
        (
            lambda c: c.ask(answers.Call("/api/v1/blocks", bytes)),
            400,
            {"message": {"transaction_id": MISSING}},
            "Missing required parameter",
        ),
        (
            lambda c: c.ask(answers.Call("/api/v1/validators", bytes, b"{}", "POST")),
            405,
            {"message": "The method is not allowed for the requested URL."},
            "not allowed",
        ),
        (lambda c: c.status(HEX), 404, b"<html>", "without JSON: is it a node"),  # 2.2.2 has no such route
    ],
)
async def test_refusals(ask: Ask, status: int, said: object, text: str) -> None:
    async with odd_node(answer(status, said)) as node, AsyncClient(node.url) as client:
        with pytest.raises(RequestFailed, match=text) as refused:
            await ask(client)
        assert (refused.value.status, len(node.asked)) == (status, 1)


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        ("Failed to decode JSON object: Expecting property name: line 1 column 2 (char 1)", "MalformedJson"),
        (
            "Invalid transaction schema: Additional properties are not allowed ('foo' was unexpected)",
            "SchemaValidationError",
        ),
    ],
)
async def test_refused_transactions(message: str, rule: str) -> None:
    async with odd_node(answer(400, {"message": message, "status": 400})) as node, AsyncClient(node.url) as client:
        with pytest.raises(TransactionRefused) as refused:
            await client.send(SIGNED)
        assert refused.value.rule == rule


async def test_a_committed_create_again() -> None:
    text = f"Invalid transaction (DuplicateTransaction): transaction `{SIGNED.id}` already exists"
    said = answer(400, {"message": text, "status": 400})
    async with odd_node(said, answer(200, SIGNED.body)) as node, AsyncClient(node.url) as client:
        assert (await client.send(SIGNED))["id"] == SIGNED.id
