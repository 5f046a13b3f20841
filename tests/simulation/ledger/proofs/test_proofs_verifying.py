"""Whatever is changed in a proof, at whatever place, is found."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import ProofError
from bigchaindb.ledger.proofs.verifying import verify
from tests.support.proofs import (
    HEIGHT,
    PROOFS,
    Path,
    refusal,
    replaced,
)

UNBOUND: Final = {("event", "id"), ("event", "block", "voters")}
"""What a rejection without the header of its height does not prove."""


def members(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the place of everything in a document."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, held in inner:
        yield from members(held, (*path, step))


def spoilt(value: Any) -> list[Any]:  # noqa: PLR0911 one for each kind
    """Yield other values of the same kind, close to this one."""
    match value:
        case bool():
            return [not value]
        case None:
            return ["x", 1]
        case int():
            return [value + 1, max(0, value - 1) if value else 2]
        case "":
            return ["A" * 40, "A" * 64]
        case str():
            other = "1" if value[0] != "1" else "2"
            return [
                other + value[1:],
                value[:-2] + ("B" if value[-2:-1] == "A" else "A") + value[-1:],
                value + "\n",
                "",
            ]
        case list():
            return [[*value, *value[:1]], value[1:], [None, *value]] if value else [[None]]
        case _:
            return [{**value, "more": 1}, {}]


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
