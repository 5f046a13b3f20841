"""Every document of valid_v1.json and valid_v2.json is accepted, under its id, over the messages that were signed."""

import json
from hashlib import sha3_256

import pytest

from bigchaindb.errors import GenesisBlockAlreadyExistsError
from bigchaindb.transaction import parse, verify
from bigchaindb.transaction.texts import id_of
from tests.vectors.judging import Record, body_of, judge, read

V1 = [pytest.param(record, id=record["name"]) for record in read("valid_v1")]
V2 = [pytest.param(record, id=record["name"]) for record in read("valid_v2")]


@pytest.mark.parametrize("record", V1)
def test_v1_document(record: Record) -> None:
    transaction = parse(body_of(record))
    assert verify(transaction)
    assert transaction.id == record["tx"]["id"]
    assert json.loads(transaction.body) == record["tx"]
    assert {sha3_256(i.message).hexdigest() for i in transaction.inputs} == set(record["signed_message_sha3"])


@pytest.mark.parametrize("record", V2)
def test_v2_document(record: Record) -> None:
    transaction = parse(body_of(record))
    assert verify(transaction)
    assert transaction.id == record["tx"]["id"]
    assert json.loads(transaction.body) == record["tx"]
    assert [i.message.hex() for i in transaction.inputs] == record["signed_messages"]


@pytest.mark.parametrize("record", [*V1, *V2])
def test_canonical_bytes_are_read_back_unchanged(record: Record) -> None:
    """The stored bytes are what nodes exchange: they must be a fixed point."""
    transaction = parse(body_of(record))
    assert parse(transaction.body) == transaction


@pytest.mark.parametrize("record", [*V1, *V2])
def test_the_id_follows_from_the_canonical_bytes(record: Record) -> None:
    """A read computes the id again: one changed bit of a stored body must show (L6)."""
    transaction = parse(body_of(record))
    assert id_of(transaction.body, transaction.id) == transaction.id
    changed = bytearray(transaction.body)
    changed[transaction.body.index(b'"operation":"') + 13] ^= 1
    assert id_of(bytes(changed), transaction.id) != transaction.id


@pytest.mark.parametrize("record", V1)
def test_v1_document_in_its_ledger(record: Record) -> None:
    if record["tx"]["operation"] == "GENESIS":  # right as a document, but this chain has begun
        with pytest.raises(GenesisBlockAlreadyExistsError):
            judge("v1", record)
        return
    judge("v1", record)


@pytest.mark.parametrize("record", V2)
def test_v2_document_in_its_ledger(record: Record) -> None:
    judge("v2", record)


def test_the_files_are_complete() -> None:
    assert (len(V1), len(V2)) == (61, 79)
