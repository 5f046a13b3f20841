"""The exchanges that were recorded with the old server, again. Source: http-api.md, section 11."""

import json

import pytest

from bigchaindb.transaction.build import create
from tests.support.raw import ask
from tests.support.served import KEY, STREAM_URL, Served

HEX = 64 * "a"
KEY_LIKE = 43 * "1"
MISSING = "Missing required parameter in the JSON body or the post body or the query string"

SAME = [
    ("GET", "/api/v1/transactions/abc", 404, {"message": "Not found", "status": 404}),
    ("GET", "/api/v1/transactions?asset_id=zz", 400, {"message": {"asset_id": "Invalid hash"}}),
    ("GET", f"/api/v1/transactions?asset_id={HEX}&foo=1", 200, []),
    ("GET", "/api/v1/outputs?public_key=abc", 400, {"message": {"public_key": "Invalid base58 ed25519 key"}}),
    ("GET", f"/api/v1/outputs?public_key={KEY_LIKE}&foo=x", 400, {"message": "Unknown arguments: foo"}),
    ("GET", "/api/v1/blocks", 400, {"message": {"transaction_id": MISSING}}),
    ("GET", "/api/v1/blocks/0", 200, {"height": 0, "transactions": []}),
    ("GET", "/api/v1/assets?search=", 400, {"message": "text_search cannot be empty", "status": 400}),
    (
        "GET",
        "/api/v1/assets?search=a&limit=x",
        400,
        {"message": {"limit": "invalid literal for int() with base 10: 'x'"}},
    ),
    ("POST", "/api/v1/validators", 405, {"message": "The method is not allowed for the requested URL."}),
    (
        "POST",
        "/api/v1/transactions?mode=nope",
        400,
        {"message": {"mode": 'Mode must be "async", "sync" or "commit"'}},
    ),
    (
        "GET",
        f"/api/v1/blocks?transaction_id={HEX}&status=x",
        400,
        {"message": {"status": "x is not a valid choice"}},
    ),
]


@pytest.mark.parametrize(("method", "target", "status", "body"), SAME)
async def test_the_answer_is_the_recorded_one(
    served: Served, method: str, target: str, status: int, body: object
) -> None:
    answer = await ask(served.api.port, method, target, b"{}" if method == "POST" else None)
    assert (answer.status, answer.json()) == (status, body)


async def test_the_root(served: Served) -> None:
    document = (await ask(served.api.port, "GET", "/")).json()
    paths = document.pop("api").pop("v1")
    assert document.pop("docs") == "http://localhost:9984/docs"
    assert document == {"software": "BigchainDB", "version": "3.0.0", "public_key": KEY.public_key, "keyring": []}
    assert paths.pop("docs") == "http://localhost:9984/docs"
    assert paths.pop("streams") == STREAM_URL
    assert paths.pop("validators") == "/api/v1/validators"  # without a slash
    assert paths == {name: f"/api/v1/{name}/" for name in paths}
    assert set(paths) == {"assets", "blocks", "metadata", "outputs", "statuses", "transactions", "votes"}


async def test_the_index_has_another_prefix_than_the_root(served: Served) -> None:
    document = (await ask(served.api.port, "GET", "/api/v1")).json()
    assert (document["assets"], document["outputs"], document["transactions"]) == (
        "/assets/",
        "/outputs/",
        "/transactions/",
    )
    assert document["validators"] == "/validators"


async def test_the_validators(served: Served) -> None:
    [validator] = (await ask(served.api.port, "GET", "/api/v1/validators")).json()
    assert validator["public_key"]["type"] == "ed25519-base64"
    assert len(validator["public_key"]["value"]) == 44
    assert validator["voting_power"] >= 1


async def test_broken_json(served: Served) -> None:
    answer = await ask(served.api.port, "POST", "/api/v1/transactions", b"{")
    assert answer.status == 400
    assert set(answer.json()) == {"message"}
    assert answer.json()["message"].startswith("Failed to decode JSON object: ")


async def test_a_committed_create_again_and_an_unknown_member(served: Served) -> None:
    made = create([KEY], data={"a": "b"})
    target = "/api/v1/transactions?mode=commit"
    assert (await ask(served.api.port, "POST", target, made.body)).status == 202
    again = await ask(served.api.port, "POST", target, made.body)
    text = f"Invalid transaction (DuplicateTransaction): transaction `{made.id}` already exists"
    assert (again.status, again.body) == (
        400,
        json.dumps({"message": text, "status": 400}, separators=(",", ":")).encode() + b"\n",
    )
    assert (await ask(served.api.port, "GET", f"/api/v1/blocks?transaction_id={made.id}")).json() == [1]


async def test_a_transaction_in_the_backlog_and_a_posted_document(served: Served) -> None:
    made = create([KEY], data={"a": "é\u2028", "n": 1e-7})
    answer = await ask(served.api.port, "POST", "/api/v1/transactions", made.body)
    assert (answer.status, answer.json()) == (202, json.loads(made.body))
    assert answer.headers["location"] == f"../statuses?transaction_id={made.id}"
    status = await ask(served.api.port, "GET", f"/api/v1/statuses?transaction_id={made.id}")
    assert (status.status, status.json()["status"] in {"backlog", "undecided", "valid"}) == (200, True)
