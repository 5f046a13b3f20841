"""The consensus log of a CometBFT: the signed proposals and votes that it has seen, in its own files.

This is what tests hold a network's events against: nothing of the node takes part in writing it. A frame is the CRC32C
of a message, its length, both 32 bits big-endian, and the message, a `TimedWALMessage` of CometBFT v0.38.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from bigchaindb.ledger.consensus import BlockId, Moment
from bigchaindb.ledger.protobuf import delimited, fixed, integer, message, octets
from bigchaindb.ledger.validators import address_of
from bigchaindb.transaction.keys import verify_signature

PREVOTE: Final = 1
PROPOSAL: Final = 32
_HEADER: Final = struct.Struct(">II")
_MESSAGE_BYTES_MAX: Final = 1024 * 1024 + 24
_SEEN_BYTES_MAX: Final = 32 * 1024
"""No proposal or vote is longer: the rest are pieces of blocks, of no use here."""
_CASTAGNOLI: Final = 0x82F63B78

Fields = dict[int, int | bytes]


@dataclass(frozen=True)
class SignedProposal:
    """A proposal as its proposer signed it."""

    height: int
    round: int
    pol_round: int
    block_id: BlockId
    time: Moment
    signature: bytes

    def is_by(self, public_key: bytes, chain_id: str) -> bool:
        """Whether that validator signed it."""
        signed = delimited(
            integer(1, PROPOSAL)
            + fixed(2, self.height)
            + fixed(3, self.round)
            + integer(4, self.pol_round)
            + message(5, _canonical(self.block_id))
            + message(6, _moment(self.time))
            + octets(7, chain_id.encode())
        )
        return verify_signature(public_key, signed, self.signature)


@dataclass(frozen=True)
class SignedVote:
    """A prevote or precommit as its validator, 20 bytes of address, signed it; `block_id` None is for no block."""

    type: int
    height: int
    round: int
    block_id: BlockId | None
    time: Moment
    validator: bytes
    signature: bytes

    def is_by(self, public_key: bytes, chain_id: str) -> bool:
        """Whether that validator signed it."""
        signed = delimited(
            integer(1, self.type)
            + fixed(2, self.height)
            + fixed(3, self.round)
            + (b"" if self.block_id is None else message(4, _canonical(self.block_id)))
            + message(5, _moment(self.time))
            + octets(6, chain_id.encode())
        )
        return self.validator == address_of(public_key) and verify_signature(public_key, signed, self.signature)


Seen = SignedProposal | SignedVote


def read(folder: Path) -> list[Seen]:
    """Return all proposals and votes of a log in the order in which they came; it may end within a frame.

    Args:
        folder: `data/cs.wal` of a CometBFT.

    Raises:
        ValueError: a frame does not match its checksum.
    """
    rotated = sorted(folder.glob("wal.*"), key=lambda path: int(path.suffix[1:]))
    text = b"".join(path.read_bytes() for path in (*rotated, folder / "wal"))
    return [seen for frame in frames(text) if (seen := _seen(frame)) is not None]


def frames(text: bytes) -> Iterator[bytes]:
    """Return the messages of a log's bytes that may be proposals or votes.

    Raises:
        ValueError: one does not match its checksum, or no message has such a length.
    """
    at = 0
    while at + _HEADER.size <= len(text):
        checksum, size = _HEADER.unpack_from(text, at)
        begin, end = at + _HEADER.size, at + _HEADER.size + size
        if size > _MESSAGE_BYTES_MAX:
            raise ValueError(f"offset {at}: a message of {size} bytes")
        if end > len(text):
            return  # it was killed while it wrote
        if size <= _SEEN_BYTES_MAX:
            if crc32c(text[begin:end]) != checksum:
                raise ValueError(f"offset {at}: the checksum does not match")
            yield text[begin:end]
        at = end


def crc32c(text: bytes) -> int:
    """Return the CRC-32C of RFC 3720, appendix B.4."""
    table, value = _table(), 0xFFFFFFFF
    for byte in text:
        value = table[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


@lru_cache(maxsize=1)
def _table() -> Sequence[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_CASTAGNOLI if value & 1 else 0)  # noqa: PLW2901 eight steps of one division
        table.append(value)
    return table


def _seen(frame: bytes) -> Seen | None:
    """Return the proposal or vote in a `TimedWALMessage`."""
    about = _nested(frame, 2, 2, 1)  # msg, msg_info, msg
    if proposal := _nested(about, 3, 1):
        return _proposal(_fields(proposal))
    return _vote(_fields(vote)) if (vote := _nested(about, 6, 1)) else None


def _proposal(fields: Fields) -> SignedProposal:
    return SignedProposal(
        height=_number(fields, 2),
        round=_number(fields, 3),
        pol_round=_number(fields, 4),
        block_id=_block_id(_fields(_bytes(fields, 5))),
        time=_time(_fields(_bytes(fields, 6))),
        signature=_bytes(fields, 7),
    )


def _vote(fields: Fields) -> SignedVote:
    block_id = _block_id(_fields(_bytes(fields, 4)))
    return SignedVote(
        type=_number(fields, 1),
        height=_number(fields, 2),
        round=_number(fields, 3),
        block_id=block_id if block_id.hash else None,
        time=_time(_fields(_bytes(fields, 5))),
        validator=_bytes(fields, 6),
        signature=_bytes(fields, 8),
    )


def _block_id(fields: Fields) -> BlockId:
    parts = _fields(_bytes(fields, 2))
    return BlockId(_bytes(fields, 1), _number(parts, 1), _bytes(parts, 2))


def _time(fields: Fields) -> Moment:
    return Moment(_number(fields, 1), _number(fields, 2))


def _canonical(block_id: BlockId) -> bytes:
    return octets(1, block_id.hash) + message(2, integer(1, block_id.parts_total) + octets(2, block_id.parts_hash))


def _moment(time: Moment) -> bytes:
    return integer(1, time.seconds) + integer(2, time.nanos)


def _nested(text: bytes, *path: int) -> bytes:
    """Return the message in a message, and so on; nothing if one of them is not there."""
    for field in path:
        text = _bytes(_fields(text), field)
    return text


def _bytes(fields: Fields, field: int) -> bytes:
    found = fields.get(field, b"")
    assert isinstance(found, bytes), (field, found)
    return found


def _number(fields: Fields, field: int) -> int:
    found = fields.get(field, 0)
    assert isinstance(found, int), (field, found)
    return found - 2**64 if found >= 2**63 else found


def _fields(text: bytes) -> Fields:
    """Read the fields of a protobuf message that are numbers of 7-bit groups or bytes; none is there twice."""
    fields: Fields = {}
    at = 0
    while at < len(text):
        tag, at = _uvarint(text, at)
        value, at = _uvarint(text, at)
        if tag & 7 == 0:
            fields[tag >> 3] = value
        else:
            assert tag & 7 == 2, tag
            fields[tag >> 3] = text[at : at + value]
            at += value
    return fields


def _uvarint(text: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = text[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at
