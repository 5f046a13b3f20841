"""Bundles: several transactions of clients that the consensus engine carries as one.

A bundle is `BUNDLE_MARK`, then for each transaction the length of its canonical text, four bytes with the highest
first, and the text; nothing else. Whoever has the transactions makes the same bytes again. Bytes that begin with the
mark and have another form are no bundle: they stand for one transaction, which is no JSON and so breaks a rule. Pure.

Source: docs/explanation/network.md; docs/decisions/0083-bundles.md.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from bigchaindb.ledger.rejections import BLOCK_COUNT_MAX, BODY_COUNT_MAX

BUNDLE_MARK: Final = b"\1"
"""Begins a bundle; neither a document of a client nor a transaction of the network's own begins so."""
LENGTH_BYTES: Final = 4
DOCUMENT_BEGIN: Final = b"{"
"""Begins each transaction of a client, so that a bundle holds no bundle, and nothing of the network's own."""


def bundle_of(transactions: Iterable[bytes]) -> bytes:
    """Return the bundle of these transactions, in their order."""
    sized = ((len(one).to_bytes(LENGTH_BYTES, "big"), one) for one in transactions)
    return b"".join((BUNDLE_MARK, *chain.from_iterable(sized)))


def members_of(carried: bytes) -> tuple[bytes, ...]:
    """Return the transactions of a bundle, 1 to `BLOCK_COUNT_MAX` of them; nothing if `carried` is no bundle."""
    if not carried.startswith(BUNDLE_MARK):
        return ()
    members: list[bytes] = []
    end, bytes_max = len(BUNDLE_MARK), len(carried)
    while end < bytes_max:
        begin = end + LENGTH_BYTES
        end = begin + int.from_bytes(carried[begin - LENGTH_BYTES : begin], "big")
        member = carried[begin:end]
        if end > bytes_max or len(members) == BLOCK_COUNT_MAX or not member.startswith(DOCUMENT_BEGIN):
            return ()
        members.append(member)
    return tuple(members)


def unbundled(carried: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return the transactions that a block of the consensus engine holds, those of bundles in their places.

    Once there are more than `BODY_COUNT_MAX`, which is a fault whatever follows, bundles stay closed: 4 MiB of the
    smallest would take each validator a second.
    """
    transactions: list[bytes] = []
    for one in carried:
        transactions += (members_of(one) if len(transactions) <= BODY_COUNT_MAX else ()) or (one,)
    return tuple(transactions)


def bundled(transactions: Iterable[bytes], bytes_max: int) -> list[bytes]:
    """Return what carries these transactions of clients, in their order: bundles, and those that stay alone.

    Args:
        transactions: canonical texts.
        bytes_max: of one bundle; a transaction that has more by itself stays alone.
    """
    groups: list[list[bytes]] = []
    room = 0
    for one in transactions:
        size = LENGTH_BYTES + len(one)
        if size > room or len(groups[-1]) == BLOCK_COUNT_MAX:
            groups.append([])
            room = bytes_max - len(BUNDLE_MARK)
        groups[-1].append(one)
        room -= size
    return [group[0] if len(group) == 1 else bundle_of(group) for group in groups]


def order_of(carried: Iterable[bytes]) -> tuple[int, ...]:
    """Return for each transaction of the consensus engine how many its bundle holds; 0 if it is none."""
    return tuple(len(members_of(one)) for one in carried)


def carried_in(order: Sequence[int], transactions: Sequence[bytes]) -> list[bytes] | None:
    """Return what the consensus engine carried, made anew from what it held; None if the order is that of others.

    Args:
        order: what `order_of` returned.
        transactions: what `unbundled` returned.
    """
    if sum(count or 1 for count in order) != len(transactions):
        return None
    carried: list[bytes] = []
    begin = 0
    for count in order:
        end = begin + (count or 1)
        carried.append(bundle_of(transactions[begin:end]) if count else transactions[begin])
        begin = end
    return carried
