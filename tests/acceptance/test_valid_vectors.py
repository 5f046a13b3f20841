"""What the published libraries made and their servers accepted, a running node commits and gives back unchanged.

Source: tests/vectors/data/README.md. The pure checks of the same files are in tests/vectors.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conftest import StartNode
from tests.support.node import Node

VECTORS: Final = Path(__file__).parents[1] / "vectors/data"
REFUSED: Final = {"genesis": "GenesisBlockAlreadyExistsError"}
"""Records that this node refuses on purpose, with the class that it answers. Source: transactions.md, section 7."""

Record = dict[str, Any]


class Ledger:
    """A fresh node, and the records that it has committed."""

    def __init__(self, node: Node, records: dict[str, Record]) -> None:
        self.node = node
        self.records = records
        self.committed: dict[str, str] = {}

    def takes(self, record: Record) -> bool:
        """Commit a record and those that it builds on; False if another record has spent the same output."""
        if record["tx"]["id"] in self.committed.values():
            return True
        if not all(self.takes(self.records[name]) for name in record["ledger"]):
            return False
        answer = self.node.post(record["tx"])
        if answer.status == 400 and "(DoubleSpend)" in answer.json()["message"]:
            return False
        assert answer.status == 202, (record["name"], answer)
        assert self.node.get(f"transactions/{record['tx']['id']}").json() == record["tx"]
        self.committed[record["name"]] = record["tx"]["id"]
        return True


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_every_valid_vector_is_committed_and_given_back(start_node: StartNode, version: str) -> None:
    records = {record["name"]: record for record in json.loads((VECTORS / f"valid_{version}.json").read_text())}
    left = [record for name, record in records.items() if name not in REFUSED]
    while left:  # a few spend the same output: each is valid, but not on the same ledger
        ledger = Ledger(start_node(), records)
        rest = [record for record in left if not ledger.takes(record)]
        assert len(rest) < len(left)
        left = rest


def test_a_genesis_transaction_is_refused(node: Node) -> None:
    (genesis,) = (r for r in json.loads((VECTORS / "valid_v1.json").read_text()) if r["tx"]["operation"] == "GENESIS")
    assert genesis["name"] in REFUSED
    answer = node.post(genesis["tx"])
    assert answer.status == 400
    assert f"({REFUSED[genesis['name']]})" in answer.json()["message"]
