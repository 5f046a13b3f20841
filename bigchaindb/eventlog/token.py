"""Tokens: opaque places in the log that are good on every node of a network. Pure.

A token holds the first bytes of two hashes: which chain it is of, and what the log was up to its position. So a token
of another chain, or of a log that was restored from an older backup, is found out instead of naming another event (P8).

Source: docs/reference/promises.md, P8.
"""

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256
from struct import Struct
from typing import Final, Protocol

from bigchaindb.errors import HistoryLost, MalformedToken

WHOLE: Final = 0xFFFF_FFFF
"""The index of a token that is behind all transactions of its event."""

CHECK_BYTES: Final = 8
PREFIX: Final = "1."
LAYOUT: Final = Struct(f">{CHECK_BYTES}sQI{CHECK_BYTES}s")

_NO_DIGEST: Final = bytes(32)
"""Of a log before its first event."""


class Entry(Protocol):
    """A row of the log, as tokens are compared with it."""

    @property
    def digest(self) -> bytes:
        """Digest of the log up to this row."""
        ...


class Digests(Protocol):
    """The digests of a log; `bigchaindb.ledger.ports.LogReader` has them."""

    def entry(self, position: int) -> Entry | None:
        """See `LogReader`."""
        ...


@dataclass(frozen=True, slots=True)
class Token:
    """A place in a log: what is up to it has been seen, what comes behind it has not.

    Attributes:
        chain: the first bytes of the hash of the chain id.
        position: of the last event that was seen at least in part; 0 before the first.
        index: the last transaction of that event's block that was seen, or `WHOLE`.
        digest: the first bytes of the log's digest at `position`.
    """

    chain: bytes
    position: int
    index: int
    digest: bytes

    @property
    def place(self) -> tuple[int, int]:
        """Position of the last event that was seen whole, and how many transactions of the next one were seen."""
        if self.index == WHOLE or self.position == 0:
            return self.position, 0
        return self.position - 1, self.index + 1


def encode(chain_id: str, position: int, index: int, digest: bytes) -> str:
    """Return the token of a place.

    Args:
        chain_id: the network's.
        position: of an event, or 0 for the place before all.
        index: of a transaction in the event's block, or `WHOLE`.
        digest: of the log at `position`, 32 bytes.
    """
    packed = LAYOUT.pack(_chain(chain_id), position, index, digest[:CHECK_BYTES])
    return PREFIX + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(text: str, chain_id: str, head: int) -> Token:
    """Return the token that `text` holds, without comparing it with the log as `known` does.

    Args:
        text: from anyone.
        chain_id: the network's.
        head: the last durable position.

    Raises:
        MalformedToken: it is none.
        HistoryLost: it is of another chain, or of a position that this log does not have.
    """
    token = unpacked(text)
    if token.chain != _chain(chain_id) or token.position > head:
        raise HistoryLost(token.position, head)
    return token


def known(text: str, log: Digests, chain_id: str, head: int) -> Token:
    """Return the token that `text` holds, if it was made of this log (P8).

    Args:
        text: from anyone.
        log: of this node; it may have grown beyond `head`.
        chain_id: the network's.
        head: the last durable position.

    Raises:
        MalformedToken: `text` is no token.
        HistoryLost: the token is of another chain or another log.
    """
    token = decode(text, chain_id, head)
    digest = digest_at(log, token.position)
    if digest is None or digest[:CHECK_BYTES] != token.digest:
        raise HistoryLost(token.position, head)
    return token


def digest_at(log: Digests, position: int) -> bytes | None:
    """Return the digest of a log up to `position`, or None if the log has no such position."""
    if position == 0:
        return _NO_DIGEST
    entry = log.entry(position)
    return None if entry is None else entry.digest


def unpacked(text: str) -> Token:
    """Return the token that a text is, of whatever chain and log.

    Raises:
        MalformedToken: it is none.
    """
    malformed = (
        f"{text[:80]!r} is no token: a token is {PREFIX!r} and 38 characters that a node gave out; "
        "take `next` of a page of events, or the id of a Server-Sent Event"
    )
    if not text.startswith(PREFIX) or not text.isascii():
        raise MalformedToken(malformed)
    encoded = text.removeprefix(PREFIX).encode()
    try:
        packed = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise MalformedToken(malformed) from None
    # One place has one token: other spellings of the same bits are refused.
    if len(packed) != LAYOUT.size or base64.urlsafe_b64encode(packed).rstrip(b"=") != encoded:
        raise MalformedToken(malformed)
    return Token(*LAYOUT.unpack(packed))


def _chain(chain_id: str) -> bytes:
    return sha256(chain_id.encode()).digest()[:CHECK_BYTES]
