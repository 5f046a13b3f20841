"""Events as a client gets them, and how they are read from a stream's bytes. Pure.

Source: docs/reference/http-events.md.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

import msgspec

from bigchaindb.documents import BlockEvent, Transaction
from bigchaindb.errors import ProofError, RequestFailed
from bigchaindb.ledger.proofs.pieces import Verified

BLOCK_VALID: Final = "com.bigchaindb.block.valid.v1"
BLOCK_INVALID: Final = "com.bigchaindb.block.invalid.v1"
REJECTED: Final = "com.bigchaindb.transaction.rejected.v1"
MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of one message of a stream: an event of 5 MiB, with room."""

_UNPARSED: Final = object()
_decode: Final = msgspec.json.Decoder(float_hook=float).decode  # see `bigchaindb.transaction.reading`


class _Envelope(msgspec.Struct):
    id: str
    type: str
    source: str
    sequence: str
    data: msgspec.Raw
    subject: str = ""
    partitionkey: str = ""
    time: datetime | None = None


_decode_envelope: Final = msgspec.json.Decoder(_Envelope).decode


class Event:
    """A decided block, or one transaction of a valid block.

    Attributes:
        id: names the event on every node and at every repeat: what to recognize one by.
        type: of CloudEvents, such as `com.bigchaindb.transaction.valid.v1`.
        chain_id: of the ledger.
        position: of the block's event in the log, from 1.
        index: of the transaction in its block, from 0; None for a block.
        subject: id of the block or the transaction.
        key: id of the asset; "" for a block.
        time: of the block.
        body: `data` as the node wrote it: the same bytes on every node (P5).
    """

    __slots__ = ("_data", "body", "chain_id", "id", "index", "key", "position", "subject", "time", "type")

    def __init__(self, envelope: bytes) -> None:
        """Read a CloudEvent.

        Raises:
            RequestFailed: it is none of a node.
        """
        try:
            found = _decode_envelope(envelope)
            position, _, index = found.sequence.partition(":")
            self.position = int(position)
            self.index = int(index) if index else None
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise RequestFailed(f"the answer holds no event of a node: {error}") from error
        self.id = found.id
        self.type = found.type
        self.chain_id = found.source.removeprefix("urn:bigchaindb:")
        self.subject = found.subject
        self.key = found.partitionkey
        self.time = found.time
        self.body = bytes(found.data)
        self._data: Any = _UNPARSED

    @property
    def data(self) -> dict[str, Any]:
        """What happened, parsed on first use: a block's event or a transaction."""
        if self._data is _UNPARSED:
            self._data = _decode(self.body)
            if self.is_block:
                self._data["transactions"] = self._data["block"]["transactions"]
        return cast("dict[str, Any]", self._data)

    @property
    def is_block(self) -> bool:
        """Whether it is a whole block."""
        return self.type in {BLOCK_VALID, BLOCK_INVALID}

    @property
    def is_valid(self) -> bool:
        """Whether the network voted the block valid; a rejected transaction is in none."""
        return self.type not in {BLOCK_INVALID, REJECTED}

    @property
    def block(self) -> BlockEvent:
        """The block's event.

        Raises:
            TypeError: this is one transaction; ask for granularity "block".
        """
        if not self.is_block:
            raise TypeError("this event is one transaction; ask for granularity='block' to get blocks")
        return cast("BlockEvent", self.data)

    @property
    def transaction(self) -> Transaction:
        """The transaction; of a rejected one `data` has the reason besides.

        Raises:
            TypeError: this is a block; ask for granularity "transaction", or read `transactions`.
        """
        if self.is_block:
            raise TypeError(
                "this event is a block; ask for granularity='transaction', or read its list of `transactions`"
            )
        return cast("Transaction", self.data["transaction"] if self.type == REJECTED else self.data)

    @property
    def transactions(self) -> list[Transaction]:
        """The transactions of the block, or the one."""
        return self.block["block"]["transactions"] if self.is_block else [self.transaction]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.type}>"


class LogEvent(Event):
    """An event that was read from the log.

    Attributes:
        token: the place behind it: `events(after=token)` continues there, on any node of the network.
    """

    __slots__ = ("token",)

    def __init__(self, envelope: bytes, token: str) -> None:
        """Read a CloudEvent, see `Event`."""
        super().__init__(envelope)
        self.token = token


class Proven(NamedTuple):
    """What a proof of an event showed.

    Attributes:
        event: that was proven.
        is_own_word: whether one node alone says so, by its signature: of a node on its own nobody else can.
        verified: all of it: the power that signed, and the block made anew from what was signed.
        document: the proof, for others to check: `bigchaindb verify`.
    """

    event: Event
    is_own_word: bool
    verified: Verified
    document: bytes

    def __str__(self) -> str:
        who = "one node, alone" if self.is_own_word else "validators"
        return f"{self.event.id}: signed by {who} with power {self.verified.power} of {self.verified.total}"


def proven(event: Event, verified: Verified, document: bytes) -> Proven:
    """Return what a proof shows about an event, which may come from another node than the proof.

    Args:
        event: from any node.
        verified: what the proof proves.
        document: the proof.

    Raises:
        ProofError: it proves another event.
    """
    if verified.chain_id not in (None, event.chain_id):
        raise ProofError(f"{event.id}: the proof is of the chain {verified.chain_id}")
    if not verified.is_bound:
        raise ProofError(f"{event.id}: the proof has no header of its height; take it from another node")
    if event.index is None:
        is_same = verified.body == event.body
    else:
        shown = verified.block.transactions
        is_same = verified.reason is None and event.index < len(shown) and shown[event.index] == event.body
    if not is_same:
        raise ProofError(f"{event.id}: the proof is of another event than this one; do not trust the node that sent it")
    return Proven(event, verified.kind == "node", verified, document)


class Messages:
    """The messages of a stream of Server-Sent Events, from its bytes in any pieces."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._id = ""
        self._data = b""

    def feed(self, piece: bytes) -> Iterator[tuple[str, bytes | None]]:
        """Yield the token of each message, with its event; None for a message that moves the place alone.

        Raises:
            RequestFailed: a message is larger than any of a node.
        """
        searched = len(self._rest)
        self._rest += piece
        begin = 0
        while (end := self._rest.find(b"\n", max(begin, searched))) >= 0:
            line = bytes(self._rest[begin:end]).rstrip(b"\r")
            begin = end + 1
            if line:
                self._read(line)
            elif self._id:
                yield self._id, self._data or None
                self._id, self._data = "", b""
        del self._rest[:begin]
        if len(self._rest) > MESSAGE_BYTES_MAX:
            raise RequestFailed(f"a message of the stream has more than {MESSAGE_BYTES_MAX} bytes: is it a node?")

    def _read(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"id":
            self._id = value.decode("ascii", "replace")
        elif name == b"data":
            self._data = value
