"""The part of DER that conditions and fulfillments need.

Source: docs/reference/contract/transactions.md, section 4.2.
"""

from typing import Final, NamedTuple

_LONG: Final = 0x80
_LENGTH_BYTES_MAX: Final = 4
"""Enough for any body; more would only be a way to write a length twice."""


class Element(NamedTuple):
    """Where one element stands in its text: `text[start:stop]` is its content."""

    tag: int
    start: int
    stop: int


def element(tag: int, content: bytes) -> bytes:
    """Write one element."""
    size = len(content)
    if size < _LONG:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG | len(length))) + length + content


def integer(value: int) -> bytes:
    """Write the content of a non-negative INTEGER: two's complement, as short as can be."""
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def read(text: bytes, start: int, stop: int) -> Element:
    """Find the element that begins at `start` and ends no later than `stop`.

    Raises:
        ValueError: cut short, or its length is not written in the one way that DER allows.
    """
    if start + 2 > stop:
        raise ValueError("cut short")
    size, content = text[start + 1], start + 2
    if size >= _LONG:
        content += size - _LONG
        size = _long_length(text[start + 2 : content], size - _LONG)
    if content + size > stop:
        raise ValueError("cut short")
    return Element(text[start], content, content + size)


def _long_length(length: bytes, count: int) -> int:
    size = int.from_bytes(length, "big")
    if not 0 < count <= _LENGTH_BYTES_MAX or len(length) != count or size < _LONG or not length[0]:
        raise ValueError("length is not in DER")
    return size


def read_integer(content: bytes) -> int:
    """Read the content of a non-negative INTEGER.

    Raises:
        ValueError: empty, negative or longer than need be.
    """
    value = int.from_bytes(content, "big")
    if integer(value) != content:
        raise ValueError("integer is not in DER")
    return value
