"""What the vector tests share: read records, build the state that they name, judge their documents."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any, Final

import msgspec

from bigchaindb.errors import ValidationError
from bigchaindb.ledger.rules import validate
from bigchaindb.ledger.view import HeldOutput, LoadedView, Overlay
from bigchaindb.transaction import Transaction, parse, verify
from bigchaindb.transaction.conditions import Details, condition_of
from bigchaindb.transaction.model import OutputRef

DATA: Final = Path(__file__).parent / "data"

Record = dict[str, Any]


def read(name: str) -> Any:
    """Return the content of `data/<name>.json`."""
    return json.loads((DATA / f"{name}.json").read_bytes())


def body_of(record: Record) -> bytes:
    """Return the bytes that a client would have sent."""
    return b64decode(record["raw_b64"]) if "raw_b64" in record else json.dumps(record["tx"]).encode()


DOCUMENTS: Final = {
    version: {r["name"]: r for kind in ("valid", "quirks") for r in read(f"{kind}_{version}") if "tx" in r}
    for version in ("v1", "v2")
}


def state_before(version: str, record: Record) -> Overlay:
    """Return the state that a record wants: what its `ledger` names, whether committed or waiting in the pool.

    A block that was voted invalid has changed nothing. Documents that this node refuses cannot be in its ledger; what
    they would have given to spend is taken from `spent`.
    """
    status = record.get("ledger_status", {})
    names = [name for name in record.get("ledger", []) if status.get(name) != "invalid"]
    parsed, is_missing = [], False
    for name in names:
        try:
            parsed.append(parse(body_of(DOCUMENTS[version][name])))
        except ValidationError:
            is_missing = True
    state = Overlay(LoadedView(0, frozenset(), _held(record["spent"]) if is_missing else {}))
    for transaction in parsed:
        state.add(transaction)
    return state


def judge(version: str, record: Record) -> Transaction:
    """Do what the node does with a posted document: T0 to T16."""
    transaction = parse(body_of(record))
    validate(transaction, state_before(version, record), signatures_valid=verify(transaction))
    return transaction


def _held(spent: list[Record]) -> dict[OutputRef, HeldOutput]:
    held = {}
    for item in spent:
        output = item["output"]
        try:
            fingerprint = condition_of(msgspec.convert(output["condition"]["details"], Details)).fingerprint
        except ValueError:  # a condition that nothing opens
            fingerprint = bytes(32)
        held[OutputRef(**item["fulfills"])] = HeldOutput(int(output["amount"]), fingerprint, item["asset_id"], None)
    return held
