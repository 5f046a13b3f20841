"""Lists as whole: what a client gets of one, piece by piece."""

from collections.abc import Iterator
from itertools import chain
from typing import Final

import msgspec

from bigchaindb.store.lists import Bounds, Walk
from bigchaindb.store.queries import LedgerQueries
from bigchaindb.transaction.model import OutputRef

MATCHES: Final = 100_000
FEW: Final = Bounds(3, MATCHES)
"""Pieces so short that a small ledger has several."""

_elements: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


def pieces(queries: LedgerQueries, walk: Walk, bounds: Bounds = FEW) -> Iterator[list[bytes]]:
    """Read a list to its end; each element as its JSON."""
    while not walk.is_over:
        yield elements(queries.step(walk, bounds))


def elements(piece: bytes) -> list[bytes]:
    """Return each element of a piece."""
    return list(map(bytes, _elements(b"[" + piece + b"]")))


def whole(queries: LedgerQueries, walk: Walk) -> list[bytes]:
    """Return all elements of a list."""
    return list(chain.from_iterable(pieces(queries, walk)))


def outputs(queries: LedgerQueries, owner: str, spent: bool | None) -> list[OutputRef]:  # noqa: FBT001
    """Return the whole list of an owner's outputs."""
    return list(map(output_ref, whole(queries, queries.outputs(owner, spent=spent))))


def output_ref(element: bytes) -> OutputRef:
    """Return what an element of a list of outputs names."""
    read = msgspec.json.decode(element)
    return OutputRef(read["transaction_id"], read["output_index"])
