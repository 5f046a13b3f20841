"""Whatever is changed in a proof, at whatever place, is found."""

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import ProofError
from bigchaindb.ledger.proofs.verifying import verify
from tests.support.proof_mutations import members, spoilt
from tests.support.proofs import (
    HEIGHT,
    PROOFS,
    refusal,
    replaced,
)

UNBOUND: Final = {("event", "id"), ("event", "block", "voters")}
"""What a rejection without the header of its height does not prove."""


@pytest.mark.parametrize("name", PROOFS)
def test_whatever_is_changed_in_a_proof_is_found(name: str) -> None:
    """Each member in turn becomes something else of its kind, and nothing else changes."""
    document, trust = PROOFS[name]
    whole = json.loads(document)
    unsigned = {("event", "height")} if name.startswith("node") else set()  # the node does not sign it
    count = 0
    for path in members(whole):
        if path in unsigned or (name.startswith("bare") and path[:3] in UNBOUND):
            continue
        at = whole
        for step in path:
            at = at[step]
        for other in spoilt(at):
            if other == at:
                continue
            count += 1
            with pytest.raises(ProofError):
                print(path, other, verify(replaced(document, path, other), trust))
    assert count > 50


@pytest.mark.parametrize("name", PROOFS)
@given(data=st.data())
def test_no_byte_can_be_changed_so_that_another_event_is_proven(name: str, data: st.DataObject) -> None:
    document, trust = PROOFS[name]
    place = data.draw(st.integers(0, len(document) - 1))
    flipped = bytearray(document)
    flipped[place] ^= data.draw(st.integers(1, 255))
    try:
        verified = verify(bytes(flipped), trust)
    except ProofError:
        return
    proven = verify(document, trust)
    if not verified.is_bound:
        assert verified.body == proven.body
    elif name.startswith("node"):  # the node does not sign the height
        header = replace(verified.block.header, height=HEIGHT)
        assert replace(verified.block, header=header) == proven.block
    else:
        assert verified == proven


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_no_value_at_any_place_is_a_defect(value: Any) -> None:
    """A proof comes from anyone: a traceback instead of a refusal is an attack."""
    for document, trust in PROOFS.values():
        for path in [("event",), ("event", "block", "transactions", 0), ("evidence",), ("evidence", "kind")]:
            if len(json.loads(document)["event"]["block"]["transactions"]) or "transactions" not in path:
                refusal(replaced(document, path, value), trust)
