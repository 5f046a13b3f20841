"""Which bytes are hashed and signed. Source: docs/reference/contract/transactions.md, section 3.

The members of a transaction sort as asset, id, inputs, metadata, operation, outputs, version. Its canonical text is
written once, and all other texts are cut out of it.
"""

import re
from collections.abc import Iterable, Mapping
from hashlib import sha3_256
from typing import Any, Final

from msgspec import Struct

from bigchaindb.transaction.canonical import canonical_plain, exact
from bigchaindb.transaction.model import OutputRef

_FULFILLMENT: Final = re.compile(rb'"fulfillment":"[^"]*"')


class Texts(Struct, frozen=True, gc=False):
    """The canonical text of a transaction, and its two parts around the id.

    Attributes:
        body: all of it.
        head: from the opening brace to the end of `asset`.
        tail: from the comma before `inputs` to the closing brace.
    """

    body: bytes
    head: bytes
    tail: bytes

    @classmethod
    def of(cls, document: Mapping[str, Any], version: str, *, plain: bool) -> "Texts":
        """Write a document that has all seven members.

        Args:
            document: may be wrong below its top level, as 2.0 ids are checked before the structure.
            version: whose layout of floats to follow.
            plain: all floats in it are plain (`canonical.is_plain`).
        """
        write = canonical_plain if plain else exact
        head = b'{"asset":' + write(document["asset"], version)
        others = dict(document)
        del others["asset"]
        rest = write(others, version)
        # Right for every id that is a string or null, in which no such member can stand; no other id is accepted.
        stop = rest.index(b',"inputs":')
        tail = rest[stop:]
        # Joined anew, since the body is kept: the bytes of orjson keep the memory that it took while writing, 4 KiB for
        # 500 bytes and up to fifty times the text.
        return cls(b"".join((head, b",", rest[1:stop], tail)), head, tail)

    def unsigned(self, input_count: int) -> bytes:
        """Return `tail` with every fulfillment null, for checked inputs whose fulfillments are all texts."""
        # The first matches are the inputs' own: only metadata, which comes later, could hold more.
        return _FULFILLMENT.sub(b'"fulfillment":null', self.tail, count=input_count)


def id_v1(head: bytes, unsigned: bytes) -> str:
    """Return the id by the rule of version 1.0: neither id nor fulfillments are hashed."""
    return sha3_256(head + unsigned).hexdigest()


def with_id(head: bytes, transaction_id: str, tail: bytes) -> bytes:
    """Put the id between its neighbours; with fulfillments null, this is what all signatures of a 1.0 sign."""
    return b'%b,"id":"%b"%b' % (head, transaction_id.encode(), tail)


def id_v2(head: bytes, tail: bytes) -> str:
    """Return the id by the rule of version 2.0: the id is null, the fulfillments are in place."""
    return sha3_256(b'%b,"id":null%b' % (head, tail)).hexdigest()


def id_of(body: bytes, transaction_id: str) -> str:
    """Compute the id of a canonical text again: it equals `transaction_id` for the text of that id alone.

    Args:
        body: all of it, of either version; other bytes have no such id.
        transaction_id: 64 digits, which locate the id in the text: no text can hold its own hash elsewhere.
    """
    head, _, inputs = body.partition(b',"id":"%b","inputs":' % transaction_id.encode())
    if not inputs.endswith(b',"version":"1.0"}'):
        return id_v2(head, b',"inputs":' + inputs)
    inputs, mark, rest = inputs.partition(b',"metadata":')
    return id_v1(head, b',"inputs":' + _FULFILLMENT.sub(b'"fulfillment":null', inputs) + mark + rest)


def messages_v2(head: bytes, unsigned: bytes, spends: Iterable[OutputRef | None]) -> list[bytes]:
    """Return what the signatures of each input of a 2.0 transaction sign: 32 bytes, bound to what it spends."""
    common = sha3_256(b'%b,"id":null%b' % (head, unsigned))
    messages = []
    for ref in spends:
        own = common.copy()  # the long part is hashed once, however many inputs there are
        if ref is not None:
            own.update(f"{ref.transaction_id}{ref.output_index}".encode())
        messages.append(own.digest())
    return messages
