"""Writes the few kinds of protobuf field that CometBFT hashes and signs; nothing of it reads. Pure.

The core writes these bytes itself, and not through generated messages: what is signed must not change with a library's
version, and one kind of field in two lines is easier to hold against the specification than a schema. As in proto3, a
field of value zero is left out. Source: protobuf.dev, "Encoding".
"""

from typing import Final

_VARINT: Final = 0
_FIXED64: Final = 1
_LENGTH: Final = 2
_UINT64: Final = 2**64 - 1


def uvarint(value: int) -> bytes:
    """Encode an integer from 0 to 2^64 - 1 in groups of seven bits, the lowest first."""
    written = bytearray()
    while value > 0x7F:  # noqa: PLR2004 what fits into seven bits
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def integer(field: int, value: int) -> bytes:
    """Encode a field of type `int32`, `int64`, `uint32`, `uint64` or enumeration; a negative value takes ten bytes."""
    return uvarint(field << 3 | _VARINT) + uvarint(value & _UINT64) if value else b""


def fixed(field: int, value: int) -> bytes:
    """Encode a field of type `sfixed64`."""
    return uvarint(field << 3 | _FIXED64) + value.to_bytes(8, "little", signed=True) if value else b""


def octets(field: int, value: bytes) -> bytes:
    """Encode a field of type `bytes` or, from its UTF-8 text, `string`."""
    return message(field, value) if value else b""


def message(field: int, content: bytes) -> bytes:
    """Encode a field that holds a message, which is written even if it is empty."""
    return uvarint(field << 3 | _LENGTH) + delimited(content)


def delimited(content: bytes) -> bytes:
    """Encode a message with its length before it: the form that is signed."""
    return uvarint(len(content)) + content
