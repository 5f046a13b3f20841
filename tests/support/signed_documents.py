"""Transactions as JSON documents, to break one thing in them."""

import json
from hashlib import sha3_256
from typing import Any

from bigchaindb.transaction import KeyPair, Transaction
from bigchaindb.transaction.build import create
from bigchaindb.transaction.canonical import canonical

ALICE, BOB, CAROL = (KeyPair.from_seed(bytes([index]) * 32) for index in (1, 2, 3))


def made(version: str, /, **changes: Any) -> dict[str, Any]:
    """Make a signed CREATE with members changed afterwards."""
    signed = create([ALICE], data={"a": 1}, metadata={"b": 2}, version="1.0" if version == "1.0" else "2.0")
    document: dict[str, Any] = json.loads(signed.body)
    return document | changes


def rehashed(document: dict[str, Any]) -> bytes:
    """Write the id that belongs to a document into it; its signatures are not made anew."""
    if document.get("version") == "1.0":
        bare = {**document, "inputs": [{**item, "fulfillment": None} for item in document["inputs"]]}
        del bare["id"]
        text = canonical(bare, "1.0")
    else:
        text = canonical({**document, "id": None}, "2.0")
    return canonical({**document, "id": sha3_256(text).hexdigest()}, document.get("version", "2.0"))


def contents(transaction: Transaction) -> tuple[object, object]:
    """Return its asset and its metadata."""
    document = json.loads(transaction.body)
    return document["asset"], document["metadata"]
