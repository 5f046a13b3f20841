"""Proofs that people keep: made before invalid blocks brought the header of their height, and read as ever."""

import json
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.ledger.proofs.verifying import verify
from tests.support.proofs import BUNDLED, HEIGHT, NODE_TRUST, TRUST, Decided, Rejected, node_document, refusal

FOLDER: Final = Path(__file__).with_name("proofs")
REASON: Final = "DoubleSpend at transactions[1]"
MADE: Final = {
    "commit": Decided().document(),
    "commit-2": Decided(transactions=BUNDLED).document(),
    "node": node_document(),
    "node_invalid": node_document(REASON),
}
REFUSED: Final = {
    "member-twice": "stands twice in an object",
    "order-without-a-bundle": "order: of no bundle",
    "spare-bits-of-a-signature": "base64 with bits that mean nothing",
    "spare-bits-of-a-transaction": "base64 with bits that mean nothing",
}


def kept(name: str) -> bytes:
    return (FOLDER / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", MADE)
def test_these_proofs_are_made_byte_for_byte_as_before(name: str) -> None:
    assert MADE[name] + b"\n" == kept(name)
    trust = TRUST if name.startswith("commit") else NODE_TRUST
    assert json.loads(verify(kept(name), trust).body) == json.loads(kept(name))["event"]


def test_a_kept_rejection_is_read_and_proves_what_it_can() -> None:
    assert json.loads(Rejected().bare_document()) == json.loads(kept("rejection"))
    verified = verify(kept("rejection"), TRUST)
    assert (verified.kind, verified.reason, verified.block.header.height) == ("rejection", REASON, HEIGHT)
    assert not verified.is_bound
    assert "id" not in json.loads(verified.body)


@pytest.mark.parametrize("name", REFUSED)
def test_what_some_readers_take_otherwise_is_no_proof(name: str) -> None:
    """Each is a kept proof in a second text, which proved the same before."""
    assert {path.stem for path in (FOLDER / "refused").iterdir()} == {*REFUSED}
    assert REFUSED[name] in refusal(kept(f"refused/{name}"))
