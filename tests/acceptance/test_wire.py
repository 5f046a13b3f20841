"""What drivers and browsers need of HTTP itself: an answer to everything, JSON in it, and leave for other origins.

Source: docs/reference/contract/driver-expectations.md, section 3, checks 15 and 16; http-api.md, section 1.
"""

import http.client
from typing import Final

import pytest

from tests.support.clients import Client
from tests.support.http import exchange, request
from tests.support.node import Node

ORIGIN: Final = {"Origin": "https://shop.example"}

MIB: Final = 1024 * 1024

ANSWERED: Final = [
    ("GET", "/", 200),
    ("GET", "/api/v1", 200),
    ("GET", "/api/v1/", 200),
    ("GET", "/api/v1/blocks/0", 200),
    ("GET", "/api/v1/validators", 200),
    ("GET", "/api/v1/assets?search=nothing", 200),
    ("GET", "/api/v1/assets", 400),
    ("GET", "/api/v1/assets?search=", 400),
    ("GET", "/api/v1/outputs?public_key=abc", 400),
    ("GET", "/api/v1/transactions", 400),
    ("GET", "/api/v1/blocks/abc", 404),
    ("GET", "/api/v1/transactions/abc", 404),
    ("GET", "/no/such/route", 404),
    ("DELETE", "/api/v1/transactions", 405),
    ("POST", "/api/v1/validators", 405),
]
POSTED: Final = {
    "nothing": b"",
    "no JSON": b"{",
    "another encoding": '{"id": "é"}'.encode("utf-16"),
    "no object": b"[]",
    "an object": b"{}",
    "deep": b"[" * 100_000,
    "large": b'{"id": "' + b"x" * 2_000_000 + b'"}',
}


@pytest.mark.parametrize(("method", "target", "status"), ANSWERED)
def test_15_every_answer_has_json_and_leaves_the_connection_open(
    node: Node, method: str, target: str, status: int
) -> None:
    connection = http.client.HTTPConnection(node.settings["server"]["bind"], timeout=60)
    try:
        for _ in range(2):
            answer = exchange(connection, method, target)
            assert answer.status == status, answer
            assert answer.json() is not None
            assert answer.body.endswith(b"\n")
    finally:
        connection.close()


@pytest.mark.parametrize("mode", ["async", "sync", "commit", "nope"])
@pytest.mark.parametrize("body", POSTED.values(), ids=POSTED)
def test_15_whatever_is_posted_is_answered(node: Node, body: bytes, mode: str) -> None:
    """A connection that closes without an answer makes both drivers send the POST again."""
    answer = node.post(body, mode=mode)
    too_large = len(body) > MIB and mode != "nope"  # the mode is looked at first
    assert answer.status == (413 if too_large else 400)
    assert answer.json()["message"]


@pytest.mark.parametrize("target", ["/api/v1/transactions?mode=commit", "/api/v1/transactions/", "/api/v1/outputs"])
def test_16_a_browser_asks_before_it_posts_from_another_origin(node: Node, target: str) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answer = request("OPTIONS", node.url + target, headers=ORIGIN | asked)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] in {"*", ORIGIN["Origin"]}
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"].lower() == "content-type"


@pytest.mark.parametrize(("method", "target", "status"), ANSWERED)
def test_16_other_origins_may_read_every_answer(node: Node, method: str, target: str, status: int) -> None:
    answer = request(method, node.url + target, headers=ORIGIN)
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    assert "origin" in answer.headers["vary"].lower()
    assert request(method, node.url + target).headers["access-control-allow-origin"] == "*"


def test_a_repeated_commit_is_a_duplicate_and_said_so(node: Node, python_client: Client) -> None:
    """A driver whose connection broke sends again: the user must be able to see that it is committed."""
    made = python_client.commit(python_client.create(python_client.keys()))
    for mode in ("async", "sync", "commit"):
        answer = node.post(made, mode=mode)
        assert answer.status == 400
        assert (
            answer.json()["message"]
            == f"Invalid transaction (DuplicateTransaction): transaction `{made['id']}` already exists"
        )
