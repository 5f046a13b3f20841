"""Base58: the text of keys, ids and signatures. Pure.

A number is written and read some digits at a time, on integers of a machine word: a signature takes 5 µs each way,
where one digit at a time takes 13 (measured).
"""

from operator import mul
from typing import Final

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
LENGTH_MAX: Final = 88
"""Characters of the longest text that is read, that of 64 bytes."""

_BASE: Final = len(ALPHABET)
_PAIRS: Final = tuple(high + low for high in ALPHABET for low in ALPHABET)
_TWO: Final = _BASE**2
_TEN: Final = _BASE**10
"""Ten digits are the most that fit into 60 bits, with which Python's integers work fastest."""
_NONE: Final = 255
_DIGITS: Final = bytes(ALPHABET.find(chr(code)) % (_NONE + 1) for code in range(256))
_POWERS: Final = tuple(_BASE**power for power in range(LENGTH_MAX))


def encode(raw: bytes) -> str:
    """Return the text of some bytes; each zero byte at the beginning is a `1`."""
    number, tens = int.from_bytes(raw, "big"), []
    while number:
        number, ten = divmod(number, _TEN)
        ten, fifth = divmod(ten, _TWO)
        ten, fourth = divmod(ten, _TWO)
        ten, third = divmod(ten, _TWO)
        first, second = divmod(ten, _TWO)
        tens.append(_PAIRS[first] + _PAIRS[second] + _PAIRS[third] + _PAIRS[fourth] + _PAIRS[fifth])
    tens.reverse()
    return ALPHABET[0] * (len(raw) - len(raw.lstrip(b"\0"))) + "".join(tens).lstrip(ALPHABET[0])


def decode(text: str) -> bytes:
    """Return the bytes of a text; white space behind it is passed over.

    Raises:
        ValueError: a character is none of base58, or it is longer than any key or signature.
    """
    digits = text.rstrip().encode("ascii").translate(_DIGITS)
    if _NONE in digits or len(digits) > LENGTH_MAX:
        raise ValueError("no base58 text of at most 64 bytes")
    number: int = sum(map(mul, digits[::-1], _POWERS))
    zeros = len(digits) - len(digits.lstrip(b"\0"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
